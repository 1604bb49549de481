package learn

import (
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// lockedWords begin the comment on a rule for what lockfiles name.
func lockedWords(files []string) string {
	return "in " + plain(strings.Join(files, ", "))
}

// words are the evidence for a package: lockfiles, traffic or both.
func (p *printer) words(line *packageLine) string {
	seen := ""
	if line.requests > 0 {
		seen = line.seenIn(p.runs) + line.counted()
	}
	switch {
	case line.locked == nil:
		return seen
	case seen == "":
		return lockedWords(line.locked)
	default:
		return lockedWords(line.locked) + ", " + seen
	}
}

// lockRegistry writes a registry that nothing was read from.
func (p *printer) lockRegistry(r *registry, alone, first bool) {
	if alone {
		p.linef("  %s: %s  # %s", r.typ, scalar(r.url), comment(r.lock, "", r.reviews))
		return
	}
	if first {
		p.linef("  %s:", r.typ)
	}
	p.linef("    - %s  # %s", scalar(r.url), comment(r.lock, "", r.reviews))
}

// beside writes the rules for what clients ask besides packages.
func (p *printer) beside(lines []*besideLine) {
	for i, b := range lines {
		if i == 0 {
			p.linef("\n  # What clients ask registries besides packages, by the protocols of these.")
		}
		p.besideLine(b)
	}
}

func (p *printer) besideLine(b *besideLine) {
	p.linef("  - host: %s  # %s: %s", scalar(b.host), lockedWords(b.files), plain(b.why))
	if b.method != "" {
		p.linef("    methods: [%s]", b.method)
	}
	p.linef("    paths:")
	for _, path := range b.paths {
		p.linef("      - %s", scalar(path))
	}
	if b.port != policy.DefaultPort(b.scheme) {
		p.linef("    ports: [%d]", b.port)
	}
	if b.scheme != "https" {
		p.linef("    schemes: [%s]", b.scheme)
	}
	p.networks(b.networks)
}

// madeFrom is the head of a policy for which nothing was run.
func (p *printer) madeFrom(o *Options) {
	p.linef("# Made by %s from what is named in %s.", strings.TrimSpace("proxaudit "+plain(o.Version)), plain(fileNames(o.Lockfiles)))
	p.linef("# It says what is named there, not that it is right: review it, then enforce it.")
	p.linef("version: 1")
	p.linef("default: deny")
}
