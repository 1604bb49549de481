package allowlist

import (
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestQuery runs queries against a condition, as an allow rule and as a deny
// rule: each line has what the two say about it. The query is the whole line, and
// may be empty.
func TestQuery(t *testing.T) {
	for _, tt := range []struct{ condition, queries string }{
		{"{}", `
			yes -
			no  - a=1
			no  - a
			yes - &`},
		{"{service: git-upload-pack}", `
			yes yes service=git-upload-pack
			yes yes &service=git-upload-pack&
			yes yes service=git%2Dupload-pack
			yes yes %73ervice=git-upload-pack
			no  no
			no  no  service=git-receive-pack
			no  no  service
			no  yes service=git-upload-pack&service=git-receive-pack
			no  yes service=git-receive-pack&service=git-upload-pack
			no  yes service=git-upload-pack&x=1
			no  yes service=git-upload-pack&x
			no  yes SERVICE=git-upload-pack
			no  yes service=GIT-upload-pack
			no  yes service=git%252Dupload-pack
			no  yes service=git-upload-pack;x=1
			no  yes service=git-upload-pack&x=%zz
			no  yes x=%
			no  no  service=xgit-upload-pack
			no  no  service=git-upload-packx
			no  no  xservice=git-upload-pack`},
		{"{admin: '1'}", `
			no  yes admin[]=1
			no  yes ADMIN%5B0%5D=1
			no  yes admin[=1
			no  yes +admin=1
			no  yes %20admin=1
			no  yes admin%00x=1
			no  no  x[admin]=1
			no  no  admin[]=2
			no  no  []=1`},
		{"{a: [x, y*], 'b?': '*'}", `
			yes - a=x
			yes - a=yes&b=1
			yes - a=x&a=y&b=&b=2
			no  - a=z
			no  - a=x&a=z
			no  - b=1
			no  - a=x&c=1`},
		{"{a: [x, y*], b: '*'}", `
			yes yes a=x&b=1
			yes yes b&a=y
			no  no  a=x
			no  no  b=1
			no  yes a=z&a=x&b=1`},
		{"{a: x, '*': ['', 1*]}", `
			yes yes a=x&z=1
			yes yes a=x&b=&z=12
			no  yes a=x&b=&z=2
			yes no  a=x
			no  no  z=1
			no  yes a=x&z=2&y=1`},
		{"{'*': '*token*'}", `
			yes no
			yes yes x=a-token-b
			no  yes x=a-token-b&y=1
			yes yes x=a-%74oken
			no  yes X=TOKEN&y=
			no  no  token=1`},
		{"{q: 'a b%2Ac%25'}", `
			yes yes q=a%20b*c%25
			yes yes q=a+b%2Ac%25
			no  no  q=a%20bxc%25`},
		{"{q: 'a%2Bb'}", `
			yes yes q=a%2Bb
			no  yes q=a+b
			no  yes q=a%252Bb`},
		{"{'filter[x]': '[1]', é: É}", `
			yes yes filter[x]=[1]&é=É
			yes yes filter%5Bx%5D=%5B1%5D&%C3%A9=%C3%89
			no  yes filter[X]=[1]&%C3%89=%C3%A9`},
		{"{q: ''}", `
			yes yes q=
			yes yes q
			no  no  q=1`},
	} {
		for line := range strings.Lines(strings.TrimSpace(tt.queries)) {
			words := append(strings.Fields(line), "", "", "")
			q := request(t, "https://ok.test/a")
			q.Query = words[2]
			allow := mustParse(t, "allow: [{host: ok.test, query: "+tt.condition+"}]")
			if got := decide(t, allow, q).Action == policy.Allow; got != (words[0] == "yes") {
				t.Errorf("allow %s covers %q: %v", tt.condition, q.Query, got)
			}
			if words[1] == "-" {
				continue
			}
			deny := mustParse(t, "default: allow\ndeny: [{host: ok.test, paths: [/a], query: "+tt.condition+"}]")
			if got := decide(t, deny, q).Action == policy.Deny; got != (words[1] == "yes") {
				t.Errorf("deny %s covers %q: %v", tt.condition, q.Query, got)
			}
		}
	}
}

func TestQueryTooLong(t *testing.T) {
	q := request(t, "https://ok.test/?a="+strings.Repeat("x", maxQuery))
	if d := decide(t, mustParse(t, "allow: [{host: ok.test, query: {a: '*'}}]"), q); d.Action != policy.Deny {
		t.Errorf("an allow rule knows a query that is too long to be read: %+v", d)
	}
	if d := decide(t, mustParse(t, "default: allow\ndeny: [{host: ok.test, query: {b: '*'}}]"), q); d.Action != policy.Deny {
		t.Errorf("a deny rule lets a query through that is too long to be read: %+v", d)
	}
}

func TestHeaders(t *testing.T) {
	for _, tt := range []struct{ condition, requests string }{
		{"{Accept: '*/*'}", `
			yes yes https://ok.test/`},
		{"{X-Filename: '*'}", `
			yes yes https://ok.test/ X-Filename=tpcp.tar.gz
			yes yes https://ok.test/ x-filename=
			yes yes https://ok.test/ X_Filename=a
			no  no  https://ok.test/ X-Filenames=a
			no  no  https://ok.test/`},
		{"{Accept-Version: [v1.*, v2], 'Authorization?': 'Basic *'}", `
			yes - https://ok.test/ Accept-Version=v1.5
			no  - https://ok.test/ Accept-Version=v3
			no  - https://ok.test/ Accept-Version=v2 Accept-Version=v3
			no  - https://ok.test/ Accept-Version=v2 accept_version=v3
			no  - https://ok.test/ Accept-Version=v2 Authorization=Bearer
			no  - https://ok.test/`},
		{"{X-Mode: read, X-Tenant: '*'}", `
			yes yes https://ok.test/ X-Mode=read X-Tenant=1
			no  yes https://ok.test/ X-Mode=READ X-Tenant=1
			no  yes https://ok.test/ X-Mode=read X-Mode=write X-Tenant=1
			no  yes https://ok.test/ X-Mode=read X-Tenant=1 Connection=close,x-mode
			yes yes https://ok.test/ X-Mode=read X-Tenant=1 Connection=keep-alive
			no  no  https://ok.test/ X-Mode=read
			no  yes tcp://ok.test:443`},
		{"{Accept: application/vnd.raw+json}", `
			no  yes https://ok.test/ Accept=application/vnd.raw+json
			no  yes https://ok.test/ Accept=application/vnd.raw+json;q=0.9
			no  yes https://ok.test/ Accept=*/*,application/vnd.raw+json
			no  yes https://ok.test/ Accept=text/html;q=0.9,Application/Vnd.Raw+json;q=1,*/*
			no  yes https://ok.test/ Accept=*/* accept=,application/vnd.raw+json
			no  no  https://ok.test/ Accept=application/vnd.raw+jsonx
			no  no  https://ok.test/ Accept=*/*;x=application/vnd.raw+json`},
		{"{X-Mode: 'a, b'}", `
			no  yes https://ok.test/ X-Mode=a,b
			no  yes https://ok.test/ X-Mode=a X-Mode=B
			no  no  https://ok.test/ X-Mode=b X-Mode=a`},
		{"{x_mode: read}", `
			yes yes https://ok.test/ X-Mode=read
			yes yes https://ok.test/ X_MODE=read`},
	} {
		for line := range strings.Lines(strings.TrimSpace(tt.requests)) {
			words := strings.Fields(line)
			q := request(t, strings.Join(words[2:], " "))
			if got := decide(t, mustParse(t, "allow: [{host: ok.test, headers: "+tt.condition+"}]"), q).Action == policy.Allow; got != (words[0] == "yes") {
				t.Errorf("allow %s covers %s: %v", tt.condition, line, got)
			}
			if words[1] == "-" {
				continue
			}
			if got := decide(t, mustParse(t, "default: allow\ndeny: [{host: ok.test, headers: "+tt.condition+"}]"), q).Action == policy.Deny; got != (words[1] == "yes") {
				t.Errorf("deny %s covers %s: %v", tt.condition, line, got)
			}
		}
	}
}

// TestConditionsUnseen checks that a deny rule about what is inside a connection
// keeps it from passing undecrypted.
func TestConditionsUnseen(t *testing.T) {
	for _, condition := range []string{"query: {a: b}", "headers: {A: b}"} {
		p := mustParse(t, "allow: [{host: ok.test, tls: passthrough}]\ndeny: [{host: ok.test, "+condition+"}]")
		d := decide(t, p, request(t, "CONNECT https://ok.test"))
		if d.Passthrough || d.Action != policy.Deny || d.Rule != "policy.yaml:3" {
			t.Errorf("%s: %+v", condition, d)
		}
	}
}

func TestNearestCondition(t *testing.T) {
	p := mustParse(t, `
allow:
  - {host: a.test, query: {x: "1"}}
  - {host: b.test, headers: {X-A: "1"}, paths: [/a], query: {}}
  - {host: c.test, expires: 2001-01-31, paths: [/a]}
`)
	for line, want := range map[string]string{
		"https://a.test/?x=2":        "policy.yaml:4 has this host, but not this query",
		"https://b.test/a":           "policy.yaml:5 has this host, but not these header fields",
		"https://b.test/a?x X-A=1":   "policy.yaml:5 has this host, but not this query",
		"https://b.test/b":           "policy.yaml:5 has this host, but not this path",
		"https://c.test/a":           "policy.yaml:6 would, but it expired on 2001-01-31",
		"https://c.test/b":           "policy.yaml:6 has this host, but not this path",
		"POST https://a.test/?x=1":   "policy.yaml:4 has this host, but not this method",
		"https://a.test:8443/?x=1":   "policy.yaml:4 has this host, but not this port",
		"POST https://b.test/?a=1&b": "policy.yaml:5 has this host, but not this method",
	} {
		if got := decide(t, p, request(t, line)).Reason; got != "no rule matches: "+want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestExpires(t *testing.T) {
	const doc = `
default: log
allow:
  - {host: ok.test, expires: 2027-01-31, networks: [10.0.0.0/8]}
  - {host: pin.test, expires: "2027-01-31", tls: passthrough}
  - {package: pkg:npm/x@1.*, expires: 2027-01-31}
deny:
  - {host: evil.test, expires: 2027-01-31}
`
	p, closed := mustParse(t, doc), mustParse(t, strings.Replace(doc, "log", "deny", 1))
	now := time.Date(2027, 1, 31, 23, 59, 59, 0, time.UTC)
	p.clock = func() time.Time { return now }
	closed.clock = p.clock
	requests := []*policy.Request{request(t, "https://ok.test/"), request(t, "CONNECT https://pin.test"), packageRequest("pkg:npm/x@1.0.0")}
	check := func(want policy.Action) {
		t.Helper()
		for _, q := range requests {
			if d := decide(t, p, q); d.Action != want || want != policy.Allow && (d.Passthrough || d.Networks != nil) {
				t.Errorf("at %s, %s %s: %+v, want %s", now, q.Method, q.Host, d, want)
			}
		}
		if d := decide(t, p, request(t, "https://evil.test/")); d.Action != policy.Deny || d.Rule != "policy.yaml:9" {
			t.Errorf("at %s: %+v, want the deny rule", now, d)
		}
	}
	check(policy.Allow)
	if got := p.Expired(now); got != nil {
		t.Errorf("on the last day: %v", got)
	}
	now = now.Add(time.Second)
	check(policy.Log)
	for q, want := range map[int]string{0: "policy.yaml:5", 2: "policy.yaml:7"} {
		if d := decide(t, closed, requests[q]); d.Reason != "no rule matches: "+want+" would, but it expired on 2027-01-31" {
			t.Errorf("%+v", d)
		}
	}
	want := `policy.yaml:5:30: the rule expired on 2027-01-31 and matches nothing any more
  hint: review it: give it a later date, or remove it
policy.yaml:6:31: the rule expired on 2027-01-31 and matches nothing any more
  hint: review it: give it a later date, or remove it
policy.yaml:7:39: the rule expired on 2027-01-31 and matches nothing any more
  hint: review it: give it a later date, or remove it
policy.yaml:9:32: the rule expired on 2027-01-31 and still denies: time alone opens nothing
  hint: review it: remove the rule, or its date`
	if got := p.Expired(now).Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
