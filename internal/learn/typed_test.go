package learn

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// shown writes a skeleton with words in place of all its parts.
func shown(path string) string {
	s := skeletonOf(path, tenants{})
	k := new(kin)
	k.add(path, s)
	for i := range k.places {
		k.places[i].many = true
	}
	return k.pattern()
}

// TestTypes has what shows a type, and what nearly does.
func TestTypes(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 8)
	const uuid = "7f3c1d2e-0000-4000-8000-00aa00bb00cc"
	for _, tc := range []struct{ path, want string }{
		{"/a/1.2.3", "/a/{version}"},
		{"/a/v1.2.3", "/a/{version}"},
		{"/a/v1", "/a/{version}"},
		{"/a/v1beta1", ""},
		{"/a/V1.2", "/a/V{version}"},
		{"/a/1.0-SNAPSHOT", "/a/{version}"},
		{"/a/1.2.3-rc.1", "/a/{version}"},
		{"/a/3.13.0rc1", "/a/{version}"},
		{"/a/1.2.3.post1", "/a/{version}"},
		{"/a/2.10-3", "/a/{version}"},
		{"/a/2.0+7", "/a/{version}"},
		{"/a/1.2.3-linux", "/a/{version}-linux"},
		{"/a/1.2.3-rcx", "/a/{version}-rcx"},
		{"/a/1.", ""},
		{"/a/.1", ""},
		{"/a/1..2", ""},
		{"/a/1.2x", ""},
		{"/a/1.2.7z", "/a/{version}.7z"},
		{"/a/10.0.0.1", ""},
		{"/a/1.2.3.4.5", "/a/{version}"},
		{"/a/cc-1.2.3.tgz", "/a/cc-{version}.tgz"},
		{"/a/node-v22.1.0-linux-x64.tar.gz", "/a/node-{version}-linux-x64.tar.gz"},
		{"/a/go1.22.1.linux-amd64.tar.gz", "/a/go{version}.linux-amd64.tar.gz"},
		{"/a/rust-1.95.0-x86_64-unknown-linux-gnu.tar.xz", "/a/rust-{version}-x86_64-unknown-linux-gnu.tar.xz"},
		{"/a/tool@1.2.3", "/a/tool@{version}"},
		{"/a/x-1.2-y-3.4.zip", "/a/x-{version}-y-{version}.zip"},
		{"/a/" + strings.Repeat("1.", 40) + "1", ""},

		{"/a/123", "/a/{int}"},
		{"/a/123.json", "/a/{int}.json"},
		{"/a/123.tar.gz", "/a/{int}.tar.gz"},
		{"/a/123abc", ""},
		{"/a/abc123", ""},
		{"/a/build-123", ""},
		{"/a/123-x", ""},
		{"/a/-1", ""},
		{"/a/" + strings.Repeat("1", 20), "/a/{int}"},
		{"/a/" + strings.Repeat("1", 21), ""},
		{"/a/123.x" + strings.Repeat("y", 20), ""},

		{"/a/" + hex[:40], "/a/{sha}"},
		{"/a/" + hex[:64] + ".tar.xz", "/a/{sha}.tar.xz"},
		{"/a/sha256:" + hex[:64], "/a/sha256:{sha}"},
		{"/a/app." + hex[:40] + ".js", "/a/app.{sha}.js"},
		{"/a/" + hex[:39], ""},
		{"/a/" + hex[:41], ""},
		{"/a/x" + hex[:40], ""},
		{"/a/" + hex[:32], ""},
		{"/a/" + uuid, "/a/{uuid}"},
		{"/a/" + uuid + ".json", "/a/{uuid}.json"},
		{"/a/" + uuid + "0", ""},

		{"/a/2026-11-24", "/a/{date}"},
		{"/a/2026_11_24.log", "/a/{date}.log"},
		{"/a/nightly-2026-11-24.tar.xz", "/a/nightly-{date}.tar.xz"},
		{"/a/x-20261124.tgz", "/a/x-{date}.tgz"},
		{"/a/20261124", "/a/{date}"},
		{"/a/2026.11.24", "/a/{date}"},
		{"/a/2026-13-24", ""},
		{"/a/2026-02-30", ""},
		{"/a/20260230", "/a/{int}"},
		{"/a/2026-11_24", ""},

		// What comes first names a tenant, but for a version or a date.
		{"/123", ""}, {"/123/a", ""}, {"/" + uuid, ""}, {"/" + hex[:40] + "/a", ""}, {"/123.json", ""},
		{"/1.2.3/a", "/{version}/a"}, {"/cc-1.2.3.tgz", "/cc-{version}.tgz"}, {"/2026-11-24/a", "/{date}/a"},
		{"/projects/123/jobs/456", "/projects/123/jobs/{int}"},
		{"/api/v4/Users/123", "/api/{version}/Users/123"},
		{"/repos/1/2/3", "/repos/1/2/{int}"},
		{"/hooks/1/2/3/4", "/hooks/1/2/3/{int}"},
		{"/a/1/2/3/4/5/6/7/8/9", "/a/{int}/{int}/{int}/{int}/{int}/{int}/{int}/{int}/9"},
		{"/", ""}, {"/a", ""}, {"/a//1", "/a//{int}"}, {"/a/%31", ""},
	} {
		want := tc.want
		if want == "" {
			want = tc.path
		}
		if got := shown(tc.path); got != want {
			t.Errorf("%s: got %s, want %s", tc.path, got, want)
		}
	}
}

