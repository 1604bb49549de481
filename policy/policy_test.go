package policy

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestActionText(t *testing.T) {
	for text, want := range map[string]Action{"deny": Deny, "log": Log, "allow": Allow} {
		a := Action(9)
		if err := a.UnmarshalText([]byte(text)); err != nil || a != want {
			t.Errorf("%s is %d, %v", text, a, err)
		}
		if got, err := want.MarshalText(); err != nil || string(got) != text {
			t.Errorf("%d is %q, %v", want, got, err)
		}
	}
	for _, text := range []string{"", "Allow", "ALLOW", "allow ", "true", "permit"} {
		a := Allow
		if err := a.UnmarshalText([]byte(text)); err == nil || a != Deny {
			t.Errorf("%q is %d, %v; want an error and deny", text, a, err)
		}
	}
	if got := Action(9).String(); got != "deny" {
		t.Errorf("an unknown action is %q", got)
	}
	var zero Decision
	if zero.Action != Deny || zero.Passthrough {
		t.Error("the zero decision does not deny")
	}
}

func always(d Decision) Policy {
	return Func(func(context.Context, *Request) (Decision, error) { return d, nil })
}

func TestCombine(t *testing.T) {
	rule := func(a Action, name string) Decision { return Decision{Action: a, Rule: name} }
	fallback := func(a Action) Decision { return Decision{Action: a, Default: true, Rule: a.String()} }
	for _, tt := range []struct {
		name string
		ps   []Decision
		want Decision
	}{
		{"none", nil, Decision{Reason: "no policy"}},
		{"one", []Decision{rule(Log, "a")}, rule(Log, "a")},
		{"one of an unknown action", []Decision{rule(9, "a")}, rule(Deny, "a")},
		{"deny over allow", []Decision{rule(Allow, "a"), rule(Deny, "b")}, rule(Deny, "b")},
		{"allow over log", []Decision{rule(Log, "a"), rule(Allow, "b")}, rule(Allow, "b")},
		{"log over default deny", []Decision{fallback(Deny), rule(Log, "b")}, rule(Log, "b")},
		{"allow over default deny", []Decision{fallback(Deny), rule(Allow, "b")}, rule(Allow, "b")},
		{"log over default allow", []Decision{fallback(Allow), rule(Log, "b")}, rule(Log, "b")},
		{"default deny over default allow", []Decision{fallback(Allow), fallback(Deny)}, fallback(Deny)},
		{"default deny over default log", []Decision{fallback(Log), fallback(Deny)}, fallback(Deny)},
		{"default log over default allow", []Decision{fallback(Allow), fallback(Log)}, fallback(Log)},
		{"first of equals", []Decision{rule(Deny, "a"), rule(Deny, "b")}, rule(Deny, "a")},
		{"unknown action denies", []Decision{rule(Allow, "a"), rule(9, "b")}, rule(Deny, "b")},
		{"unknown default denies", []Decision{fallback(Allow), {Action: 9, Default: true}}, Decision{Default: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ps []Policy
			for _, d := range tt.ps {
				ps = append(ps, always(d))
			}
			got, err := Combine(ps...).Decide(context.Background(), &Request{})
			if err != nil || !cmp.Equal(got, tt.want) {
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
			if len(ps) != 2 || tt.name == "first of equals" {
				return
			}
			ps[0], ps[1] = ps[1], ps[0]
			if got, err := Combine(ps...).Decide(context.Background(), &Request{}); err != nil || !cmp.Equal(got, tt.want) {
				t.Errorf("the other way round: %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

// TestCombineJoins checks that what two allow rules permit does not depend on
// the order of the files they stand in.
func TestCombineJoins(t *testing.T) {
	ten, fd := netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")
	networks := []netip.Prefix{ten}
	a := Decision{Action: Allow, Networks: networks[:1:1]}
	b := Decision{Action: Allow, Passthrough: true, Networks: []netip.Prefix{fd}}
	for name, ps := range map[string][]Policy{
		"a b":         {always(a), always(b), always(Decision{Action: Log, Networks: []netip.Prefix{{}}})},
		"b a":         {always(b), always(a)},
		"with a none": {always(Decision{Action: Allow}), always(b), always(a)},
	} {
		d, _ := Combine(ps...).Decide(context.Background(), &Request{})
		if !d.Passthrough || len(d.Networks) != 2 {
			t.Errorf("%s: %+v", name, d)
		}
	}
	denied := Decision{Action: Deny, Networks: nil}
	d, _ := Combine(always(a), always(b), always(denied)).Decide(context.Background(), &Request{})
	if d.Passthrough || d.Networks != nil {
		t.Errorf("a denial permits %+v", d)
	}
}

func TestCombineError(t *testing.T) {
	broken := Func(func(context.Context, *Request) (Decision, error) {
		return Decision{Action: Allow}, errors.New("broken")
	})
	for _, p := range []Policy{Combine(always(Decision{Action: Allow}), broken), Combine(broken, always(Decision{Action: Allow}))} {
		d, err := p.Decide(context.Background(), &Request{})
		if err == nil || d.Action != Deny || d.Reason != "broken" {
			t.Errorf("%+v, %v", d, err)
		}
	}
}

func TestAuthorityAndURL(t *testing.T) {
	for _, tt := range []struct {
		r              Request
		authority, url string
	}{
		{Request{Scheme: "https", Host: "ok.test", Port: 443, Path: "/a"}, "ok.test", "https://ok.test/a"},
		{Request{Scheme: "http", Host: "ok.test", Port: 443, Path: "/a", Query: "b=c"}, "ok.test:443", "http://ok.test:443/a?b=c"},
		{Request{Scheme: "wss", Host: "2001:db8::1", Port: 443, Path: "/"}, "[2001:db8::1]", "wss://[2001:db8::1]/"},
		{Request{Scheme: "tcp", Host: "2001:db8::1", Port: 22}, "[2001:db8::1]:22", "tcp://[2001:db8::1]:22"},
	} {
		if got := tt.r.Authority(); got != tt.authority {
			t.Errorf("authority %q, want %q", got, tt.authority)
		}
		if got := tt.r.URL(); got != tt.url {
			t.Errorf("URL %q, want %q", got, tt.url)
		}
	}
}

// TestLineKeepsSecrets checks that no query reaches a policy.
func TestLineKeepsSecrets(t *testing.T) {
	r := Request{Method: "GET", Scheme: "https", Host: "ok.test", Port: 443, Path: "/a", Query: "token=hunter2"}
	if got := r.Line(); got != "- GET https://ok.test/a" || strings.Contains(got, "hunter2") {
		t.Errorf("line %q", got)
	}
}
