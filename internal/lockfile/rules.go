package lockfile

import (
	"slices"
	"strings"
)

// Rule is something that a client needs to be allowed to install what the lockfile
// names: to read a package, or to ask a registry for something besides.
type Rule struct {
	// Package is the purl, with "==" in front of some Python versions. It is empty
	// for what is asked besides.
	Package string
	// Method is empty for reads. Base is the registry, and Path the pattern of what
	// is asked for below it.
	Method, Base, Path string
	// Line is that of the lockfile, 0 for what comes with its kind.
	Line int
	// Why is the reason for what is asked besides packages.
	Why string
}

// Text returns the rule in the form that a policy has for one line.
func (r Rule) Text() string {
	switch {
	case r.Package != "":
		return r.Package
	case r.Method != "":
		return r.Method + " " + r.Base + r.Path
	default:
		return r.Base + r.Path
	}
}

// Rules returns the rules for the packages, and for what else a client reads or
// asks at the registries: base URLs that end with a slash. Ask it of what At
// returns.
func (l *Lockfile) Rules(registries []string) []Rule {
	var out []Rule
	for _, e := range l.Entries {
		if e.ModFile == "" {
			out = append(out, Rule{Package: e.Package, Line: e.Line})
		}
	}
	for _, base := range registries {
		for _, e := range l.Entries {
			if e.ModFile != "" {
				out = append(out, Rule{Base: base, Path: e.ModFile, Line: e.Line, Why: modOnly})
			}
		}
		for _, n := range needs {
			if n.typ == l.Type && n.of(l) {
				out = append(out, Rule{Method: n.method, Base: base, Path: n.below(base), Why: n.why})
			}
		}
	}
	return out
}

const modOnly = "the go.mod alone, of a module that only takes part in choosing versions"

// need is something that a client asks a registry for besides packages. To add
// one, list it in needs, with its source.
type need struct {
	typ    string
	method string // empty for reads
	path   string // below the base
	why    string
	// files are the lockfiles of the clients that ask for it; nil means all.
	files []string
	// toolchain is true where only a lockfile that names a version of Go needs it.
	toolchain bool
}

var needs = []need{
	{typ: "npm", method: "POST", path: "-/npm/v1/security/advisories/bulk", files: npmFiles,
		why: "npm asks for advisories about what it installs; --no-audit turns it off"},
	{typ: "npm", method: "POST", path: "-/npm/v1/security/audits/quick", files: npmFiles,
		why: "npm asks for advisories, where a registry has no bulk of them; --no-audit turns it off"},
	{typ: "npm", path: "npm", files: npmFiles,
		why: "npm looks for a newer npm; npm_config_update_notifier=false turns it off"},
	{typ: "npm", path: "pnpm", files: []string{"pnpm-lock.yaml"},
		why: "pnpm looks for a newer pnpm; npm_config_update_notifier=false turns it off"},
	{typ: "pypi", path: "simple/pip/", files: pipFiles,
		why: "pip looks for a newer pip; PIP_DISABLE_PIP_VERSION_CHECK=1 turns it off"},
	{typ: "pypi", path: "simple/pdm/", files: []string{"pdm.lock"},
		why: "PDM looks for a newer PDM; PDM_CHECK_UPDATE=false turns it off"},
	{typ: "golang", path: "sumdb/*/supported", toolchain: true,
		why: "the go command checks a toolchain against the checksum database"},
	{typ: "golang", path: "sumdb/*/tile/**", toolchain: true,
		why: "the tiles of the checksum database, whose names change from day to day"},
	{typ: "golang", path: "tile/**", toolchain: true,
		why: "the same tiles, where the registry is a checksum database itself"},
	{typ: "gem", path: "versions",
		why: "the list of all gems, by which Bundler knows which of their pages have changed"},
	{typ: "nuget", path: "v3/index.json",
		why: "where the feed says that it keeps what"},
	{typ: "nuget", path: "index.json",
		why: "the same, where the registry is the folder of that file"},
	{typ: "composer", path: "packages.json",
		why: "where the repository says that it keeps what"},
	{typ: "cargo", path: "config.json",
		why: "where the index says that the files of crates lie"},
}

var (
	npmFiles = []string{"package-lock.json", "npm-shrinkwrap.json"}
	pipFiles = []string{"*.txt", "Pipfile.lock"}
)

func (n *need) of(l *Lockfile) bool {
	if n.files != nil && !slices.Contains(n.files, formatOf(l.Name).name) {
		return false
	}
	return !n.toolchain || slices.ContainsFunc(l.Entries, func(e Entry) bool {
		return strings.HasPrefix(e.Package, "pkg:golang/"+toolchain+"@")
	})
}

// below is where it is, below a base that may be the index of pip itself.
func (n *need) below(base string) string {
	if strings.HasSuffix(base, "/simple/") {
		return strings.TrimPrefix(n.path, "simple/")
	}
	return n.path
}
