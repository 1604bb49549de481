package learn

import (
	"net/url"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/lockfile"
	"github.com/juliendoutre/proxaudit/policy"
)

// lockPackages adds the packages, and what lies elsewhere.
func (l *Learner) lockPackages(d *draft, files []*lockfile.Lockfile, bases []string) {
	networks := l.baseNetworks(bases)
	for _, f := range files {
		ix := lockfile.NewIndex(f)
		spelled := map[*lockfile.Entry]bool{}
		for _, line := range d.packages {
			if e := ix.Find(line.purl); e != nil {
				line.locked, spelled[e] = addWord(line.locked, f.Name), true
			}
		}
		for i := range f.Entries {
			e := &f.Entries[i]
			if spelled[e] || e.ModFile != "" {
				continue
			}
			if l.covers(e.Package, bases) {
				continue
			}
			d.packages = append(d.packages, &packageLine{purl: e.Package, networks: networks, locked: []string{f.Name}})
		}
		// What was seen without a version is the metadata of what is named.
		d.packages = slices.DeleteFunc(d.packages, func(line *packageLine) bool {
			return line.locked == nil && nameOf(line.purl) == line.purl && ix.Has(line.purl)
		})
		l.lockElsewhere(d, f)
	}
}

// markUnlocked marks what was seen of an ecosystem and is in none of its lockfiles.
func markUnlocked(d *draft, typ string, files []*lockfile.Lockfile) {
	for _, line := range d.packages {
		if typeOf(line.purl) == typ && line.locked == nil {
			line.reviews = addWord(line.reviews, "not in "+fileNames(files))
		}
	}
}

// covers reports whether the policy that is merged into has a rule for a package at
// one of the registries. Such a rule is of use.
func (l *Learner) covers(purl string, bases []string) bool {
	name, version, _ := strings.Cut(purl, "@")
	if version, ok := strings.CutPrefix(version, "=="); ok {
		purl = name + "@" + url.PathEscape(version)
	}
	purl = strings.ReplaceAll(purl, "*", "x")
	for _, base := range bases {
		e, path, err := endpointOf(base)
		if err != nil {
			continue
		}
		if l.coversRequest(&policy.Request{
			Method: "GET", Scheme: e.scheme, Host: e.host, Port: e.port, Path: path, Package: purl, Registry: base,
		}) {
			return true
		}
	}
	return false
}

func (l *Learner) coversRequest(r *policy.Request) bool {
	if l.options.Existing == nil {
		return false
	}
	known := false
	l.options.Existing.Match(r, func(int, bool) { known = true })
	if known {
		l.usage.add(l.options.Existing, r, 0)
	}
	return known
}
