package attack

import (
	"maps"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"
)

// fixed are the placeholders that stand for what is the attacker's, or does not
// matter.
var fixed = strings.NewReplacer(
	"<me>", attacker, "<user>", attacker, "<id>", "proxaudit-corpus", "<region>", "us-east-1",
	"<uuid>", "00000000-0000-4000-8000-000000000000", "<sha>", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
)

// filler knows what a policy names.
type filler struct {
	registries map[string][]string
	packages   map[string]string // purl type → name
	repos      []repo
}

// repo is a repository of source code that a policy lets something read.
type repo struct{ host, owner, name string }

func newFiller(s Scope) *filler {
	f := &filler{registries: s.Registries, packages: map[string]string{}, repos: repos(s.Rules)}
	for _, r := range s.Rules {
		if p, ok := purlOf(r.Package); ok && f.packages[p.Type] == "" {
			f.packages[p.Type] = fullName(p)
		}
	}
	return f
}

// fill returns the URL once for each combination of what its placeholders stand
// for.
func (f *filler) fill(url string) []string {
	url = fixed.Replace(url)
	if !strings.Contains(url, "{") {
		return []string{url}
	}
	var out []string
	if typ, path, ok := strings.Cut(strings.TrimPrefix(url, "{"), "}"); ok && strings.HasPrefix(url, "{") {
		name := f.packages[typ]
		if name == "" {
			name = "example-package"
		}
		for _, base := range f.registries[typ] {
			out = append(out, strings.TrimSuffix(base, "/")+strings.ReplaceAll(path, "<pkg>", name))
		}
		return out
	}
	for _, r := range f.repos {
		if !strings.Contains(url, "{codehost}") && r.host != "github.com" {
			continue // the URL is one of GitHub's
		}
		filled := strings.NewReplacer("{codehost}", r.host, "{owner}", r.owner, "{repo}", r.name).Replace(url)
		if !slices.Contains(out, filled) {
			out = append(out, filled)
		}
	}
	return out
}

// repos returns the repositories that rules name on hosts of source code, sorted
// and at most maxRepos of them, and one where there are none: who knows no
// repository of the victim asks for another.
func repos(rules []Rule) []repo {
	seen := map[repo]bool{}
	for _, r := range rules {
		for _, path := range r.Paths {
			if one, ok := repoOf(r.Host, path); ok {
				seen[one] = true
			}
		}
	}
	out := slices.Collect(maps.Keys(seen))
	slices.SortFunc(out, func(a, b repo) int {
		return strings.Compare(a.host+"/"+a.owner+"/"+a.name, b.host+"/"+b.owner+"/"+b.name)
	})
	out = out[:min(len(out), maxRepos)]
	if !slices.ContainsFunc(out, func(r repo) bool { return r.host == "github.com" }) {
		out = append(out, repo{"github.com", "example", "app"})
	}
	return out
}

// repoOf reads owner and repository from a path pattern, where both are literal.
// The hosts of GitHub serve the same repositories, each in its own way.
func repoOf(host, path string) (repo, bool) {
	switch host {
	case "api.github.com", "uploads.github.com":
		rest, ok := strings.CutPrefix(path, "/repos")
		if !ok {
			return repo{}, false
		}
		host, path = "github.com", rest
	case "raw.githubusercontent.com", "codeload.github.com":
		host = "github.com"
	case "github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "gitee.com":
	default:
		return gitRepoOf(host, path)
	}
	parts := strings.Split(path, "/")
	if len(parts) < 3 || parts[0] != "" || parts[1] == "" || parts[2] == "" || strings.ContainsAny(parts[1]+parts[2], "*{") {
		return repo{}, false
	}
	return repo{host, parts[1], strings.TrimSuffix(parts[2], ".git")}, true
}

// gitRepoOf knows a repository of any host by the paths that git asks for
// (gitprotocol-http(5)).
func gitRepoOf(host, path string) (repo, bool) {
	for _, service := range []string{"/info/refs", "/git-upload-pack", "/git-receive-pack"} {
		dir, ok := strings.CutSuffix(path, service)
		if !ok || strings.ContainsAny(dir, "*{") || strings.HasPrefix(host, "*") {
			continue
		}
		slash := strings.LastIndexByte(dir, '/')
		return repo{host, strings.TrimPrefix(dir[:max(slash, 0)], "/"), strings.TrimSuffix(dir[slash+1:], ".git")}, slash > 0
	}
	return repo{}, false
}

// purlOf reads a package rule whose name has no star. A range of versions is left
// out: it names no version.
func purlOf(text string) (packageurl.PackageURL, bool) {
	if text == "" {
		return packageurl.PackageURL{}, false
	}
	if at := strings.LastIndexByte(text, '@'); at > strings.LastIndexByte(text, '/') && strings.ContainsAny(text[at:], "<>=^|,[]() ~*") {
		text = text[:at]
	}
	p, err := packageurl.FromString(text)
	return p, err == nil && !strings.Contains(p.Namespace+p.Name, "*")
}

// fullName is a package's name as its own clients write it.
func fullName(p packageurl.PackageURL) string {
	if p.Namespace == "" {
		return p.Name
	}
	return p.Namespace + "/" + p.Name
}
