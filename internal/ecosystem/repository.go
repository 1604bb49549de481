package ecosystem

import "strings"

// repositoryForms are the base paths that repository managers give repositories.
// A star is one segment; the longer forms come first.
var repositoryForms = []string{
	"api/v4/projects/*/packages/*/", // GitLab
	"api/v4/groups/*/-/packages/*/",
	"api/v4/group/*/-/packages/*/",
	"_packaging/*/maven/v1/", // Azure Artifacts, below organization and project
	"_packaging/*/npm/registry/",
	"_packaging/*/nuget/v2/",
	"_packaging/*/nuget/v3/",
	"_packaging/*/*/",
	"artifactory/api/nuget/v3/*/", // Artifactory
	"artifactory/api/*/*/",
	"artifactory/*/",
	"content/repositories/*/", // Nexus 2
	"content/groups/*/",
	"repository/*/", // Nexus 3
}

// repositoryEnd returns the length of the base path, up to and with its slash,
// that path has by one of repositoryForms, or 0. No base of a Shape is shorter:
// two repositories of one server, or two projects of one GitLab, are never one
// registry.
func repositoryEnd(path string) int {
	if !strings.Contains(path, "/api/v4/") && !strings.Contains(path, "/_packaging/") && !strings.Contains(path, "/artifactory/") &&
		!strings.Contains(path, "/content/") && !strings.Contains(path, "/repository/") {
		return 0
	}
	for _, form := range repositoryForms {
		anchor, _, _ := strings.Cut(form, "*")
		i := strings.Index(path, "/"+anchor)
		if i < 0 {
			continue
		}
		if n := matchForm(path[i+1:], form); n > 0 {
			return i + 1 + n
		}
	}
	return 0
}

// matchForm returns the length of what form covers at the start of path.
func matchForm(path, form string) int {
	rest := path
	for want := range strings.SplitSeq(strings.TrimSuffix(form, "/"), "/") {
		segment, tail, more := first(rest)
		if !more || segment == "" || want != "*" && want != segment {
			return 0
		}
		rest = tail
	}
	return len(path) - len(rest)
}

// settle moves the base of a guess to where a repository manager's ends, when
// what follows reads as a package there.
func (g *grammar) settle(path string, f found) found {
	end := repositoryEnd(path)
	if end == 0 {
		return f
	}
	own, ok := g.read(path[:end], path[end:])
	if !ok || own.artifact != f.artifact {
		return f
	}
	own.unsure, own.plain = f.unsure, f.plain
	return own.at(end)
}
