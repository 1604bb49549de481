package lockfile_test

import (
	"slices"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/lockfile"
)

// TestUnnamed: a mirror may stand for the registry that most of a lockfile is from,
// and for no other.
func TestUnnamed(t *testing.T) {
	two := `{"lockfileVersion": 3, "packages": {
"node_modules/a": {"version": "1.0.0", "resolved": "https://npm.example.org/a/-/a-1.0.0.tgz"},
"node_modules/b": {"version": "1.0.0", "resolved": "https://npm.example.org/b/-/b-1.0.0.tgz"},
"node_modules/@corp/c": {"version": "1.0.0", "resolved": "https://npm.corp.example:8443/repository/npm/@corp/c/-/c-1.0.0.tgz"}
}}`
	yarn := "# yarn lockfile v1\n\na@^1.0.0:\n  version \"1.0.0\"\n  resolved \"https://yarn.example.org/a/-/a-1.0.0.tgz#00\"\n"
	for _, tt := range []struct {
		name, file, text string
		known, want      []string
	}{
		{"the public one known", "package-lock.json", two, []string{"https://npm.example.org/"}, []string{"https://npm.corp.example:8443/repository/npm/"}},
		{"the private one known", "package-lock.json", two, []string{"https://npm.corp.example:8443/repository/npm/"}, []string{"https://npm.example.org/"}},
		{"both known", "package-lock.json", two, []string{"https://npm.corp.example:8443/repository/npm/", "https://npm.example.org/"}, nil},
		{"a mirror", "package-lock.json", two, []string{"https://mirror.example.org/"}, []string{"https://npm.corp.example:8443/repository/npm/"}},
		{"yarn 1 has no mirrors", "yarn.lock", yarn, []string{"https://mirror.example.org/"}, []string{"https://yarn.example.org/"}},
		{"none recorded", "package-lock.json", `{"lockfileVersion": 3, "packages": {}}`, []string{"https://mirror.example.org/"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := lockfile.Parse(tt.file, []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range l.Unnamed(tt.known) {
				got = append(got, r.URL)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("Unnamed(%q) = %q, want %q", tt.known, got, tt.want)
			}
		})
	}
}
