package allowlist

import (
	"strings"
	"testing"
)

// TestEmptyRanges has, for each ecosystem, ranges that no version is in and, as
// near to them as can be, ranges that one is in.
func TestEmptyRanges(t *testing.T) {
	for typ, tt := range map[string]struct{ empty, some string }{
		"npm/x":                {">=5 <4; >4 <4; =4.0.0 =5.0.0; ^2 ^3; >=5 <4 || >=6 <5; <0", ">=4 <=4; >=5 <4 || ^3; ^2 >=2.5"},
		"golang/example.org/x": {">=v5.0.0 <v4.0.0; =v1.0.0 =v1.0.1; >v1.0.0 <v1.0.0", ">=v1.0.0 <=v1.0.0; >=v4.0.0 <v5"},
		"cargo/x":              {">=5, <4; =4.0.0, =5.0.0; ^1, ^2", ">=4, <=4"},
		"pypi/x":               {">=5,<4; ==4,==5; ==4,!=4; >=4,<=4,!=4; ~=2.1,<2; >1.0,<1.0", ">=4,<=4; ==4.*,!=4.1; >=4,!=4"},
		"gem/x":                {">=5 <4; ~> 1.2, < 1; = 1, = 2", ">=4, <=4; ~> 1.2, < 1.5"},
		"maven/g/x":            {">=5 <4; >4 <4; [5,4]; (4,4); [4,4); [1,2],[5,4]; [1,2],(4,4.0)", "[4,4]; >=4 <=4; (4,5)"},
		"nuget/x":              {">=5 <4; >4 <=4; [5,4]; (4,4)", "[4,4]; [4]; >=4 <=4"},
		"deb/debian/x":         {">=5 <4; >4 <4; =4 =5; =4 !=4; >=4 <=4 !=4; >=5~ <5~", ">=4 <=4; >=4 !=4; >=5~ <5"},
		"composer/v/x":         {">=5 <4; >4 <4; =4 =5; ^2 ^3; ~2.1 <2; >=5 <4 | >=6 <5; 4 !=4", ">=5 <4 || ^3; ^3 || >=5 <4; >=4 <=4; ^2 >=2.5"},
	} {
		for i, list := range []string{tt.empty, tt.some} {
			for text := range strings.SplitSeq(list, "; ") {
				_, err := Parse("policy.yaml", []byte("version: 1\nallow:\n  - 'pkg:"+typ+"@"+text+"'\n"))
				if empty := err != nil && strings.Contains(err.Error(), "no version is in it"); empty != (i == 0) || (err != nil) != empty {
					t.Errorf("%s@%s: %v", typ, text, err)
				}
			}
		}
	}
}

func TestOneVersion(t *testing.T) {
	for list, want := range map[string]bool{
		"pkg:npm/x@1.2.3; pkg:npm/%40o/x@=1.2.3; pkg:npm/x@==1.2.3-rc.1; pkg:pypi/x@==1.0.post1; pkg:pypi/x@==1.0+cu118; pkg:pypi/x@1%212.0":  true,
		"pkg:maven/g/x@[1.5]; pkg:nuget/x@=1.5; pkg:deb/debian/x@1.0~rc1?arch=amd64; pkg:gem/x@= 1.2; pkg:composer/v/x@=4; pkg:docker/x@3.19": true,
		"pkg:npm/x; pkg:npm/x@4.*; pkg:npm/x@=1.2; pkg:cargo/x@=1; pkg:pypi/x@==2.*; pkg:pypi/x@!=2; pkg:npm/x@>=1 <2; pkg:npm/x@~1":          false,
		"pkg:maven/g/x@[1.5,); pkg:maven/g/x@(,1.5]; pkg:npm/x@^1.2.3; pkg:gem/x@~> 1.2.3; pkg:pypi/x@==1,==1; pkg:npm/x@=1.2.3 || =1.2.4":    false,
	} {
		for text := range strings.SplitSeq(list, "; ") {
			facts := mustParse(t, "allow: ['"+text+"']").Facts()
			if len(facts) != 1 || facts[0].OneVersion != want {
				t.Errorf("%s: %+v, want %v", text, facts, want)
			}
		}
	}
}
