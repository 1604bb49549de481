package lockfile

import (
	"slices"
	"strings"
)

// Rule is a rule that a client needs to install what the lockfile names, in the
// form that a policy has for one line. All of them allow.
type Rule struct {
	Text string
	// Line is that of the lockfile, 0 for what comes with its kind.
	Line int
	// Why is the reason for a rule that is about no package of the lockfile; else
	// it is empty.
	Why string
}

// Rules returns the rules for the packages, and for what else a client reads or
// asks at the registries: base URLs that end with a slash.
func (l *Lockfile) Rules(registries []string) []Rule {
	var out []Rule
	for _, e := range l.Entries {
		if e.ModFile == "" {
			out = append(out, Rule{Text: e.Package, Line: e.Line})
		}
	}
	for _, base := range registries {
		for _, e := range l.Entries {
			if e.ModFile != "" {
				out = append(out, Rule{Text: base + e.ModFile, Line: e.Line, Why: "the go.mod alone: the module takes part in choosing versions"})
			}
		}
		for _, n := range needs {
			if n.typ == l.Type && n.of(l) {
				out = append(out, Rule{Text: n.text(base), Why: n.why})
			}
		}
	}
	return out
}

// need is something that a client asks a registry for besides packages. To add
// one, list it in needs, with its source.
type need struct {
	typ    string
	method string // with a space behind it; empty for reads
	path   string // below the base
	why    string
	// files are the lockfiles of the clients that ask for it; nil means all.
	files []string
	// toolchain is true where only a lockfile that names a version of Go needs it.
	toolchain bool
}

var needs = []need{
	{typ: "npm", method: "POST ", path: "-/npm/v1/security/advisories/bulk", files: npmFiles,
		why: "npm asks for advisories about what it installs; --no-audit turns it off"},
	{typ: "npm", method: "POST ", path: "-/npm/v1/security/audits/quick", files: npmFiles,
		why: "npm asks a registry without the above for advisories; --no-audit turns it off"},
	{typ: "npm", path: "npm", files: npmFiles,
		why: "npm looks for a newer npm; npm_config_update_notifier=false turns it off"},
	{typ: "npm", path: "pnpm", files: []string{"pnpm-lock.yaml"},
		why: "pnpm looks for a newer pnpm; npm_config_update_notifier=false turns it off"},
	{typ: "pypi", path: "simple/pip/", files: pipFiles,
		why: "pip looks for a newer pip; PIP_DISABLE_PIP_VERSION_CHECK=1 turns it off"},
	{typ: "golang", path: "sumdb/*/supported", toolchain: true,
		why: "the go command checks a toolchain against the checksum database"},
	{typ: "golang", path: "sumdb/*/tile/**", toolchain: true,
		why: "the tiles of the checksum database, whose names change from day to day"},
	{typ: "golang", path: "tile/**", toolchain: true,
		why: "the same tiles, where the registry is a checksum database itself"},
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

func (n *need) text(base string) string {
	path := n.path
	if strings.HasSuffix(base, "/simple/") { // the base may be the index itself
		path = strings.TrimPrefix(path, "simple/")
	}
	return n.method + base + path
}
