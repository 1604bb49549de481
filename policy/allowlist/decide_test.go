package allowlist

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// mustParse returns the policy of doc, to which the version is added.
func mustParse(t testing.TB, doc string) *Policy {
	t.Helper()
	p, err := Parse("policy.yaml", []byte("version: 1\n"+doc))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, doc)
	}
	return p
}

// request reads "METHOD URL [Header[=value]]...", or "tcp://host:port". An empty
// method is GET, an empty value x. The path is canonicalised, as the proxy does.
func request(t testing.TB, line string) *policy.Request {
	t.Helper()
	words := strings.Fields(line)
	if strings.Contains(words[0], "://") {
		words = append([]string{"GET"}, words...)
	}
	scheme, rest, _ := strings.Cut(words[1], "://")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	host, port, err := hostname.ParseAuthority(authority)
	if err != nil {
		t.Fatal(err)
	}
	if port == 0 {
		port = policy.DefaultPort(scheme)
	}
	r := &policy.Request{Method: words[0], Scheme: scheme, Host: host, Port: port, Query: query, Header: map[string][]string{"Accept": {"*/*"}}}
	for _, h := range words[2:] {
		name, value, ok := strings.Cut(h, "=")
		if !ok {
			value = "x"
		}
		r.Header[name] = append(r.Header[name], value)
	}
	switch {
	case scheme == "tcp":
		r.Method = ""
	case r.Method != "CONNECT":
		if r.Path, err = policy.CanonicalPath(path); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func decide(t testing.TB, p *Policy, r *policy.Request) policy.Decision {
	t.Helper()
	d, err := p.Decide(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDecide runs requests against small policies. Each line of requests is the
// action wanted and a request.
func TestDecide(t *testing.T) {
	for _, tt := range []struct{ name, doc, requests string }{
		{"nothing but a version denies", "", `
			deny https://ok.test/`},
		{"defaults of allow", "allow: [{host: ok.test}]", `
			allow https://ok.test/
			allow https://ok.test/any/path
			allow HEAD https://ok.test/
			deny get https://ok.test/
			deny POST https://ok.test/
			deny http://ok.test/
			deny https://ok.test:8443/
			deny http://ok.test:443/
			deny wss://ok.test/
			deny tcp://ok.test:443
			deny ftp://ok.test:443/
			deny https://www.ok.test/
			deny https://evilok.test/
			deny https://ok.test.evil.test/
			deny https://ok/`},
		{"defaults of log", "log: [{host: ok.test}]", `
			log https://ok.test/
			deny POST https://ok.test/`},
		{"defaults of deny", "default: allow\ndeny: [{host: evil.test}]", `
			deny https://evil.test/
			deny DELETE http://evil.test:81/x
			deny wss://evil.test/
			deny tcp://evil.test:22
			deny ftp://evil.test:21/
			allow https://www.evil.test/
			allow https://ok.test/`},
		{"default log", "default: log", `
			log POST http://ok.test/`},
		{"wildcard", "allow: ['https://*.ok.test']", `
			allow https://a.ok.test/
			allow https://a.b.ok.test/
			deny https://ok.test/
			deny https://aok.test/
			deny https://a.ok.test.evil.test/`},
		{"wildcard below an exact host", "allow: ['https://*.ok.test/a', 'https://x.ok.test/b']", `
			allow https://x.ok.test/a
			allow https://x.ok.test/b
			deny https://y.ok.test/b`},
		{"addresses", "allow: ['https://192.0.2.1', 'https://[2001:db8::1]:8443', {host: '2001:db8::2'}]", `
			allow https://192.0.2.1/
			allow https://[2001:db8::1]:8443/
			allow https://[2001:db8::2]/
			allow https://[::ffff:192.0.2.1]/
			deny https://192.0.2.10/
			deny https://[2001:db8::1]/`},
		{"methods", "allow: [{host: ok.test, methods: [POST, M-SEARCH]}]", `
			allow POST https://ok.test/
			allow M-SEARCH https://ok.test/
			deny post https://ok.test/
			deny https://ok.test/`},
		{"methods under deny, in any case", "default: allow\ndeny: [{host: ok.test, methods: [DELETE]}]", `
			deny DELETE https://ok.test/
			deny delete https://ok.test/
			allow https://ok.test/
			deny tcp://ok.test:22`},
		{"raw bytes in which what is denied could be", "allow: ['tcp://a.test:443', 'tcp://a.test:22', 'tcp://b.test:443', 'tcp://b.test:8443', 'tcp://b.test:22', 'tcp://c.test:80', 'tcp://c.test:81', 'tcp://d.test:22', 'tcp://*.d.test:22']\ndeny: [{host: a.test, methods: [PUT]}, {host: b.test, schemes: [https]}, {host: b.test, schemes: [ws], ports: [8443]}, 'http://c.test/x', {host: '*.d.test', query: {a: b}}]", `
			deny tcp://a.test:443
			deny tcp://a.test:22
			deny tcp://b.test:443
			deny tcp://b.test:8443
			allow tcp://b.test:22
			deny tcp://c.test:80
			allow tcp://c.test:81
			allow tcp://d.test:22
			deny tcp://a.d.test:22`},
		{"ports", "allow: [{host: ok.test, ports: [8443, 443]}]", `
			allow https://ok.test/
			allow https://ok.test:8443/
			deny https://ok.test:8444/`},
		{"ports under deny", "default: allow\ndeny: [{host: ok.test, ports: [8443]}, 'https://h.test/x']", `
			deny http://ok.test:8443/
			deny tcp://ok.test:8443
			allow https://ok.test/
			deny https://h.test:8443/x
			allow http://h.test/x`},
		{"schemes", "allow: [{host: ok.test, schemes: [http, wss]}, 'ws://ok.test:81']", `
			allow http://ok.test/
			allow wss://ok.test/
			allow ws://ok.test:81/
			allow HEAD http://ok.test/
			deny HEAD wss://ok.test/
			deny ws://ok.test/
			deny https://ok.test/`},
		{"tcp", "allow: [{host: ok.test, schemes: [tcp], ports: [22, 5432]}, 'tcp://db.test:6379']", `
			allow tcp://ok.test:22
			allow tcp://ok.test:5432
			allow tcp://db.test:6379
			deny tcp://ok.test:23
			deny https://ok.test:22/
			deny CONNECT https://ok.test:22`},
		{"deny beats allow beats log", "allow: ['https://ok.test', 'https://b.test/**']\nlog: ['https://ok.test', 'https://b.test', 'https://c.test']\ndeny: ['https://ok.test/secret/**', 'https://b.test/x']", `
			allow https://ok.test/
			deny https://ok.test/secret/x
			deny https://b.test/x
			allow https://b.test/y
			log https://c.test/`},
		{"one line, several methods", "allow: ['GET,POST https://ok.test:8443/x', 'https://ok.test/']", `
			allow https://ok.test:8443/x
			allow POST https://ok.test:8443/x
			deny HEAD https://ok.test:8443/x
			deny https://ok.test/x
			allow https://ok.test/
			allow HEAD https://ok.test/`},
		{"unregistered package is nothing", "allow: ['pkg:npm/x']", `
			deny https://npm.example.org/x`},
	} {
		t.Run(tt.name, func(t *testing.T) { checkRequests(t, mustParse(t, tt.doc), tt.requests) })
	}
}

// checkRequests checks lines of an action and a request.
func checkRequests(t *testing.T, p *Policy, lines string) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		want, req, _ := strings.Cut(strings.TrimSpace(line), " ")
		d := decide(t, p, request(t, req))
		if d.Action.String() != want {
			t.Errorf("%s: %s (%s, %s), want %s", req, d.Action, d.Rule, d.Reason, want)
		}
		if d.Default != (d.Rule == "") || d.Reason == "" {
			t.Errorf("%s: %+v: a rule, or the default, and always a reason", req, d)
		}
		// Raw bytes pass by a word of their own; requests never pass unread.
		if raw := strings.HasPrefix(req, "tcp:") && d.Action != policy.Deny; d.Passthrough != raw {
			t.Errorf("%s: passthrough %v, want %v", req, d.Passthrough, raw)
		}
	}
}

// TestPaths checks patterns against paths, as allow and as deny rules.
func TestPaths(t *testing.T) {
	for _, tt := range []struct{ pattern, path, allow, deny string }{
		{"/a", "/a", "yes", "yes"},
		{"/a", "/a/", "no", "yes"},
		{"/a", "//a", "no", "yes"},
		{"/a", "/a;v=1", "no", "yes"},
		{"/a", "/a%3Bv=1", "no", "yes"},
		{"/a", "/a%2F", "no", "yes"},
		{"/a", "/%61", "yes", "yes"},
		{"/a", "/A", "no", "yes"},
		{"/a", "/%41", "no", "yes"},
		{"/a", "/%2541", "no", "yes"},
		{"/repos/Acme/**", "/REPOS/acme/x", "no", "yes"},
		{"/repos/acme/*/y", "/repos/ACME/X/Y/", "no", "yes"},
		{"/%C3%89", "/%C3%A9", "no", "no"},
		{"/a/{sha}", "/A/" + strings.Repeat("AB", 20), "no", "yes"},
		{"/a", "/a/b", "no", "no"},
		{"/a", "/ab", "no", "no"},
		{"/%61", "/a", "yes", "yes"},
		{"/a/", "/a", "no", "yes"},
		{"/", "/", "yes", "yes"},
		{"/", "//", "no", "yes"},
		{"/", "/a", "no", "no"},
		{"/a/*", "/a/b", "yes", "yes"},
		{"/a/*", "/a/", "yes", "yes"},
		{"/a/*", "/a", "no", "no"},
		{"/a/*", "/a/b/c", "no", "no"},
		{"/a/*", "/a/b%2Fc", "no", "no"},
		{"/a/*", "/a//b", "no", "yes"},
		{"/a/**", "/a/b/c", "yes", "yes"},
		{"/a/**", "/a/b%2Fc", "yes", "yes"},
		{"/a/**", "/a/", "yes", "yes"},
		{"/a/**", "/a", "no", "no"},
		{"/a/**", "/ab", "no", "no"},
		{"/a/**", "/x/a/b", "no", "no"},
		{"/a/**", "/a%2Fb", "no", "yes"},
		{"/a/**", "//a//b", "no", "yes"},
		{"/a/**", "/a;x/b", "no", "yes"},
		{"/a/**", "/a%252Fb", "no", "yes"},
		{"/a/**", "/%2561/b", "no", "yes"},
		{"/a/**", "/%2561/b%25zz", "no", "yes"},
		{"/repo", "/repository", "no", "no"},
		{"/tools/cc-*.tgz", "/tools/cc-1.2.tgz", "yes", "yes"},
		{"/tools/cc-*.tgz", "/tools/cc-.tgz", "yes", "yes"},
		{"/tools/cc-*.tgz", "/tools/cc-1/x.tgz", "no", "no"},
		{"/tools/cc-*.tgz", "/tools/cc-1.tgz.sig", "no", "no"},
		{"/@s%2fn", "/@s%2Fn", "yes", "yes"},
		{"/@s%2fn", "/@s/n", "no", "yes"},
		{"/@s/n", "/%40s%2Fn", "no", "yes"},
		{"/a*2Fb", "/a%2Fb", "no", "no"},
		{"/a*b", "/a%2Fb", "no", "no"},
		{"/a*b", "/a%20b", "yes", "yes"},
		{"/a*0b", "/a%20b", "no", "no"},
		{"/a%2Ab", "/a*b", "yes", "yes"},
		{"/a%2Ab", "/axb", "no", "no"},
		{"/a b", "/a%20b", "yes", "yes"},
		{"/é", "/%C3%A9", "yes", "yes"},
		{"/**/x/*/y", "/1/2/x/3/y", "yes", "yes"},
		{"/**/x/*/y", "/1/x/2/x/3/y", "yes", "yes"},
		{"/**/x/*/y", "/1/x/2/3/y", "no", "no"},
		{"/*/b*c", "/a/bcbc", "yes", "yes"},
		{"/a;v=1/b", "/a;v=1/b", "yes", "yes"},
		{"/a;v=1/b", "/a;v=1%2Fb", "no", "yes"},
		{"/a;v=1/b", "/a/b", "no", "no"},
	} {
		t.Run(tt.pattern+" "+tt.path, func(t *testing.T) {
			q := request(t, "https://ok.test"+tt.path)
			allow := mustParse(t, fmt.Sprintf("allow: [{host: ok.test, paths: [%q]}]", tt.pattern))
			if got := decide(t, allow, q).Action == policy.Allow; got != (tt.allow == "yes") {
				t.Errorf("allow %s matches %s: %v", tt.pattern, tt.path, got)
			}
			deny := mustParse(t, fmt.Sprintf("default: allow\ndeny: [{host: ok.test, paths: [%q]}]", tt.pattern))
			if got := decide(t, deny, q).Action == policy.Deny; got != (tt.deny == "yes") {
				t.Errorf("deny %s matches %s: %v", tt.pattern, tt.path, got)
			}
		})
	}
}

func TestOverrideHeaders(t *testing.T) {
	allow := mustParse(t, "allow: [{host: ok.test}]\nlog: [{host: log.test, paths: [/x]}]")
	deny := mustParse(t, "default: allow\ndeny: [{host: ok.test, methods: [DELETE]}, {host: b.test, paths: [/admin]}, {host: b.test, methods: [PUT], paths: [/c]}]")
	for _, header := range []string{
		"X-Http-Method-Override", "X-HTTP-Method-Override", "x-http-method-override", "X_http_method_override",
		"X-Http-Method", "X-Method-Override",
	} {
		checkRequests(t, allow, "deny https://ok.test/ "+header+"\ndeny https://log.test/x "+header)
		checkRequests(t, deny, "deny POST https://ok.test/ "+header+"\nallow https://b.test/x "+header+"\ndeny https://b.test/c "+header)
	}
	for _, header := range []string{"X-Original-Url", "X-Rewrite-Url", "X-Original-URL"} {
		checkRequests(t, allow, "deny https://ok.test/ "+header)
		checkRequests(t, deny, "deny POST https://b.test/x "+header+"\nallow https://ok.test/ "+header+"\ndeny PUT https://b.test/ "+header)
	}
	checkRequests(t, allow, "allow https://ok.test/ X-Request-Id X-Original-Path X-Http")
	d := decide(t, allow, request(t, "https://ok.test/ X-Original-Url"))
	if want := "no rule matches: policy.yaml:2 would, but for the header X-Original-Url"; d.Reason != want {
		t.Errorf("reason %q, want %q", d.Reason, want)
	}
}

// TestMethodInQuery: of a POST, some servers take the method from the query. It is in
// no allow rule that does not list that parameter, and in every deny rule.
func TestMethodInQuery(t *testing.T) {
	allow := mustParse(t, `
allow:
  - {host: ok.test, methods: [GET, POST, PUT]}
  - {host: star.test, methods: [POST], query: {"*": "*"}}
  - {host: meant.test, methods: [POST], query: {_method: put, "*": "*"}}
log: [{host: log.test, methods: [POST]}]`)
	deny := mustParse(t, "default: allow\ndeny: [{host: ok.test, methods: [DELETE]}, {host: any.test, paths: [/x]}]")
	for _, query := range []string{
		"_method=DELETE", "a=b&_method=DELETE", "_method", "_METHOD=delete", "_method[]=DELETE", "%5fmethod=DELETE",
		"%255Fmethod=DELETE", ".method=DELETE", "+_method=DELETE", "_method%00=DELETE", "a=b;_method=DELETE", "&&_method=&",
	} {
		checkRequests(t, allow, "deny POST https://ok.test/?"+query+"\ndeny POST https://star.test/?"+query+"\ndeny POST https://log.test/?"+query+
			"\nallow https://ok.test/?"+query+"\nallow PUT https://ok.test/?"+query)
		checkRequests(t, deny, "deny POST https://ok.test/?"+query+"\ndeny post https://ok.test/?"+query+"\nallow PUT https://ok.test/?"+query+"\nallow POST https://any.test/?"+query)
	}
	for _, query := range []string{"", "method=DELETE", "_methods=DELETE", "a=_method", "x_method=DELETE", "a[_method]=DELETE"} {
		checkRequests(t, allow, "allow POST https://ok.test/?"+query+"\nallow POST https://star.test/?"+query+"\nlog POST https://log.test/?"+query)
		checkRequests(t, deny, "allow POST https://ok.test/?"+query)
	}
	checkRequests(t, allow, "allow POST https://meant.test/?_method=put\nallow POST https://meant.test/?a=b&_method=put\ndeny POST https://meant.test/?_method=delete\ndeny POST https://meant.test/?_method=put&.method=delete")
	d := decide(t, allow, request(t, "POST https://ok.test/?_method=DELETE"))
	if want := "no rule matches: policy.yaml:4 has this host, but the query names a method (_method), which servers may take for that of a POST: a rule that means it lists it under query"; d.Reason != want {
		t.Errorf("reason %q, want %q", d.Reason, want)
	}
}

func TestPassthrough(t *testing.T) {
	const doc = `
allow:
  - {host: pin.test, tls: passthrough}
  - {host: '*.pin.test', tls: passthrough, ports: [8443], networks: [10.0.0.0/8]}
  - {host: ok.test}
  - {host: unseen.test, tls: passthrough}
  - {host: gone.test, tls: passthrough}
  - {host: plain.test, tls: passthrough}
log:
  - {host: log.test, tls: passthrough}
deny:
  - {host: unseen.test, methods: [PUT]}
  - {host: gone.test}
  - {host: plain.test, schemes: [http]}
`
	for _, tt := range []struct {
		request string
		action  policy.Action
		pass    bool
	}{
		{"CONNECT https://pin.test", policy.Allow, true},
		{"CONNECT https://a.pin.test:8443", policy.Allow, true},
		{"CONNECT https://log.test", policy.Log, true},
		{"CONNECT https://plain.test", policy.Allow, true},
		{"CONNECT https://pin.test X-Original-Url", policy.Allow, true},
		{"CONNECT https://pin.test:8443", policy.Deny, false},
		{"CONNECT http://pin.test:443", policy.Deny, false},
		{"CONNECT https://a.pin.test", policy.Deny, false},
		{"CONNECT https://ok.test", policy.Deny, false},
		{"CONNECT https://other.test", policy.Deny, false},
		{"CONNECT https://unseen.test", policy.Deny, false},
		{"CONNECT https://gone.test", policy.Deny, false},
		{"https://pin.test/", policy.Deny, false},
		{"http://pin.test:443/", policy.Deny, false},
		{"tcp://pin.test:443", policy.Deny, false},
	} {
		d := decide(t, mustParse(t, doc), request(t, tt.request))
		if d.Action != tt.action || d.Passthrough != tt.pass {
			t.Errorf("%s: %+v, want %v, passthrough %v", tt.request, d, tt.action, tt.pass)
		}
		// A default that allows lets raw bytes pass, but no TLS unread.
		raw := strings.HasPrefix(tt.request, "tcp:")
		if open := decide(t, mustParse(t, "default: allow"+doc), request(t, tt.request)); open.Passthrough != (tt.pass || raw) {
			t.Errorf("%s, default allow: %+v, want passthrough %v", tt.request, open, tt.pass)
		}
	}
	d := decide(t, mustParse(t, "default: allow"+doc), request(t, "CONNECT https://ok.test"))
	if want := (policy.Decision{Action: policy.Allow, Default: true, Reason: "no rule matches"}); !cmp.Equal(d, want) {
		t.Errorf("%+v, want %+v", d, want)
	}
	if d := decide(t, mustParse(t, doc), request(t, "CONNECT https://gone.test")); d.Rule != "policy.yaml:14" || d.Default {
		t.Errorf("%+v, want the deny rule", d)
	}
}

func TestDecisionFields(t *testing.T) {
	p := mustParse(t, `
allow:
  - host: ok.test
    networks: [10.0.0.0/8]
    reason: the build cache
  - {host: '*.ok.test', networks: [fd00::/8]}
  - {host: a.ok.test, networks: [10.0.0.0/8]}
  - {host: b.ok.test}
log: [{host: ok.test, networks: [192.168.0.0/16], reason: x}]
deny: [{host: evil.test}]
`)
	for _, tt := range []struct{ request, rule, reason, networks string }{
		{"https://ok.test/", "policy.yaml:4", "the build cache", "[10.0.0.0/8]"},
		{"https://c.ok.test/", "policy.yaml:7", "allowed by rule", "[fd00::/8]"},
		{"https://a.ok.test/", "policy.yaml:7", "allowed by rule", "[10.0.0.0/8 fd00::/8]"},
		{"https://b.ok.test/", "policy.yaml:7", "allowed by rule", "[fd00::/8]"},
		{"https://evil.test/", "policy.yaml:11", "denied by rule", "[]"},
		{"https://nowhere.test/", "", "no rule matches", "[]"},
		{"POST https://ok.test/", "", "no rule matches: policy.yaml:4 has this host, but not this method", "[]"},
		{"http://ok.test/", "", "no rule matches: policy.yaml:4 has this host, but not this scheme", "[]"},
		{"https://ok.test:444/", "", "no rule matches: policy.yaml:4 has this host, but not this port", "[]"},
	} {
		d := decide(t, p, request(t, tt.request))
		if d.Rule != tt.rule || d.Reason != tt.reason || fmt.Sprint(d.Networks) != tt.networks {
			t.Errorf("%s: %q %q %v, want %q %q %v", tt.request, d.Rule, d.Reason, d.Networks, tt.rule, tt.reason, tt.networks)
		}
	}
}

func TestNearestPath(t *testing.T) {
	p := mustParse(t, "allow:\n  - POST https://ok.test/a\n  - https://ok.test/b\n  - {host: pin.test, tls: passthrough}")
	for request_, want := range map[string]string{
		"https://ok.test/c":        "no rule matches: policy.yaml:4 has this host, but not this path",
		"POST https://ok.test/c":   "no rule matches: policy.yaml:3 has this host, but not this path",
		"DELETE https://ok.test/c": "no rule matches: policy.yaml:3 has this host, but not this method",
		"https://pin.test/":        "no rule matches: policy.yaml:5 lets this host pass undecrypted only",
	} {
		if got := decide(t, p, request(t, request_)).Reason; got != want {
			t.Errorf("%s: %q, want %q", request_, got, want)
		}
	}
}

func TestZeroPolicyDenies(t *testing.T) {
	for name, p := range map[string]*Policy{"nil": nil, "zero": {}} {
		if d := decide(t, p, request(t, "https://ok.test/")); d.Action != policy.Deny || d.Reason == "" {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if d := decide(t, &Policy{}, nil); d.Action != policy.Deny {
		t.Errorf("no request: %+v", d)
	}
}

// TestSlowPatterns checks that a path made to be slow is decided, and against
// the client, in a bounded number of steps.
func TestSlowPatterns(t *testing.T) {
	slow := "https://ok.test/" + strings.Repeat("a", 1<<16) + "/b"
	pattern := "/**a*a*a*a*c*/b"
	allow := mustParse(t, "allow: [{host: ok.test, paths: ["+pattern+"]}]")
	checkRequests(t, allow, "deny "+slow)
	deny := mustParse(t, "default: allow\ndeny: [{host: ok.test, paths: ["+pattern+"]}]")
	checkRequests(t, deny, "deny "+slow)
	checkRequests(t, deny, "allow https://ok.test/aaaa/b")
}
