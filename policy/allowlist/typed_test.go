package allowlist

import (
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestTypedKinds has for each word what it stands for, and what it nearly does.
func TestTypedKinds(t *testing.T) {
	hex := func(n int) string { return strings.Repeat("0123456789abcdef", 9)[:n] }
	const id = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
	for _, tt := range []struct {
		word    string
		is, not []string
	}{
		{
			"version",
			[]string{
				"1.2", "1.2.3", "v1.2.3", "v1", "v12", "0.0.0", "2026.11", "1.2.3-rc.1", "1.2.3+build.5", "2.0~rc1", "1.2_3", "1.2.3-4.fc40", "1.0a1", "1.0.Final", "1.2.x86_64",
				"v0.0.0-20261124101500-abcdef123456", "v2.0.0+incompatible", "1.2.3--a", "1.0-SNAPSHOT", "7.88.1-10+deb12u5", "1.2.tgz",
				"1." + strings.Repeat("2", 62), "v1" + strings.Repeat("2", 62),
			},
			[]string{
				"", "v", "V1", "1", "12", "1.", "v1.", ".1", "..", ".", "1..2", "1.2.", "1.2..3", "1.2-", "1.2+", "1.2-.3", "1.2~", "1-2.3", "1a.2", "v1-rc.1", "v1a", "1.x", "vv1.2", "x1.2", "latest", "-1.2", " 1.2", "1.2 ", "1.2\n", "\n1.2", "1.2\x00",
				"1.2/3", "1.2%2F3", "1.2%2B", "1.2%0A", "1.2:3", "1,2", "1.2*", "1.2@3", "1.²", "１.２", "١.٢", "1.2é", "1.2;v=3",
				"1." + strings.Repeat("2", 63), "v1" + strings.Repeat("2", 63), "1.2-" + strings.Repeat("a", 4096),
			},
		},
		{
			"int",
			[]string{"0", "7", "007", "18446744073709551615", strings.Repeat("9", 20)},
			[]string{"", "-1", "+1", "1.0", "1a", "0x1", "1_000", "1,000", " 1", "1 ", "1\n", "\n1", "１", "١", "²", "1%30", "%31", "1/", "1e3", strings.Repeat("9", 21), strings.Repeat("9", 4096)},
		},
		{
			"sha",
			[]string{hex(32), hex(40), hex(56), hex(64), hex(96), hex(128), strings.ToUpper(hex(40)), "ABCDEFabcdef" + hex(20)},
			[]string{"", hex(7), hex(31), hex(33), hex(39), hex(41), hex(55), hex(57), hex(63), hex(65), hex(95), hex(97), hex(127), hex(129), hex(39) + "g", hex(39) + "\n", hex(40) + "\n", hex(39) + "é", hex(38) + "%30", "sha256:" + hex(64), "0x" + hex(40), hex(20) + "-" + hex(19)},
		},
		{
			"uuid",
			[]string{id, strings.ToUpper(id), "F81d4fae-7dec-11d0-a765-00a0c91e6bf6", "00000000-0000-0000-0000-000000000000"},
			[]string{"", id[1:], id + "0", id + "\n", "{" + id + "}", strings.ReplaceAll(id, "-", ""), strings.ReplaceAll(id, "-", "_"), strings.Replace(id, "f", "g", 1), "f81d4fae7-dec-11d0-a765-00a0c91e6bf6", "urn:uuid:" + id, id[:35] + "-", "f81d4fae-7dec-11d0-a765-00a0c91e6bf６"},
		},
		{
			"date",
			[]string{"2026-11-24", "20261124", "2026.11.24", "2026_11_24", "2024-02-29", "2000-02-29", "2026-12-31", "2026-01-01", "00010101"},
			[]string{
				"", "2026", "2026-11", "2026-11-2", "2026-11-244", "2026-1-24", "26-11-24", "2026-02-29", "2026-02-30", "1900-02-29", "2026-04-31", "2026-11-31", "2026-13-01", "2026-00-10", "2026-11-00", "2026-11-32", "20260230", "20261301",
				"2026-11.24", "2026.11-24", "2026/11/24", "2026-1124", "202611-24", "2026~11~24", "24-11-2026", "2026-11-24T00:00:00Z", "2026-11-24\n", " 2026-11-24", "２０２６-11-24", "2026-11-2４", "+026-11-24", "-2026-11-24", "2026-+1-24",
			},
		},
	} {
		k, ok := kindNamed(tt.word)
		if !ok || k.String() != "{"+tt.word+"}" {
			t.Fatalf("%s is %v, %v", tt.word, k, ok)
		}
		has := func(s string) bool { ls := k.lengths(s); return len(s) <= maxTyped && ls.next(len(s)) == len(s) }
		for _, s := range tt.is {
			if !has(s) {
				t.Errorf("%q is no %v", s, k)
			}
		}
		for _, s := range tt.not {
			if has(s) {
				t.Errorf("%q is a %v", s, k)
			}
		}
	}
	if len(typedNames()) != int(kindDate-kindDeep) {
		t.Errorf("%v are not the kinds", typedNames())
	}
}

// TestTypedPaths asks rules with one typed pattern.
func TestTypedPaths(t *testing.T) {
	const sha = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	long := strings.Repeat("1.", 3000) + "1"
	for _, tt := range []struct {
		pattern string
		is, not []string
	}{
		{"/a/{int}", []string{"/a/5", "/a/%35"}, []string{"/a/", "/a", "/a/5/", "/a/5/6", "/a/x", "/a/5%2F6", "/a/5%2f", "/a/%2F5", "/a/5;v=1", "//a/5", "/a//5", "/A/5", "/a/5%20", "/a/%7Bint%7D"}},
		{"/a/{int}/b", []string{"/a/5/b"}, []string{"/a/b", "/a//b", "/a/5/c/b", "/a/5%2Fb", "/a/5/b/"}},
		{"/{version}", []string{"/1.2", "/v1"}, []string{"/", "/1", "/1.2%2F", "/..1", "/1.2%2B3"}},
		{"/cc-{version}-linux-{int}.tgz", []string{"/cc-1.2-linux-64.tgz", "/cc-1.2-linux-64-linux-32.tgz", "/cc-1.2-rc-linux-1.tgz", "/cc-v3-linux-7.tgz"}, []string{"/cc-1-linux-64.tgz", "/cc-1.2-linux-.tgz", "/cc-1.2-linux-x.tgz", "/cc-1.2-linux-64.tgz.tgz", "/cc-1.2/linux-64.tgz", "/cc-1.2-linux-64.tgz%C2%A0"}},
		// Every way to take it apart is tried.
		{"/{version}.{int}", []string{"/1.2.3", "/1.2-a.3", "/v1.2"}, []string{"/1.2", "/1.2.x", "/1.2.3.x"}},
		{"/{int}{int}", []string{"/12", "/" + strings.Repeat("1", 40)}, []string{"/1", "/" + strings.Repeat("1", 41)}},
		{"/{int}0", []string{"/10", "/100", "/00"}, []string{"/0", "/1"}},
		{"/*{int}", []string{"/a1", "/1", "/a%20" + "1"}, []string{"/a", "/a%31%2F", "/a/1"}},
		{"/*-{int}*", []string{"/a-b-1", "/-1x", "/a-1-"}, []string{"/a-b", "/a-/1"}},
		{"/{sha}{int}", []string{"/" + sha + "1"}, []string{"/" + sha, "/" + sha + "a"}},
		{"/{date}-{date}/{date}", []string{"/2026-11-24-20261125/2026_11_26"}, []string{"/2026-11-24-2026-02-30/20261126"}},
		{"/**/{int}/x", []string{"/a/1/x", "/a/b/1/x", "/1/2/x", "/a/x/9/x"}, []string{"/a/b/x", "/1/x", "/a/1/b/x"}},
		{"/**/v{int}/**/{version}.tgz", []string{"/a/v1/b/1.2.tgz", "/a/vx/v2/b/c/1.2.tgz", "/a/v1/v2/1.2.tgz"}, []string{"/a/v1/b/latest.tgz", "/a/vx/b/1.2.tgz"}},
		{"/{int}**", []string{"/1", "/1/a", "/12a"}, []string{"/a1", "/"}},
		{"/tools/{version}/cc-{version}.tgz", []string{"/tools/1.2/cc-1.3.tgz"}, []string{"/tools/1.2/3/cc-1.3.tgz", "/tools/1.2/cc-1.3%2F.tgz"}},
		{"/%7Bint%7D/{int}", []string{"/{int}/5", "/%7bint%7D/5"}, []string{"/5/5"}},
		{"/{version}x", nil, []string{"/" + long + "x"}},
		{"/**{version}x", []string{"/" + long + "x"}, []string{"/" + long + "y"}},
		{"/{int}/{int}/{int}/{int}/{int}/{int}/{int}/{int}/{int}/{int}/{int}/{int}/{int}/{int}/{int}/{int}", []string{strings.Repeat("/1", 16)}, []string{strings.Repeat("/1", 15) + "/x"}},
	} {
		one := mustParse(t, "allow:\n  - GET https://ok.test"+tt.pattern)
		// The same among others, where an index finds it, and beside a deny rule.
		doc := "allow:\n  - {host: ok.test, paths: ['" + tt.pattern + "'"
		for _, other := range []string{"/zz", "/zz/*", "/zz/{int}", "/zz/{sha}/x", "/*/{uuid}/zz", "/zz/{date}/x", "/zz/{version}", "/zz/**/{int}", "/*{uuid}zz", "/**zz"} {
			doc += ", '" + other + "'"
		}
		many := mustParse(t, doc+"]}")
		deny := mustParse(t, "default: allow\ndeny:\n  - GET https://ok.test"+tt.pattern)
		for path, want := range expected(tt.is, tt.not) {
			q := request(t, "https://ok.test"+path)
			if got := decide(t, one, q); (got.Action == policy.Allow) != want {
				t.Errorf("%s: %.100s: %v, want %v", tt.pattern, path, got.Action, want)
			}
			if got := decide(t, many, q); (got.Action == policy.Allow) != want {
				t.Errorf("%s among others: %.100s: %v, want %v", tt.pattern, path, got.Action, want)
			}
			if got := decide(t, deny, q); want && got.Action != policy.Deny {
				t.Errorf("deny %s: %.100s: %v", tt.pattern, path, got.Action)
			}
		}
	}
}

func expected(is, not []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range is {
		out[s] = true
	}
	for _, s := range not {
		out[s] = false
	}
	return out
}

// TestTypedPathsDenyLoosely asks deny rules about respelled paths.
func TestTypedPathsDenyLoosely(t *testing.T) {
	for _, tt := range []struct{ pattern, denied, passes string }{
		{"/a/{int}", "/a/5", "/a/x"},
		{"/a/{int}", "//a///5/", "/a/5/6"},
		{"/a/{int}", "/a;x=y/5;v=1", "/a/x;5"},
		{"/a/{int}", "/a%2F5", "/a%2F5x"},
		{"/a/{int}", "/a/%2535", "/a/%25"},
		{"/a/{int}", "/a%252F%2535", "/a%252Fx"},
		{"/a/{int}/", "/a/5", "/a/"},
		{"/a/{version}", "/a/1.2%2B3", "/a/1.2%2C3"},
		{"/a/{version}", "/a/1.2%252B3", "/a/1%252E"},
		{"/a/{int};v", "/a/5;v", "/a/5"},
		{"/%7B{int}", "/{5", "/5"},
	} {
		p := mustParse(t, "default: allow\ndeny:\n  - {host: ok.test, paths: ['"+tt.pattern+"']}")
		if d := decide(t, p, request(t, "https://ok.test"+tt.denied)); d.Action != policy.Deny {
			t.Errorf("%s does not deny %s", tt.pattern, tt.denied)
		}
		if d := decide(t, p, request(t, "https://ok.test"+tt.passes)); d.Action != policy.Allow {
			t.Errorf("%s denies %s", tt.pattern, tt.passes)
		}
	}
}

// TestTypedPathsAreBounded checks that a path made to be slow is not compared to
// the end: then no allow rule covers it, and every deny rule.
func TestTypedPathsAreBounded(t *testing.T) {
	const pattern = "/**{version}**{version}**{sha}x**"
	path := "/" + strings.Repeat("1.1-", 16<<10)
	for list, want := range map[string]policy.Action{"allow": policy.Deny, "deny": policy.Deny} {
		p := mustParse(t, "default: "+map[string]string{"allow": "deny", "deny": "allow"}[list]+"\n"+list+":\n  - GET https://ok.test"+pattern)
		if d := decide(t, p, request(t, "https://ok.test"+path)); d.Action != want {
			t.Errorf("%s: %+v", list, d)
		}
	}
	pat, _ := compile(pattern)
	if matched, known := pat.match(path, true); matched || known {
		t.Errorf("matched %v, known %v", matched, known)
	}
}
