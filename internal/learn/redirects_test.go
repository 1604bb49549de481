package learn

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// led says that a URL redirected to what was asked for.
func led(via string, events []enforce.Event) []enforce.Event {
	for i := range events {
		events[i].Via = via
	}
	return events
}

var redirectGolden = golden{
	name:    "redirects",
	options: Options{Command: []string{"make", "release"}},
	events: by("/usr/bin/curl", 24, join(
		exchange("GET", "https://github.com/example/tool/releases/download/v1.2.3/tool.tgz", 302),
		led("https://github.com/example/tool/releases/download/v1.2.3/tool.tgz",
			get("https://objects.example.net/assets/1234/0a1b2c3d?X-Amz-Signature=0123456789abcdef0123456789abcdef&X-Amz-Expires=300")),
		exchange("GET", "https://github.com/example/tool/releases/download/v1.2.4/tool.tgz", 302),
		led("https://github.com/example/tool/releases/download/v1.2.4/tool.tgz",
			get("https://objects.example.net/assets/1234/4d5e6f70?X-Amz-Signature=fedcba9876543210fedcba9876543210&X-Amz-Expires=300")),
		// A registry keeps its files elsewhere, by digest.
		get("https://npm.example.org/lodash"),
		exchange("GET", "https://npm.example.org/lodash/-/lodash-4.17.21.tgz", 307),
		led("https://npm.example.org/lodash/-/lodash-4.17.21.tgz", get("https://storage.example.net/bucket/lodash/-/lodash-4.17.21.tgz?sig=0123456789abcdef")),
		exchange("HEAD", "https://npm.example.org/lodash/-/lodash-4.17.21.tgz", 307),
		led("https://npm.example.org/lodash/-/lodash-4.17.21.tgz", exchange("HEAD", "https://heads.example.net/lodash", 200)),
		// Two versions of a file, which are one pattern.
		exchange("GET", "https://build.example.org/tools/cc-1.2.3.tgz", 303),
		led("https://build.example.org/tools/cc-1.2.3.tgz", exchange("GET", "http://cdn.corp.example:8080/cc/1.2.3", 200, "10.1.2.3:8080")),
		exchange("GET", "https://build.example.org/tools/cc-1.3.0.tgz", 303),
		led("https://build.example.org/tools/cc-1.3.0.tgz", exchange("GET", "http://cdn.corp.example:8080/cc/1.3.0", 200, "10.1.2.3:8080")),
		// A chain.
		exchange("GET", "https://short.example.org/cc", 301),
		led("https://short.example.org/cc", exchange("GET", "https://hop.example.net/a/b?t=1", 302)),
		led("https://hop.example.net/a/b", get("https://end.example.net/c/d?t=2")),
		// Within one host.
		exchange("GET", "http://docs.example.org/latest", 301),
		led("http://docs.example.org/latest", exchange("GET", "https://docs.example.org/latest", 302)),
		led("https://docs.example.org/latest", get("https://docs.example.org/v7/index")),
		// With a redirect and without.
		exchange("GET", "https://build.example.org/icon", 302),
		led("https://build.example.org/icon", get("https://static.example.net/icon.svg")),
		get("https://static.example.net/icon.svg"),
		// Not a read.
		exchange("POST", "https://build.example.org/upload", 307),
		led("https://build.example.org/upload", exchange("POST", "https://uploads.example.net/parts/1", 200)),
		// To where nothing may go.
		exchange("GET", "https://build.example.org/away", 302),
		led("https://build.example.org/away", get("https://pastebin.com/raw/0a1b2c3d")),
		led("https://build.example.org/away", get("https://discord.com/api/webhooks/1/x")),
		led("https://build.example.org/away", get("http://169.254.169.254/latest/meta-data/")),
		led("https://build.example.org/away", get("https://resolver.example.net/dns-query?dns=AAAB")),
		// From what was not learned: it failed, or nobody saw it.
		broken("GET", "https://down.example.org/x", "reset"),
		led("https://down.example.org/x", get("https://after.example.net/failure")),
		led("https://unseen.example.org/x", get("https://after.example.net/nothing")),
	)),
	not: []string{"pastebin", "discord", "169.254", "dns-query", "down.example", "after.example"},
	neighbours: []string{
		"GET https://objects.example.net/assets/1234/0a1b2c3d",
		"GET https://objects.example.net/assets/1234/0a1b2c3d?X-Amz-Signature=0123456789abcdef0123456789abcdef&X-Amz-Expires=300",
		"GET https://storage.example.net/bucket/lodash/-/lodash-4.17.21.tgz",
		"GET http://cdn.corp.example:8080/cc/1.2.3",
		"GET https://hop.example.net/a/b",
		"GET https://end.example.net/c/d?t=2",
		"GET https://static.example.net/icons",
		"GET https://docs.example.org/v8/index",
		"GET https://uploads.example.net/parts/1",
		"POST https://uploads.example.net/parts/2",
	},
}

