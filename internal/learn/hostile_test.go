package learn

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// checkText asserts that nothing in a policy could be acted on by a terminal, an
// editor or a reviewer's eye.
func checkText(t testing.TB, text string) {
	t.Helper()
	for i := range len(text) {
		if c := text[i]; c != '\n' && (c < ' ' || c > '~') {
			t.Fatalf("byte %#x at %d in:\n%s", c, i, text)
		}
	}
	for line := range strings.Lines(text) {
		if strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") {
			t.Fatalf("trailing space in %q", line)
		}
	}
}

// TestHostileEvents: whatever an event says, the policy stays the policy.
func TestHostileEvents(t *testing.T) {
	const inject = "\n  - host: injected.example.org\n"
	base := request("GET", "https://ok.example.org/a")
	for _, tc := range []struct {
		name   string
		change func(*enforce.Event)
	}{
		{"newline in host", func(e *enforce.Event) { e.Host = "ok.example.org" + inject }},
		{"newline in path", func(e *enforce.Event) { e.Path = "/" + inject }},
		{"newline in method", func(e *enforce.Event) { e.Method = "GET" + inject }},
		{"newline in scheme", func(e *enforce.Event) { e.Scheme = "https" + inject }},
		{"newline in reason", func(e *enforce.Event) { e.Blocked, e.Reason = true, "x"+inject }},
		{"newline in error", func(e *enforce.Event) { e.Stage, e.Status, e.Error = enforce.StageResponse, 502, "x"+inject }},
		{"escape in host", func(e *enforce.Event) { e.Host = "ok\x1b[2J.example.org" }},
		{"bidi in path", func(e *enforce.Event) { e.Path = "/\u202e" }},
		{"NEL in reason", func(e *enforce.Event) { e.Blocked, e.Reason = true, "x\u0085- pkg:npm/evil\u2028x" }},
		{"broken UTF-8", func(e *enforce.Event) { e.Path = "/\xff\xfe" }},
		{"comment in host", func(e *enforce.Event) { e.Host = "a #b" }},
		{"wildcard host", func(e *enforce.Event) { e.Host = "*.example.org" }},
		{"wildcard path", func(e *enforce.Event) { e.Path = "/**" }},
		{"capital host", func(e *enforce.Event) { e.Host = "OK.example.org" }},
		{"dot segment", func(e *enforce.Event) { e.Path = "/a/../b" }},
		{"private-use character", func(e *enforce.Event) { e.Path = "/%EE%80%80" }},
		{"long path", func(e *enforce.Event) { e.Path = "/" + strings.Repeat("x", 4096) }},
		{"many secrets", func(e *enforce.Event) { e.Path = strings.Repeat("/0123456789abcdef0123456789abcdef", 17) }},
		{"no path", func(e *enforce.Event) { e.Path = "" }},
		{"lower-case method", func(e *enforce.Event) { e.Method = "get" }},
		{"no method", func(e *enforce.Event) { e.Method = "" }},
		{"unknown scheme", func(e *enforce.Event) { e.Scheme, e.Port = "ftp", 21 }},
		{"no host", func(e *enforce.Event) { e.Host = "" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ev := base
			tc.change(&ev)
			text := learned(t, Options{Command: []string{"x" + inject, "\x1b[2J"}, Version: "1" + inject}, []enforce.Event{ev})
			checkText(t, text)
			enforced(t, text)
			var doc struct {
				Allow []any `yaml:"allow"`
			}
			if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
				t.Fatal(err)
			}
			if len(doc.Allow) != 0 {
				t.Fatalf("learned:\n%s", text)
			}
		})
	}
}

// TestAwkwardNames: names that YAML would take for something else are learned as
// themselves.
func TestAwkwardNames(t *testing.T) {
	for _, raw := range []string{
		"https://null/a", "https://true/a", "https://no/a", "https://1.e3/a", "https://a.e3/a", "https://0x.b/a",
		"https://xn--bcher-kva.example/a", "https://_dmarc.example.org/a", "https://localhost/a",
		"https://ok.example.org/a:", "https://ok.example.org/:", "https://ok.example.org/%23", "https://ok.example.org/'a'",
		"https://ok.example.org/!a", "https://ok.example.org/&a", "https://ok.example.org/%2A", "https://ok.example.org/a,b",
		"https://ok.example.org/%5Ba%5D", "https://ok.example.org/a%2Fb", "https://ok.example.org/%22", "https://ok.example.org/a;b=c",
		"https://ok.example.org//", "https://ok.example.org/a%20b", "https://ok.example.org/-%20x", "https://[2001:4860::1]/a",
	} {
		t.Run(raw, func(t *testing.T) {
			text := learned(t, Options{}, get(raw))
			checkText(t, text)
			p, r := enforced(t, text)
			if d := ask(t, p, r, request("GET", raw)); d.Action != policy.Allow {
				t.Errorf("%v (%s):\n%s", d.Action, d.Reason, text)
			}
			if d := ask(t, p, r, request("GET", raw+"x")); d.Action != policy.Deny {
				t.Errorf("longer path: %v:\n%s", d.Action, text)
			}
		})
	}
}

