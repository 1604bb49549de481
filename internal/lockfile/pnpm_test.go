package lockfile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pnpmSeeds are sections: those that lines are read of, and those that are YAML's.
var pnpmSeeds = map[string]bool{
	"packages:\n\n  a@1.0.0:\n    resolution: {integrity: sha512-AA==}\n    engines: {node: '>=6'}\n    hasBin: true\n\n  '@o/b@2.0.0':\n    resolution: {integrity: sha512-BB==, tarball: https://npm.example.org/b.tgz}\n    deprecated: >-\n      old: do not\n        use it\n    peerDependencies:\n      a: '*'\n    cpu: [x64]\n": true,
	"packages:\n  /a/1.0.0:\n    resolution: {integrity: sha1-AA=}\n    dev: true\n":                                                                           true,
	"packages:\n  a@https://git.example.org/a/tar.gz/abc:\n    resolution: {tarball: https://git.example.org/a/tar.gz/abc}\n    name: a\n    version: 1.0.0\n": true,
	"packages:\n  a@1.0.0:\n    resolution: {commit: abc, repo: https://git.example.org/a, type: git}\n":                                                       true,
	"packages:\n":                            true,
	"packages:\n  a@1.0.0:\n    dev: true\n": false,
	"packages:\n  a@1.0.0:\n    resolution:\n      integrity: sha512-AA==\n":                                      false,
	"packages:\n  a@1.0.0:\n    resolution: {integrity: sha512-AA==}\n      x\n":                                  false,
	"packages:\n  a@1.0.0:\n    engines: {node: 'a}\n      ', x: y}\n    resolution: {integrity: sha512-AA==}\n":  false,
	"packages:\n  a@1.0.0: # x\n    resolution: {integrity: sha512-AA==}\n":                                       false,
	"packages:\n  a@1.0.0:\n    <<: *x\n    resolution: {integrity: sha512-AA==}\n":                               false,
	"packages:\n  a@1.0.0: &x\n    resolution: {integrity: sha512-AA==}\n":                                        false,
	"packages:\n  ? a@1.0.0\n  : {resolution: {integrity: sha512-AA==}}\n":                                        false,
	"packages: {a@1.0.0: {resolution: {integrity: sha512-AA==}}}\n":                                               false,
	"packages:\r\n  a@1.0.0:\r\n    resolution: {integrity: sha512-AA==}\r\n":                                     false,
	"packages:\n  a@1.0.0:\n    resolution: {integrity: \"sha512-AA==\"}\n":                                       false,
	"packages:\n    a@1.0.0:\n      resolution: {integrity: sha512-AA==}\n":                                       false,
	"packages:\n  a@1.0.0:\n    resolution: {integrity: sha512-AA==}\n    resolution: {integrity: sha512-BB==}\n": false,
}

func pnpmBy(read func(*reader) error) (*Lockfile, error) {
	r := &reader{Lockfile: &Lockfile{Type: "npm"}, entries: map[string]bool{}, bases: map[string]int{}}
	err := read(r)
	return r.Lockfile, err
}

// checkPNPM holds what is read of lines to what the YAML reader makes of them.
func checkPNPM(t *testing.T, section string) (byLines bool) {
	entries, ok := pnpmLines([]byte(section))
	if !ok {
		return false
	}
	want, err := pnpmBy(func(r *reader) error { return r.pnpmYAML([]byte(section), 0) })
	if err != nil {
		// What is no YAML in a member that is not looked at is not looked at.
		return true
	}
	got, err := pnpmBy(func(r *reader) error {
		for i := range entries {
			if err := r.pnpmPackage(entries[i].key, &entries[i].pnpmValue, entries[i].line); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !cmp.Equal(got, want) {
		t.Fatalf("%q: %v\n%s", section, err, cmp.Diff(want, got))
	}
	return true
}

func TestPNPMLines(t *testing.T) {
	for section, want := range pnpmSeeds {
		if got := checkPNPM(t, section); got != want {
			t.Errorf("%q is read by lines: %v, want %v", section, got, want)
		}
	}
}

func FuzzPNPMLines(f *testing.F) {
	for section := range pnpmSeeds {
		f.Add(section)
	}
	f.Fuzz(func(t *testing.T, section string) { checkPNPM(t, section) })
}
