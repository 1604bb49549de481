package allowlist

import (
	"context"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestVia asks about one URL, after redirects from elsewhere.
func TestVia(t *testing.T) {
	for _, tt := range []struct{ name, via, allowed, denied string }{
		{"a path", "https://f.test/a/**", "https://f.test/a/b https://f.test/a/b/c", "https://f.test/a https://f.test/ab https://f.test/b http://f.test/a/b https://f.test:8443/a/b https://g.f.test/a/b https://xf.test/a/b https://f.test.evil.test/a/b https://ok.test/https://f.test/a/b f.test/a/b https:///a/b https://f.test"},
		{"any path", "https://f.test", "https://f.test/ https://f.test/a/b", "http://f.test/ https://f.test:444/ https://evil.test/ https://f.test"},
		{"the root alone", "https://f.test/", "https://f.test/", "https://f.test/a"},
		{"an exact path", "https://f.test/a", "https://f.test/a", "https://f.test/a/ https://f.test/ab"},
		{"a star", "https://f.test/*/v1", "https://f.test/a/v1", "https://f.test/a/b/v1 https://f.test/a%2Fb/v1"},
		{"http at another port", "http://f.test:8080/a", "http://f.test:8080/a", "http://f.test/a https://f.test:8080/a http://f.test:80808/a"},
		{"its own port, written", "https://f.test:443/a", "https://f.test/a", "https://f.test:443/a"},
		{"an address", "https://[2001:db8::1]:8443/a", "https://[2001:db8::1]:8443/a", "https://[2001:db8::1]/a https://2001:db8::1:8443/a"},
		{"names below", "https://*.f.test/a", "https://g.f.test/a https://h.g.f.test/a", "https://f.test/a https://xf.test/a https://.f.test:1/a"},
		{"one of several", "[https://f.test/a, https://g.test/**]", "https://f.test/a https://g.test/b", "https://f.test/b https://h.test/a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := mustParse(t, "allow:\n  - {host: ok.test, via: "+quoteVia(tt.via)+"}\n")
			ask := func(via ...string) policy.Action {
				r := request(t, "https://ok.test/any/path?signature=x")
				r.Via = via
				return decide(t, p, r).Action
			}
			for from := range strings.FieldsSeq(tt.allowed) {
				if ask(from) != policy.Allow || ask("https://evil.test/", from) != policy.Allow {
					t.Errorf("a redirect from %s does not count", from)
				}
			}
			for from := range strings.FieldsSeq(tt.denied) {
				if ask(from) != policy.Deny || ask(from, from) != policy.Deny {
					t.Errorf("a redirect from %s counts", from)
				}
			}
			if ask() != policy.Deny {
				t.Error("a request that nothing redirected to is allowed")
			}
		})
	}
}

func quoteVia(text string) string {
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		return text
	}
	return "'" + text + "'"
}

// TestViaAndTheRest has a rule that asks for more than a redirect: the redirect
// stands for nothing but itself.
func TestViaAndTheRest(t *testing.T) {
	p := mustParse(t, `
allow:
  - {host: ok.test, via: 'https://f.test', paths: [/a/**], query: {q: x}}
log:
  - {host: logged.test, via: 'https://f.test', methods: [POST], schemes: [http], ports: [8080]}
deny:
  - {host: ok.test, paths: [/a/b]}
`)
	for _, tt := range []struct {
		request string
		want    policy.Action
	}{
		{"https://ok.test/a/x?q=x", policy.Allow},
		{"HEAD https://ok.test/a/x?q=x", policy.Allow},
		{"POST https://ok.test/a/x?q=x", policy.Deny},
		{"https://ok.test/b?q=x", policy.Deny},
		{"https://ok.test/a/x?q=y", policy.Deny},
		{"http://ok.test/a/x?q=x", policy.Deny},
		{"https://ok.test:8443/a/x?q=x", policy.Deny},
		{"wss://ok.test/a/x?q=x", policy.Deny},
		{"https://www.ok.test/a/x?q=x", policy.Deny},
		{"https://ok.test/a/b?q=x", policy.Deny},
		{"https://ok.test/a/x?q=x X-Http-Method-Override=PUT", policy.Deny},
		{"POST http://logged.test:8080/a", policy.Log},
		{"GET http://logged.test:8080/a", policy.Deny},
		{"CONNECT https://ok.test", policy.Deny},
		{"tcp://ok.test:443", policy.Deny},
	} {
		r := request(t, tt.request)
		r.Via = []string{"https://f.test/x"}
		if got := decide(t, p, r).Action; got != tt.want {
			t.Errorf("%s: %v, want %v", tt.request, got, tt.want)
		}
	}
}

func TestViaReason(t *testing.T) {
	p := mustParse(t, "allow:\n  - {host: ok.test, via: ['https://f.test/a/**', 'https://f.test/b']}\n")
	r := request(t, "https://ok.test/")
	if got, want := decide(t, p, r).Reason, "no rule matches: policy.yaml:3 has this host, but only for a redirect from https://f.test/a/** or https://f.test/b, and none led to exactly this URL"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
	r.Via = []string{"https://evil.test/\x1b"}
	if got, want := decide(t, p, r).Reason, "no rule matches: policy.yaml:3 has this host, but only for a redirect from https://f.test/a/** or https://f.test/b, not from https://evil.test/U+001B"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

func TestViaAllocatesNothing(t *testing.T) {
	p := mustParse(t, "allow:\n  - {host: ok.test, via: ['https://f.test/a/**', 'https://*.g.test:8443/*/x']}\n")
	r := request(t, "https://ok.test/a?b=c")
	r.Via = []string{"https://evil.test/", "https://h.g.test:8443/y/x"}
	if n := testing.AllocsPerRun(100, func() { _, _ = p.Decide(context.Background(), r) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
