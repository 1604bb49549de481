package allowlist

import (
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestRanges checks which versions rules with ranges match: "allow" those that an
// allow rule matches and a deny rule too, "deny" those that a deny rule alone
// matches, because they are pre-releases that the range does not name or because
// nobody can say, "none" the rest.
func TestRanges(t *testing.T) {
	for _, tt := range []struct{ rule, allow, deny, none string }{
		{"pkg:npm/x@>=4.17.21 <5", "4.17.21 4.17.22 4.99.0 v4.18.0 4.17.21+build", "5.0.0-beta 4.18.0-rc.1 latest", "4 4.17.20 5.0.0 40.0.0 4.17.21-rc.1"},
		{"pkg:npm/x@>=4.17.21, <5", "4.17.21", "", "4.17.20 5.0.0"},
		{"pkg:npm/x@^4.17.21", "4.17.21 4.99.0", "4.18.0-rc.1", "4.17.20 5.0.0"},
		{"pkg:npm/x@~4.17.1", "4.17.1 4.17.99", "4.17.2-a", "4.18.0"},
		{"pkg:npm/x@^1.2 || ^3", "1.2.0 3.9.9", "", "2.0.0 4.0.0"},
		{"pkg:npm/x@1.2.3 - 2.3.4", "1.2.3 2.3.4", "", "1.2.2 2.3.5"},
		{"pkg:npm/x@>=2.0.0-rc.1 <3", "2.0.0-rc.1 2.0.0-rc.2 2.5.0", "2.5.0-rc.1 3.0.0-rc.1", "2.0.0-beta 3.0.0"},
		{"pkg:npm/x@=1.2.3", "1.2.3", "", "1.2.4"},
		{"pkg:npm/x@==1.2.3", "1.2.3", "", "1.2.4"},
		{"pkg:npm/@scope/x@^4", "", "", "4.0.0"},

		{"pkg:pypi/x@>=2.0,<3", "2.0 2.1 2.1.post1 2.99", "3.0rc1 2.1a1 2.1.dev3 2.1+local", "1.9 3.0 3 1!2.1"},
		{"pkg:pypi/x@>=2.0 <3", "2.5", "3.0rc1", "3.0"},
		{"pkg:pypi/x@<4", "3.9", "4.0rc1 4.0.dev1 3.0b2", "4.0 5"},
		{"pkg:pypi/x@~=2.1", "2.1 2.9", "2.2rc1", "3.0 2.0"},
		{"pkg:pypi/x@==2.*", "2.1 2", "2.1b1", "3.0"},
		{"pkg:pypi/x@>=2.0rc1,<3", "2.0rc1 2.0rc2 2.0 2.5", "2.5rc1 3.0rc1", "2.0b1 3.0"},
		{"pkg:pypi/x@>1,!=2.0", "1.5 2.1", "", "2.0 1 0.9"},
		{"pkg:pypi/x@>=1!2.0", "1!2.0 1!3", "", "2.0 3"},

		{"pkg:cargo/x@>=1.2 <2", "1.2.0 1.99.0", "1.5.0-alpha 2.0.0-alpha", "1.1.9 2.0.0"},
		{"pkg:cargo/x@^0.2.3", "0.2.3 0.2.99", "", "0.3.0 0.2.2"},
		{"pkg:cargo/x@~1.2", "1.2.0 1.2.9", "", "1.3.0"},
		{"pkg:cargo/x@>=1, <1.5", "1.4.9", "", "1.5.0"},

		{"pkg:golang/example.org/x@>=v1.2.0 <v2", "v1.2.0 v1.99.0 v1.3.0+incompatible", "v1.3.0-0.20240102030405-abcdefabcdef v2.0.0-rc.1 master", "v1.1.9 v2.0.0 v2.0.0+incompatible"},
		{"pkg:golang/example.org/x@>=v0.0.0-20240102030405-abcdefabcdef", "v0.0.0-20250102030405-abcdefabcdef v1.0.0", "v1.2.0-0.20240102030405-abcdefabcdef", "v0.0.0-20230102030405-abcdefabcdef"},

		{"pkg:maven/org.example/x@[1.0,2.0)", "1.0 1.5 1.9.9-jre", "2.0-alpha-1 2.0-SNAPSHOT 1.5-rc1 1.5-M2", "2.0 0.9"},
		{"pkg:maven/org.example/x@>=1.0 <2.0", "1.0 1.5", "2.0-SNAPSHOT", "2.0 0.9"},
		{"pkg:maven/org.example/x@(,1.0],[1.2,)", "0.9 1.0 1.2 3", "", "1.1"},
		{"pkg:maven/org.example/x@[1.5]", "1.5 1.5.0", "", "1.5.1"},
		{"pkg:maven/org.example/x@=1.5", "1.5", "", "1.5.1"},
		{"pkg:maven/org.example/x@>1", "1.0.1 2", "", "1"},

		{"pkg:gem/x@~> 1.2", "1.2 1.9.9", "1.5.0.rc1", "2.0 1.1"},
		{"pkg:gem/x@>= 1, < 2", "1.0 1.9", "2.0.a", "2.0"},
		{"pkg:gem/x@>=7 <8", "7.0.0 7.99", "7.1.a 8.0.0.beta1", "6.1.7 8.0"},
		{"pkg:nuget/x@[1.0,2.0)", "1.0.0 1.9.0", "2.0.0-a", "2.0.0"},
		{"pkg:nuget/X@>=13.0.1 <14", "13.0.1 13.0.1.0 13.9", "13.5.0-beta 14.0.0-RC1", "13.0.0 14.0"},

		{"pkg:composer/v/x@>=1.2 <2", "1.2.0 v1.9.9 1.9.9.9 1.5.0-p1", "1.2.0-beta1 1.5-RC2 2.0.0-dev dev-main 1.x-dev", "1.1 2.0.0 2.0.0-p1"},
		{"pkg:composer/v/x@^1.2", "1.2 1.99.0", "1.3-alpha", "1.1.9 2.0"},
		{"pkg:composer/v/x@^0.3", "0.3.0 0.3.9", "", "0.4 0.2.9 1.0"},
		{"pkg:composer/v/x@^0.0.3", "0.0.3", "", "0.0.4"},
		{"pkg:composer/v/x@~1.2", "1.2 1.9", "", "2.0"},
		{"pkg:composer/v/x@~1.2.3", "1.2.3 1.2.9", "", "1.3"},
		{"pkg:composer/v/x@~1", "1 1.9", "", "2"},
		{"pkg:composer/v/x@^1.2 || ^3", "1.5 3.1", "", "2.1"},
		{"pkg:composer/v/x@>=1.0-RC1, <2", "1.0-RC1 1.0RC2 1.0", "1.0-RC1-dev 1.5-RC1 0123456789abcdef0123456789abcdef01234567", "1.0-beta3 2.0"},

		{"pkg:deb/debian/x@>=7.88.1 <8", "7.88.1 7.88.1-10+deb12u5 7.99 8~rc1", "nonsense", "7.88.1~rc1 8 7.88"},
		{"pkg:deb/debian/x@>=1.0-1 <1.0-10", "1.0-1 1.0-9 1.0-9+b1", "", "1.0-10 1:1.0-5"},
		{"pkg:deb/debian/x@>=2.0?arch=amd64", "", "", "2.0"},
	} {
		for want, versions := range map[string]string{"allow": tt.allow, "deny": tt.deny, "none": tt.none} {
			for version := range strings.FieldsSeq(versions) {
				q := packageRequest(nameOf(tt.rule) + "@" + version)
				allow := decide(t, mustParse(t, "allow:\n  - "+tt.rule), q).Action == policy.Allow
				deny := decide(t, mustParse(t, "default: allow\ndeny:\n  - "+tt.rule), q).Action == policy.Deny
				if allow != (want == "allow") || deny != (want != "none") {
					t.Errorf("%s, %s: allow rule %v, deny rule %v, want %s", tt.rule, version, allow, deny, want)
				}
			}
		}
	}
}

// nameOf returns the rule without its range, for rules whose names have no @.
func nameOf(rule string) string {
	name, _, _ := strings.Cut(rule, "@")
	return name
}

func TestRangesBesideVersions(t *testing.T) {
	allow := mustParse(t, "allow: ['pkg:npm/@scope/x@>=1.2 <2', 'pkg:npm/tool-*@^1', 'pkg:deb/debian/x@>=2.0?arch=amd64']")
	deny := mustParse(t, "default: allow\ndeny: ['pkg:npm/@scope/x@<2']")
	for _, tt := range []struct {
		purl        string
		allow, deny bool
	}{
		{"pkg:npm/%40scope/x@1.2.0", true, true},
		{"pkg:npm/%40scope/x@2.0.0", false, false},
		{"pkg:npm/%40scope/x@" + strings.Repeat("1", 300), false, true},
		{"pkg:npm/%40scope/x", true, false}, // about the package: an allow rule for a version needs it
		{"pkg:npm/tool-a@1.5.0", true, false},
		{"pkg:npm/tool-a@2.5.0", false, false},
		{"pkg:deb/debian/x@2.1?arch=amd64", true, false},
		{"pkg:deb/debian/x@2.1?arch=arm64", false, false},
		{"pkg:deb/debian/x@1.9?arch=amd64", false, false},
	} {
		q := packageRequest(tt.purl)
		if got := decide(t, allow, q).Action == policy.Allow; got != tt.allow {
			t.Errorf("%s allowed: %v", tt.purl, got)
		}
		if got := decide(t, deny, q).Action == policy.Deny; got != tt.deny {
			t.Errorf("%s denied: %v", tt.purl, got)
		}
	}
}

// TestRangeOffTheWire checks that a version that a client made up to look like a
// range is no range once its line stands in a policy.
func TestRangeOffTheWire(t *testing.T) {
	for _, version := range []string{"%3E%3D0", "%5E1", "%5B0%2C%29", "~1", "~%3E%201", "*", "%2A", "1%20-%202", "%7C%7C"} {
		for _, typ := range []string{"npm/x", "pypi/x", "maven/g/x", "golang/example.org/x", "deb/debian/x", "cargo/x", "gem/x", "nuget/x", "composer/v/x", "docker/x"} {
			q := packageRequest("pkg:" + typ + "@" + version)
			p, err := Parse("policy.yaml", []byte("version: 1\nallow:\n  "+q.Line()+"\n"))
			if err != nil {
				continue // refused: nothing runs
			}
			for _, other := range []string{"1.5", "1.5.0", "v1.5.0", "0", "2.0"} {
				if d := decide(t, p, packageRequest("pkg:"+typ+"@"+other)); d.Action == policy.Allow && version != "*" {
					t.Errorf("%s allows version %s", q.Line(), other)
				}
			}
		}
	}
}

// FuzzRanges checks that no range and no version panics or is slow, and that what
// an allow rule lets in a deny rule would keep out.
func FuzzRanges(f *testing.F) {
	for _, tt := range []struct{ typ, text, version string }{
		{"npm", ">=4.17.21 <5", "4.18.0"}, {"npm", "^1 || ~2.x", "2.0.0-rc.1"}, {"pypi", "~=2.1,!=2.3", "1!2.1rc1.post2+local"},
		{"maven", "[1.0,2.0),(3,]", "1.0-alpha-1"}, {"gem", "~> 1.2.a", "1.3"}, {"nuget", "[1,2)", "1.0.0"},
		{"golang", ">=v1.2.0 <v2", "v1.3.0-0.2024"}, {"deb", ">=1.0~rc1-1", "1.0+dfsg-1"}, {"cargo", ">=1, <2", "1.0.0"}, {"composer", "^1", "1"},
	} {
		f.Add(tt.typ, tt.text, tt.version)
	}
	f.Fuzz(func(t *testing.T, typ, text, version string) {
		r, err := newRange(typ, text)
		if err != nil {
			return
		}
		in, known := r.contains(version, false)
		loose, knownLoose := r.contains(version, true)
		if in && known && !loose && knownLoose {
			t.Fatalf("%s: %q allows %q and does not deny it", typ, text, version)
		}
	})
}
