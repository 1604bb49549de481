package learn

import (
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
)

// TestLookalikes: a host that was chosen to look like another one is marked, and
// what is only a neighbour of it is not.
func TestLookalikes(t *testing.T) {
	known := join(get("https://build.packages.test/a"), get("https://build.packages.test/b"), get("https://npm.packages.test/x/-/x-1.0.0.tgz"))
	for _, tt := range []struct{ name, url, host, want string }{
		{"a letter for another", "https://build.packeges.test/a", "build.packeges.test", "is it meant to be of packeges.test? packages.test was asked, too"},
		{"a letter more", "https://build.packagess.test/a", "build.packagess.test", "is it meant to be of packagess.test? packages.test was asked, too"},
		{"a letter less", "https://build.pckages.test/a", "build.pckages.test", "is it meant to be of pckages.test? packages.test was asked, too"},
		{"two swapped", "https://build.pacakges.test/a", "build.pacakges.test", "is it meant to be of pacakges.test? packages.test was asked, too"},
		{"a hyphen", "https://build.pack-ages.test/a", "build.pack-ages.test", "is it meant to be of pack-ages.test? packages.test was asked, too"},
		{"a name in front of another", "https://build.packages.test.evil.test/a", "build.packages.test.evil.test", "its name begins like build.packages.test, it is of evil.test"},
		{"other letters", "https://xn--pckages-4nf.test/a", "xn--pckages-4nf.test", foreignLetters},
		{"a registry", "https://npm.packeges.test/x/-/x-1.0.0.tgz", "npm.packeges.test", "is it meant to be of packeges.test? packages.test was asked, too"},
		{"a sibling", "https://bui1d.packages.test/a", "bui1d.packages.test", ""},
		{"another name", "https://build.archives.test/a", "build.archives.test", ""},
		{"another suffix", "https://build.packages.example/a", "build.packages.example", ""},
		{"two letters", "https://build.pockoges.test/a", "build.pockoges.test", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := learned(t, Options{}, join(known, get(tt.url)))
			checkText(t, text)
			enforced(t, text)
			found := false
			for line := range strings.Lines(text) {
				if !strings.Contains(line, tt.host+" ") && !strings.Contains(line, tt.host+"/ ") {
					marked := strings.Contains(line, "is it meant") || strings.Contains(line, "begins like") || strings.Contains(line, foreignLetters)
					if marked {
						t.Errorf("marked, too: %s", line)
					}
					continue
				}
				found = true
				if got := strings.Contains(line, "; review: "+tt.want); tt.want != "" && !got {
					t.Errorf("%q is not said of it: %s", tt.want, line)
				}
				if tt.want == "" && (strings.Contains(line, "is it meant") || strings.Contains(line, "begins like")) {
					t.Errorf("marked: %s", line)
				}
			}
			if !found {
				t.Errorf("%s is not learned:\n%s", tt.host, text)
			}
		})
	}
}

// TestManyLookalikes: who invents hosts does not make learning slow, and cannot hide
// one among them.
func TestManyLookalikes(t *testing.T) {
	var events []enforce.Event
	events = append(events, get("https://build.packages.test/a")...)
	events = append(events, get("https://build.packages.test/b")...)
	for _, a := range "abcdefghijklmnopqrstuvwxyz" {
		for _, b := range "abcdefghijklmnopqrstuvwxyz" {
			events = append(events, get("https://pack"+string(a)+"ges"+string(b)+".test/x")...)
		}
	}
	text := learned(t, Options{}, events)
	if !strings.Contains(text, "is it meant to be of packagesx.test? packages.test was asked, too") {
		t.Error("packagesx.test is not marked")
	}
}

// TestLookalikesOfPolicy: what is merged into a policy is compared with the hosts of
// its rules and registries, which need not have been asked, and were reviewed,
// however often who is named like them was asked.
func TestLookalikesOfPolicy(t *testing.T) {
	const policy = `version: 1
registries:
  npm: https://npm.archives.test/
allow:
  - https://build.packages.test/a
  - host: "*.widgets.test"
  - host: build.packeges.example
deny:
  - host: build.secrets.test
`
	for _, tt := range []struct{ name, url, host, want string }{
		{"of a rule", "https://build.packeges.test/a", "build.packeges.test", "is it meant to be of packeges.test? packages.test is in the policy"},
		{"of a registry", "https://npm.archivs.test/x/-/x-1.0.0.tgz", "npm.archivs.test", "is it meant to be of archivs.test? archives.test is in the policy"},
		{"of a wildcard", "https://build.widgest.test/a", "build.widgest.test", "is it meant to be of widgest.test? widgets.test is in the policy"},
		{"a name in front", "https://build.packages.test.evil.test/a", "build.packages.test.evil.test", "its name begins like build.packages.test, it is of evil.test"},
		{"of a rule that denies", "https://build.secrts.test/a", "build.secrts.test", ""},
		{"of the policy itself", "https://npm.packages.test/b", "npm.packages.test", ""},
		{"of the policy, both", "https://new.packeges.example/b", "new.packeges.example", ""},
		{"another name", "https://build.tools.test/a", "build.tools.test", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := newBase(t, policy).merge(join(get(tt.url), get(tt.url), get(tt.url)))
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for line := range strings.Lines(string(m.Policy)) {
				if !strings.Contains(line, tt.host+" ") && !strings.Contains(line, tt.host+"/ ") {
					continue
				}
				found = true
				marked := strings.Contains(line, "is it meant") || strings.Contains(line, "begins like")
				if marked != (tt.want != "") || !strings.Contains(line, tt.want) {
					t.Errorf("want %q of it: %s", tt.want, line)
				}
			}
			if !found {
				t.Errorf("%s is not in the policy:\n%s", tt.host, m.Policy)
			}
		})
	}
}
