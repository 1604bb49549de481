package lockfile

import (
	"fmt"
	"slices"
	"testing"
)

// TestFetches: what a file says of a repository, in the words of each client, is
// asked for by exactly two requests, and an address by one.
func TestFetches(t *testing.T) {
	const sha = "0123456789abcdef0123456789abcdef01234567"
	demo := []string{"GET https://git.example.org:443/acme/demo/info/refs?service=git-upload-pack", "POST https://git.example.org:443/acme/demo/git-upload-pack?"}
	for _, tt := range []struct {
		name, kind, text, commit string
		want                     []string
	}{
		{"Bundler", "git", "https://git.example.org/acme/demo " + sha, sha, demo},
		{"Poetry, a branch", "git", "https://git.example.org/acme/demo main", "", demo},
		{"Cargo", "git", "git+https://git.example.org/acme/demo?rev=0123456#" + sha, sha, demo},
		{"uv", "git", "https://git.example.org/acme/demo?rev=v1#" + sha, sha, demo},
		{"npm", "git", "git+https://git.example.org/acme/demo#" + sha, sha, demo},
		{"Yarn", "git", "https://git.example.org/acme/demo#commit=" + sha, sha, demo},
		{"pip", "git", "git+https://git.example.org/acme/demo@" + sha + "#egg=demo", sha, demo},
		{"pip, a tag", "git", "git+https://user@git.example.org/acme/demo@v1.0#egg=demo", "", demo},
		{"a slash behind it", "git", "https://git.example.org/acme/demo/", "", demo},
		{"a port, as it is spelled", "git", "http://git.example.org:8080/acme/demo.git", "", []string{
			"GET http://git.example.org:8080/acme/demo.git/info/refs?service=git-upload-pack", "POST http://git.example.org:8080/acme/demo.git/git-upload-pack?"}},
		{"ssh", "git", "git+ssh://git@git.example.org/acme/demo.git#" + sha, sha, nil},
		{"a name for scp", "git", "git@git.example.org:acme/demo.git " + sha, sha, nil},
		{"a whole host", "git", "https://git.example.org/", "", nil},
		{"an address", "url", "https://files.example.org/a/b.tgz#frag", "", []string{"GET https://files.example.org:443/a/b.tgz?"}},
		{"an address with a pattern", "url", "https://files.example.org/{int}/**", "", []string{"GET https://files.example.org:443/%7Bint%7D/%2A%2A?"}},
		{"an address with a query", "url", "https://files.example.org/a.zip?sha=1", "", []string{"GET https://files.example.org:443/a.zip?sha=1"}},
		{"an archive that is redirected to", "url", "https://api.example.org/repos/acme/demo/zipball/" + sha, "", []string{
			"GET https://api.example.org:443/repos/acme/demo/zipball/" + sha + "?",
			"GET https://codeload.example.org:443/acme/demo/legacy.zip/" + sha + "? via https://api.example.org/repos/acme/demo/zipball/" + sha}},
		{"no API", "url", "https://git.example.org/repos/acme/demo/zipball/1", "", []string{"GET https://git.example.org:443/repos/acme/demo/zipball/1?"}},
		{"no address", "url", "::", "", nil},
		{"no name", "odd", "https://files.example.org/a", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := Elsewhere{Kind: tt.kind, Text: tt.text}
			fetches, commit := e.Fetches()
			var got []string
			for _, f := range fetches {
				got = append(got, fmt.Sprintf("%s %s://%s:%d%s?%s", f.Method, f.Scheme, f.Host, f.Port, f.Path, f.RawQuery))
				if f.Via != "" {
					got[len(got)-1] += " via " + f.Via
				}
			}
			if !slices.Equal(got, tt.want) || commit != tt.commit {
				t.Errorf("%q at %q, want %q at %q", got, commit, tt.want, tt.commit)
			}
		})
	}
}

// TestSdists: the packages of which a file shows that they are built.
func TestSdists(t *testing.T) {
	const sum = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for _, tt := range []struct {
		name, file, text string
		want             []Sdist
	}{
		{"uv", "uv.lock", `[[package]]
name = "a"
version = "1.0"
source = { registry = "https://pypi.example.org/simple" }
sdist = { url = "https://files.example.org/packages/00/a-1.0.tar.gz", hash = "` + sum + `" }

[[package]]
name = "b"
version = "1.0"
source = { registry = "https://pypi.example.org/simple" }
sdist = { url = "https://files.example.org/packages/00/b-1.0.tar.gz", hash = "` + sum + `" }
wheels = [{ url = "https://files.example.org/packages/00/b-1.0-py3-none-any.whl", hash = "` + sum + `" }]
`, []Sdist{{"pkg:pypi/a@1.0", 1}}},
		{"Poetry", "poetry.lock", `[[package]]
name = "b"
version = "1.0"
files = [{file = "b-1.0-py3-none-any.whl", hash = "` + sum + `"}, {file = "b-1.0.tar.gz", hash = "` + sum + `"}]

[[package]]
name = "a"
version = "1.0"
files = [{file = "a-1.0.tar.gz", hash = "` + sum + `"}]
`, []Sdist{{"pkg:pypi/a@1.0", 6}}},
		{"pip, one", "requirements.txt", "--no-binary a_b\na-b==1.0 --hash=" + sum + "\nb==1.0 --hash=" + sum + "\n", []Sdist{{"pkg:pypi/a-b@1.0", 2}}},
		{"pip, all", "requirements.txt", "--no-binary=:all:\na==1.0\nb==1.0\n", []Sdist{{"pkg:pypi/a@1.0", 2}, {"pkg:pypi/b@1.0", 3}}},
		{"pip, none after all", "requirements.txt", "--no-binary :all:\n--no-binary :none:\na==1.0\n", nil},
		{"pip", "requirements.txt", "a==1.0 --hash=" + sum + "\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Parse(tt.file, []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(l.Sdists, tt.want) {
				t.Errorf("%v, want %v", l.Sdists, tt.want)
			}
		})
	}
}