// TestRedirectsNextWeek: what redirects lead to has other paths and signatures the
// next time, and passes; and only what redirects lead to does.
func TestRedirectsNextWeek(t *testing.T) {
	p, r := enforced(t, learned(t, redirectGolden.options, redirectGolden.events))
	for _, tt := range []struct {
		url, via string
		want     policy.Action
	}{
		{"https://objects.example.net/assets/99/ffff?X-Amz-Signature=new", "https://github.com/example/tool/releases/download/v2.0.0/tool.tgz", policy.Allow},
		{"https://objects.example.net/assets/99/ffff", "https://github.com/evil/tool/releases/download/v2.0.0/tool.tgz", policy.Deny},
		{"https://objects.example.net/assets/99/ffff", "https://npm.example.org/lodash/-/lodash-4.17.22.tgz", policy.Deny},
		{"https://storage.example.net/bucket/sha512/9f?sig=new", "https://npm.example.org/lodash/-/lodash-4.17.22.tgz", policy.Allow},
		{"https://storage.example.net/bucket/sha512/9f?sig=new", "https://npm.evil.test/lodash/-/lodash-4.17.22.tgz", policy.Deny},
		{"http://cdn.corp.example:8080/cc/1.4.0", "https://build.example.org/tools/cc-1.4.0.tgz", policy.Allow},
		{"http://cdn.corp.example:8080/cc/1.4.0", "https://build.example.org/tools/evil-1.4.0.tgz", policy.Deny},
		{"https://end.example.net/new", "https://hop.example.net/new", policy.Allow},
		{"https://hop.example.net/new", "https://short.example.org/cc", policy.Allow},
		{"https://end.example.net/new", "https://short.example.org/cc", policy.Deny},
		{"https://docs.example.org/v8/index", "https://docs.example.org/latest", policy.Deny},
		{"https://after.example.net/x", "https://down.example.org/x", policy.Deny},
		{"https://pastebin.com/raw/0a1b2c3d", "https://build.example.org/away", policy.Deny},
	} {
		for _, ev := range led(tt.via, exchange("GET", tt.url, 200))[:1] {
			if d := ask(t, p, r, ev); d.Action != tt.want {
				t.Errorf("%s after %s: %v (%s), want %v", tt.url, tt.via, d.Action, d.Reason, tt.want)
			}
		}
	}
}

// TestManyRedirectsFold has more redirecting paths than are kept as they are: what
// they lead to is learned by the pattern that stands for all of them.
func TestManyRedirectsFold(t *testing.T) {
	var events []enforce.Event
	for i := range foldAt + 200 {
		from := fmt.Sprintf("https://build.example.org/jobs/%d/log", i)
		events = append(events, exchange("GET", from, 302)...)
		events = append(events, led(from, get(fmt.Sprintf("https://cdn.example.net/%d?sig=%d", i*7, i)))...)
	}
	text := learned(t, Options{}, events)
	if want := "    via: [\"https://build.example.org/jobs/{int}/log\"]\n"; strings.Count(text, "via:") != 1 || !strings.Contains(text, want) {
		t.Errorf("no %s in:\n%s", want, text)
	}
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 1))
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		// There is room for what redirects, and not for what that leads to as well.
		if got := learned(t, Options{MaxRequests: foldAt*2 + 300}, events); got != text {
			t.Fatalf("seed %d: %s", seed, cmp.Diff(text, got))
		}
	}
}

// TestHostileRedirects has events of a recording that somebody wrote: whatever
// their URLs hold, what is learned is a policy, and no redirect that is none counts.
func TestHostileRedirects(t *testing.T) {
	for _, via := range []string{
		"https://ok.example.org", "ok.example.org/a", "ftp://ok.example.org/a", "https:///a", "https://u:p@ok.example.org/a",
		"https://ok.example.org/../a", "https://ok.example.org/a\n  - https://evil.test", "https://ok.example.org/{a}", "https://ok.example.org/*\"]",
		"https://OK.example.org/a", "https://ok.example.org:0/a", "https://ok.example.org/%EE%80%80", strings.Repeat("https://ok.example.org/", 500),
	} {
		text := learned(t, Options{}, join(get("https://ok.example.org/a"), led(via, get("https://cdn.example.net/b"))))
		p, r := enforced(t, text)
		for _, url := range []string{"https://cdn.example.net/c", "https://evil.test/"} {
			for _, from := range []string{via, "", "https://evil.test/"} {
				if d := ask(t, p, r, led(from, get(url))[0]); d.Action != policy.Deny && via != "https://OK.example.org/a" {
					t.Errorf("%q lets %s pass after %q:\n%s", via, url, from, text)
				}
			}
		}
	}
}
