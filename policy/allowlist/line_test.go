package allowlist

import (
	"fmt"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestLineRoundTrip checks that the line suggested for a request allows it and
// none of its neighbours.
func TestLineRoundTrip(t *testing.T) {
	neighbours := []string{
		"https://ok.test/", "https://ok.test/b", "https://other.test/a", "http://ok.test/a", "POST https://ok.test/a",
		"https://ok.test:8443/a", "wss://ok.test/a", "tcp://ok.test:443", "CONNECT https://ok.test", "https://www.ok.test/a",
	}
	for _, tt := range []struct{ request, line string }{
		{"https://ok.test/a", "- GET https://ok.test/a"},
		{"https://ok.test", "- GET https://ok.test/"},
		{"PUT http://ok.test:8080/a/b", "- PUT http://ok.test:8080/a/b"},
		{"https://ok.test/a:", "- \"GET https://ok.test/a:\""},
		{"https://ok.test/a:b", "- GET https://ok.test/a:b"},
		{"https://ok.test/*", "- GET https://ok.test/%2A"},
		{"https://ok.test/**/x", "- GET https://ok.test/%2A%2A/x"},
		{"https://ok.test/@s%2fn", "- GET https://ok.test/@s%2Fn"},
		{"https://ok.test/%23a%3Fb", "- GET https://ok.test/%23a%3Fb"},
		{"https://ok.test/[a]{b}", "- GET https://ok.test/%5Ba%5D%7Bb%7D"},
		{"https://ok.test/a'b\"c,d&e!f|g>h", "- GET https://ok.test/a'b%22c,d&e!f%7Cg%3Eh"},
		{"https://ok.test/-%20#x", "- GET https://ok.test/-%20%23x"},
		{"https://[2001:db8::1]:8443/a", "- GET https://[2001:db8::1]:8443/a"},
		{"wss://ok.test/a", "- GET wss://ok.test/a"},
		{"M-SEARCH https://ok.test/a", "- M-SEARCH https://ok.test/a"},
		{"tcp://ok.test:22", "- {host: ok.test, ports: [22], schemes: [tcp]}"},
		{"tcp://[2001:db8::1]:22", "- {host: \"2001:db8::1\", ports: [22], schemes: [tcp]}"},
		{"tcp://localhost:22", "- {host: \"localhost\", ports: [22], schemes: [tcp]}"},
		{"tcp://0b1:22", "- {host: \"0b1\", ports: [22], schemes: [tcp]}"},
		{"tcp://null:22", "- {host: \"null\", ports: [22], schemes: [tcp]}"},
		{"tcp://10.0.0.1:22", "- {host: \"10.0.0.1\", ports: [22], schemes: [tcp], networks: [\"10.0.0.1/32\"]}"},
		{"POST http://127.0.0.1:8080/a:", "- {host: \"127.0.0.1\", methods: [POST], paths: [\"/a:\"], ports: [8080], schemes: [http], networks: [\"127.0.0.1/32\"]}"},
		{"http://100.64.0.1/a", "- {host: \"100.64.0.1\", methods: [GET], paths: [\"/a\"], ports: [80], schemes: [http], networks: [\"100.64.0.1/32\"]}"},
		{"CONNECT https://ok.test", "- {host: ok.test, ports: [443], tls: passthrough}"},
		{"get https://ok.test/a", ""},
		{"#x https://ok.test/a", ""},
		{"CONNECT http://ok.test", ""},
		{"ftp://ok.test:21/a", ""},
	} {
		t.Run(tt.request, func(t *testing.T) {
			q := request(t, tt.request)
			if got := q.Line(); got != tt.line {
				t.Fatalf("line %q, want %q", got, tt.line)
			}
			if tt.line == "" {
				return
			}
			p := mustParse(t, "allow:\n  "+tt.line)
			d := decide(t, p, q)
			if d.Action != policy.Allow || d.Passthrough != (q.Method == "CONNECT" || q.Scheme == "tcp") {
				t.Errorf("%s does not allow %s: %+v", tt.line, tt.request, d)
			}
			for _, n := range neighbours {
				if decide(t, p, request(t, n)).Action != policy.Deny && strings.TrimSuffix(n, "/") != tt.request && n != tt.request {
					t.Errorf("%s allows %s", tt.line, n)
				}
			}
		})
	}
}

// TestLineOfRedirects has requests that a redirect led to: the line is about it.
func TestLineOfRedirects(t *testing.T) {
	for _, tt := range []struct{ request, via, line string }{
		{"https://ok.test/a?signature=x", "https://f.test/latest", `- {host: ok.test, via: ["https://f.test/latest"]}`},
		{"HEAD http://ok.test:8080/a", "https://ok.test:8080/latest", `- {host: ok.test, ports: [8080], schemes: [http], via: ["https://ok.test:8080/latest"]}`},
		{"http://10.0.0.1/a", "http://[2001:db8::1]/[a]'\"*", `- {host: "10.0.0.1", schemes: [http], via: ["http://[2001:db8::1]/%5Ba%5D'%22%2A"], networks: ["10.0.0.1/32"]}`},
		{"https://ok.test/a", "https://ok.test/latest", "- GET https://ok.test/a"},
		{"POST https://ok.test/a", "https://f.test/latest", "- POST https://ok.test/a"},
	} {
		r := request(t, tt.request)
		r.Via = []string{request(t, tt.via).URL()}
		if got := r.Line(); got != tt.line {
			t.Errorf("%s: line %q, want %q", tt.request, got, tt.line)
			continue
		}
		p := mustParse(t, "allow:\n  "+tt.line)
		if d := decide(t, p, r); d.Action != policy.Allow {
			t.Errorf("%s does not allow %s: %+v", tt.line, tt.request, d)
		}
		if r.Via = nil; strings.Contains(tt.line, "via") && decide(t, p, r).Action != policy.Deny {
			t.Errorf("%s allows %s without a redirect", tt.line, tt.request)
		}
	}
}

func TestLineOfPackages(t *testing.T) {
	for _, purl := range []string{
		"pkg:npm/lodash@4.17.21", "pkg:npm/%40scope/x@1.0.0-rc.1%2Bbuild", "pkg:golang/github.com/example/app@v1.0.0",
		"pkg:deb/debian/curl@7.88?arch=amd64", "pkg:pypi/x@1%212.0", "pkg:npm/a%2Ab@1.0%2A",
	} {
		q := packageRequest(purl)
		if got := q.Line(); got != "- "+purl {
			t.Errorf("line %q, want the package", got)
		}
		p := mustParse(t, "allow:\n  "+q.Line())
		if d := decide(t, p, q); d.Action != policy.Allow {
			t.Errorf("%s does not allow itself: %+v", purl, d)
		}
		other := packageRequest(strings.Replace(purl, "@", "x@", 1))
		if d := decide(t, p, other); d.Action != policy.Deny {
			t.Errorf("%s allows %s", purl, other.Package)
		}
	}
	q := packageRequest("pkg:npm/lodash")
	q.Registry = ""
	if got, want := q.Line(), "- GET https://registry.example.org/x"; got != want {
		t.Errorf("unregistered: line %q, want %q", got, want)
	}
}

// FuzzLine checks that a request's line is one rule, allows the request, and
// nothing with another method, path, host or port.
func FuzzLine(f *testing.F) {
	f.Add("GET", "https", "ok.test", uint16(443), "/a:", "")
	f.Add("#", "http", "10.0.0.1", uint16(80), "/*", "pkg:npm/x@1")
	f.Add("A", "https", "ok.test", uint16(443), "/"+strings.Repeat("\xca", policy.MaxPattern/3+1), "")
	f.Add("", "tcp", "1_0.5e1", uint16(22), "", "pkg:a: b")
	f.Fuzz(func(t *testing.T, method, scheme, host string, port uint16, path, purl string) {
		r := canonicalRequest(method, scheme, host, port, path)
		if r == nil {
			return
		}
		line := r.Line()
		if line == "" {
			return
		}
		p, err := Parse("policy.yaml", []byte("version: 1\nallow:\n  "+line+"\n"))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if d := decide(t, p, r); d.Action != policy.Allow {
			t.Fatalf("%q does not allow %+v", line, r)
		}
		for _, change := range []func(*policy.Request){
			func(r *policy.Request) { r.Method += "X" },
			func(r *policy.Request) { r.Host = "x." + r.Host },
			func(r *policy.Request) { r.Port++ },
			func(r *policy.Request) { r.Path += "x" },
		} {
			other := *r
			if change(&other); r.Scheme == "tcp" && other.Port == r.Port && other.Host == r.Host || r.Method == "CONNECT" && other.Path != r.Path {
				continue
			}
			if d := decide(t, p, &other); d.Action != policy.Deny {
				t.Fatalf("%q allows %+v", line, other)
			}
		}
		// As a package, the line must at least not break out of its place.
		r.Package, r.Registry = purl, "https://registry.example.org/"
		doc := fmt.Sprintf("version: 1\nallow:\n  %s\n", r.Line())
		if p, err := Parse("policy.yaml", []byte(doc)); err == nil && p.index.size() != 1 {
			t.Fatalf("%q is %d rules", doc, p.index.size())
		}
	})
}
