package learn

import (
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
)

func TestMask(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 8)
	for _, tc := range []struct{ name, path, want string }{
		{"GitHub token", "/x/ghp_" + strings.Repeat("a1B2", 9) + "/y", "/x/*/y"},
		{"npm token", "/npm_" + strings.Repeat("a1B2", 9), "/*"},
		{"AWS key", "/k/AKIAABCDEFGHIJKLMNOP", "/k/*"},
		{"JSON Web Token", "/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "/t/*"},
		{"redacted already", "/t/REDACTED/u", "/t/*/u"},
		{"redacted in part", "/t/key-REDACTED/u", "/t/*/u"},
		{"32 hexadecimal digits", "/api/" + hex[:32], "/api/*"},
		{"48 hexadecimal digits", "/api/" + hex[:48] + "/x", "/api/*/x"},
		{"base 62", "/s/T0/AbCd1234EfGh5678IjKl9012", "/s/T0/*"},
		{"base 36", "/s/q7w8e9r1t2y3u4i5o6p7z8x9c1v2b3n4", "/s/*"},
		{"letters", "/s/aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeF", "/s/*"},
		{"encoded", "/s/AbCd1234%2BEfGh5678%2FIjKl9012MnOp%3D", "/s/*"},
		{"in a file name", "/s/AbCd1234EfGh5678IjKl9012.json", "/s/*"},

		{"SHA-1", "/repos/o/r/git/blobs/" + hex[:40], ""},
		{"SHA-256", "/v2/o/blobs/sha256:" + hex[:64], ""},
		{"SHA-512", "/cas/" + hex[:128], ""},
		{"BLAKE2 directory", "/packages/b7/f4/" + hex[:60] + "/x.whl", ""},
		{"Nix", "/nar/0a1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r.narinfo", ""},
		{"UUID", "/jobs/7f3c1d2e-0000-4000-8000-00aa00bb00cc", ""},
		{"target triple", "/rustup/dist/x86_64-unknown-linux-gnu/rustup-init", ""},
		{"long words", "/documentation/GettingStartedWithTheCommandLineInterface", ""},
		{"long file name", "/releases/download/v1.95.0/rust-1.95.0-x86_64-unknown-linux-gnu.tar.xz", ""},
		{"snake", "/a_very_long_name_with_many_parts_and_2_numbers_in_2024", ""},
		{"short", "/v1/x", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := tc.want
			if want == "" {
				want = tc.path
			}
			if got, masked := mask(tc.path); got != want || masked != (tc.want != "") {
				t.Errorf("%s: got %s (%v), want %s", tc.path, got, masked, want)
			}
		})
	}
}

// TestNoSecretReachesThePolicy: wherever a secret stood in a request.
func TestNoSecretReachesThePolicy(t *testing.T) {
	const secret = "ghp_a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2"
	var events []enforce.Event
	for _, raw := range []string{
		"https://a.example.org/" + secret, "https://a.example.org/x?token=" + secret, "https://u:" + secret + "@b.example.org/",
		"https://gist.example.org/o/0123456789abcdef0123456789abcdef/raw/" + secret, "https://github.com/o/r/releases/download/" + secret + "/x",
		"https://api.github.com/repos/o/r/releases/tags/" + secret, "https://git.example.org/" + secret + "/r.git/info/refs?service=git-upload-pack",
		"https://gitlab.example.org/g/p/-/raw/v1.2.3/" + secret, "https://t.example.org/1.2/" + secret, "https://t.example.org/1.3/" + secret,
		"https://webhook.site/" + secret, "https://npm.example.org/" + secret + "/-/a-1.0.0.tgz", "https://npm.example.org/a/-/a-1.0.0.tgz",
	} {
		events = append(events, get(raw)...)
		events = append(events, broken("POST", raw, "dial: x")...)
	}
	// Not even when the event was not redacted.
	for i := range events {
		events[i].Path = strings.ReplaceAll(events[i].Path, "REDACTED", secret)
	}
	text := learned(t, Options{Command: []string{"curl", "-H", "Authorization: Bearer " + secret}}, events)
	if strings.Contains(text, "a1B2") {
		t.Fatal(text)
	}
	enforced(t, text)
}
