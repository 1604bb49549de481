package enforce

import (
	"strings"
	"testing"
)

// Hostile input of many beginnings must not cost more than its length allows:
// each case would take minutes if each beginning looked through all that
// follows.
func TestRedactIsLinear(t *testing.T) {
	for _, unit := range []string{"?", "?a=", ";a=b", "eyJ-", "://", "://a:b/", "//a:", "a:", `"password":`, " Bearer ", "%25", "?x=%3D", "ghp_", "&token"} {
		s := strings.Repeat(unit, 1<<20/len(unit))
		RedactURL(s)
		RedactText(s)
	}
}

func TestRedactURLAllocatesNothing(t *testing.T) {
	const plain = "https://npm.example.org/@scope%2Fname/-/name-1.2.3.tgz?x=1&write=true"
	if n := testing.AllocsPerRun(100, func() { RedactURL(plain) }); n != 0 {
		t.Errorf("%v allocations for nothing to hide", n)
	}
}

func BenchmarkRedactURL(b *testing.B) {
	for name, url := range map[string]string{
		"plain":  "https://npm.example.org/@scope%2Fname/-/name-1.2.3.tgz?x=1&write=true",
		"secret": "https://user:hunter2@npm.example.org/name/-/name-1.2.3.tgz?token=abc",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				RedactURL(url)
			}
		})
	}
}

// FuzzRedact plants a secret in each place where one is looked for: whatever
// stands around it, it must be gone.
func FuzzRedact(f *testing.F) {
	for _, s := range []string{"", "a", "/a?b=c&", "://", "u:p@", "%", "%25", "#", ";", "\"", "eyJ", "\xff", "token=", "Bearer "} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		const planted = "Zq7planted7qZ" // has no shape of its own
		if strings.Contains(before+after, planted) {
			t.Skip()
		}
		path := strings.Map(func(r rune) rune {
			if strings.ContainsRune("?#:@/\\", r) {
				return -1
			}
			return r
		}, before)
		for _, in := range []string{
			"https://u:" + planted + "@ok.test/" + after,
			"https://ok.test/" + path + "?" + "token=" + planted + "&" + after,
			"https://ok.test/" + path + "?a=" + path + "&X-Amz-Signature=" + planted + "#" + after,
			before + "/" + github + planted + "/" + after,
			before + "&" + npmToken + planted + "&" + after,
			before + " " + jwt + planted + " " + after,
		} {
			if got := RedactURL(in); strings.Contains(got, planted) {
				t.Errorf("RedactURL(%q) = %q", in, got)
			}
		}
		for _, in := range []string{
			"\nX-Auth-Token: " + planted + "\n" + after,
			"\nAuthorization: Bearer " + planted + "\n" + after,
			`Get "https://u:` + planted + `@ok.test/": ` + after,
			`Get "https://ok.test/?token=` + planted + `": ` + after,
		} {
			if got := RedactText(in); strings.Contains(got, planted) {
				t.Errorf("RedactText(%q) = %q", in, got)
			}
		}
		for _, s := range []string{before, before + after} {
			if got := RedactURL(s); RedactURL(got) != got {
				t.Logf("a second pass hides more: %q, %q", got, RedactURL(got))
			}
			RedactText(s)
			RedactHeader(map[string][]string{before: {after}})
		}
	})
}