// TestTenants: whose something is stays as it is.
func TestTenants(t *testing.T) {
	list := newLists().tenants
	for _, tc := range []struct{ host, path, want string }{
		{"build.example.org", "/1.2/2.3/3.4/4.5", "/{version}/{version}/{version}/{version}"},
		{"github.com", "/1.2/2.3/3.4/4.5", "/1.2/2.3/{version}/{version}"},
		{"api.github.com", "/1.2/2.3/3.4/4.5", "/1.2/2.3/{version}/{version}"},
		{"raw.githubusercontent.com", "/1.2/2.3/3.4/4.5", "/1.2/2.3/{version}/{version}"},
		{"storage.googleapis.com", "/1.2/2.3/3.4/4.5", "/1.2/{version}/{version}/{version}"},
		{"bucket.s3.amazonaws.com", "/1.2/2.3/3.4/4.5", "/1.2/{version}/{version}/{version}"},
		{"firebasestorage.googleapis.com", "/v0/b/3.4/4.5", "/v0/b/3.4/{version}"},
		{"cdn.jsdelivr.net", "/gh/2.3/a@3.4/4.5", "/gh/2.3/a@{version}/{version}"},
		{"notgithub.com", "/1.2/2.3/3.4/4.5", "/{version}/{version}/{version}/{version}"},
	} {
		s := skeletonOf(tc.path, list.of(tc.host))
		got := strings.ReplaceAll(s.text, string(rune(classVersion)), "{version}")
		if got != tc.want {
			t.Errorf("%s %s: got %s, want %s", tc.host, tc.path, got, tc.want)
		}
	}
}

// TestTypesAgree: what is found here is what a policy's words cover, and the
// words that are written are those that a policy knows.
func TestTypesAgree(t *testing.T) {
	for c := classNone + 1; c < classes; c++ {
		for _, dates := range []bool{false, true} {
			if _, err := allowlist.Parse("p.yaml", []byte("version: 1\nallow:\n  - GET https://a.example.org/"+c.word(dates)+"\n")); err != nil {
				t.Error(err)
			}
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		segment := randomSegment(rng)
		path, err := policy.CanonicalPath("/a/" + segment)
		if err != nil {
			continue
		}
		s := skeletonOf(path, tenants{})
		if len(s.values) == 0 {
			continue
		}
		pattern := shown(path)
		p, err := allowlist.Parse("p.yaml", []byte("version: 1\nallow:\n  - {host: a.example.org, paths: ["+strconv.Quote(pattern)+"]}\n"))
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Decide(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: "a.example.org", Port: 443, Path: path})
		if err != nil || d.Action != policy.Allow {
			t.Fatalf("%s is not covered by %s: %v, %v", path, pattern, d, err)
		}
	}
}

// randomSegment is a file name out of parts that show a type or nearly do.
func randomSegment(rng *rand.Rand) string {
	var b strings.Builder
	for range 1 + rng.IntN(4) {
		n := strconv.Itoa
		switch rng.IntN(12) {
		case 0:
			b.WriteString(n(rng.IntN(30)) + "." + n(rng.IntN(30)))
		case 1:
			b.WriteString("v" + n(rng.IntN(30)) + "." + n(rng.IntN(300)) + "." + n(rng.IntN(30)))
		case 2:
			b.WriteString(n(rng.IntN(1e9)))
		case 3:
			b.WriteString(fmt.Sprintf("%04d-%02d-%02d", 2000+rng.IntN(30), rng.IntN(14), rng.IntN(33)))
		case 4:
			b.WriteString(fmt.Sprintf("%04d%02d%02d", 2000+rng.IntN(30), rng.IntN(14), rng.IntN(33)))
		case 5:
			b.WriteString(strings.Repeat("0a1B", 10+rng.IntN(2)*6))
		case 6:
			b.WriteString("7f3c1d2e-0000-4000-8000-00aa00bb00cc")
		case 7:
			b.WriteString([]string{"rc1", "-rc.2", "b3", "-SNAPSHOT", ".post1", "+7", "-4", "a", ".Final", "-beta"}[rng.IntN(10)])
		case 8:
			b.WriteString([]string{"-", ".", "_", "~", "+", "@", ":", "--", ".."}[rng.IntN(9)])
		default:
			b.WriteString([]string{"cc", "v", "linux", ".tar.gz", "x86_64", "go", ".7z"}[rng.IntN(7)])
		}
	}
	return b.String()
}