// TestUnusualMethod: methods that YAML 1.1 takes for booleans.
func TestUnusualMethod(t *testing.T) {
	for _, method := range []string{"NO", "ON", "Y", "PROPFIND", "M-SEARCH", "BASELINE_CONTROL"} {
		events := exchange(method, "https://ok.example.org/a", 200)
		p, r := enforced(t, learned(t, Options{}, events))
		if d := ask(t, p, r, events[0]); d.Action != policy.Allow {
			t.Errorf("%s: %v (%s)", method, d.Action, d.Reason)
		}
		if d := ask(t, p, r, request("GET", "https://ok.example.org/a")); d.Action != policy.Deny {
			t.Errorf("%s let GET in", method)
		}
	}
}

func FuzzScalar(f *testing.F) {
	for _, s := range []string{"", "a", "null", "a: b", "a #b", "\"", "\\", "- x", "*a", "/a:", "1e3", "\u0085", "\U0001f600", "pkg:npm/a@1", "NO"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		docs := []string{"- " + scalar(s) + "  # x\n"}
		if isMethod(s) || !isPlainScalar(s) {
			docs = append(docs, "["+scalar(s)+", "+scalar(s)+"]\n")
		}
		for _, doc := range docs {
			var nodes []yaml.Node
			if err := yaml.Unmarshal([]byte(doc), &nodes); err != nil {
				t.Fatalf("%q: %v", doc, err)
			}
			if n := nodes[0]; n.Value != s || n.ShortTag() != "!!str" {
				t.Fatalf("%q read back as %s %q", s, n.ShortTag(), n.Value)
			}
		}
	})
}

// FuzzLearn: any events leave a policy that reads back, says nothing but
// printable ASCII, and allows each event that is learned.
func FuzzLearn(f *testing.F) {
	f.Add("GET", "https", "npm.example.org", uint16(443), "/a/-/a-1.0.0.tgz", "/a/-/a-1.0.1.tgz", "", "node", 200, "", "10.0.0.1:443")
	f.Add("POST", "http", "null", uint16(80), "/a:", "/b", "", "x\n- y", 500, "x\n- y", "")
	f.Add("", "tcp", "a.b", uint16(22), "", "", "", "", 0, "", "169.254.169.254:22")
	f.Add("CONNECT", "https", "1.e3", uint16(8443), "", "", "", "", 0, "", "")
	f.Add("GET", "wss", "2001:db8::1", uint16(443), "/AKIAABCDEFGHIJKLMNOP", "/1", "", "", 101, "", "[::1]:443")
	f.Add("GET", "https", "build.example.org", uint16(443), "/t/1.2.3/cc-1.2.3-20261124.tgz", "/t/1.2.4/cc-v1.2.4+7-20261123.tgz", "", "curl; review: x", 200, "", "")
	f.Add("GET", "https", "git.example.org", uint16(443), "/o/r.git/info/refs", "/o/r2/info/refs", "service=git-upload-pack", "git", 200, "", "")
	f.Add("GET", "https", "github.com", uint16(443), "/o/r/releases/download/v1/x", "/o/r/archive/v1.2.3-4.5.tar.gz", "", "git", 200, "", "")
	f.Add("GET", "https", "ghe.example.org", uint16(443), "/api/v3/repos/o/r/releases/tags/v1", "/g/p/-/archive/v1.2/p-1.2.tgz", "", "git", 200, "", "")
	f.Fuzz(func(t *testing.T, method, scheme, host string, port uint16, path, path2, query, exe string, status int, why, address string) {
		l := New(Options{Command: []string{host, path}, Version: method})
		var opened []enforce.Event
		for i, path := range []string{path, path2} {
			open := enforce.Event{Stage: enforce.StageRequest, Action: policy.Log, Method: method, Scheme: scheme, Host: host, Port: port, Path: path}
			open.URL, open.Process = "https://x/"+"?"+query, &policy.Process{Exe: exe}
			switch {
			case scheme == "tcp":
				open.Stage = enforce.StageTCP
			case method == "CONNECT":
				open.Stage = enforce.StageConnect
			}
			end := open
			end.Stage, end.Status, end.Error, end.Address = enforce.StageResponse, status, why, address
			if i > 0 {
				l.NextRun()
			}
			_, _ = l.Record(open), l.Record(end)
			opened = append(opened, open)
		}
		var b bytes.Buffer
		if err := l.WritePolicy(&b); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		checkText(t, text)
		p, r := enforced(t, text)
		none := true
		for _, open := range opened {
			k, ok := keyOf(&open)
			if !ok || !l.judge(k, l.flows[k]).learned {
				continue
			}
			none = false
			again := enforce.Event{Method: k.method, Scheme: k.scheme, Host: k.host, Port: k.port, Path: k.path, URL: open.URL}
			if d := ask(t, p, r, again); d.Action != policy.Allow {
				t.Fatalf("%v (%s):\n%s", d.Action, d.Reason, text)
			}
		}
		if none && !strings.Contains(text, "\nallow: []\n") {
			t.Fatalf("learned:\n%s", text)
		}
	})
}
