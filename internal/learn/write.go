package learn

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// WritePolicy writes what was learned as a YAML policy that enforce takes as it
// stands. Nothing is written when it returns an error that is not w's own: more
// was seen than a policy can list, or Options.Registries names no registry.
func (l *Learner) WritePolicy(w io.Writer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.overflow {
		return l.tooMuch()
	}
	d, err := l.draft()
	if err != nil {
		return err
	}
	p := printer{runs: d.runs}
	p.head(&l.options, d)
	p.registries(d.registries)
	p.allow(d)
	p.left(d)
	if p.Len() > l.maxPolicy {
		return l.tooMuch()
	}
	_, err = w.Write(p.Bytes())
	return err
}

// printer writes YAML. Every text in it goes through scalar or plain.
type printer struct {
	bytes.Buffer
	runs int
}

func (p *printer) linef(format string, args ...any) {
	_, _ = fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

// foreignReview is about a registry that may have no business among its like.
const foreignReview = "does it belong here?"

func (p *printer) registries(rs []*registry) {
	if len(rs) == 0 {
		return
	}
	p.linef("registries:")
	for i, r := range rs {
		alone := (i == 0 || rs[i-1].typ != r.typ) && (i+1 == len(rs) || rs[i+1].typ != r.typ)
		words := r.seenIn(p.runs) + count(len(r.names), "package")
		if r.lock != "" {
			p.lockRegistry(r, alone, i == 0 || rs[i-1].typ != r.typ)
			continue
		}
		if alone {
			p.linef("  %s: %s  # %s", r.typ, scalar(r.url), comment(words+", "+r.counted(), "", append(p.rarely(&r.evidence), r.reviews...)))
			continue
		}
		if i == 0 || rs[i-1].typ != r.typ {
			p.linef("  %s:", r.typ)
		}
		// A rule for a package holds at every registry of its kind: one that few
		// packages came from may have no business being there.
		reviews := append(p.rarely(&r.evidence), r.reviews...)
		if len(r.names)*2 < r.of {
			words += fmt.Sprintf(" of %d", r.of)
			reviews = append(reviews, foreignReview)
		}
		p.linef("    - %s  # %s", scalar(r.url), comment(words+", "+r.counted(), "", reviews))
	}
}

// packagesHead stands above the first package.
const packagesHead = "  # Packages, to be read from the registries above and nowhere else."

func (p *printer) allow(d *draft) {
	if len(d.packages)+len(d.rules)+len(d.beside) == 0 {
		p.linef("allow: []")
		return
	}
	p.linef("allow:")
	if len(d.packages) > 0 {
		p.linef(packagesHead)
	}
	for _, line := range d.packages {
		p.packageLine(line)
	}
	for i, r := range d.rules {
		if i > 0 || len(d.packages) > 0 {
			p.WriteByte('\n')
		}
		p.rule(r)
	}
	p.beside(d.beside)
}

func (p *printer) packageLine(line *packageLine) {
	note := comment(p.words(line), ending(line.example != "", "e.g. "+line.example), append(p.rarely(&line.evidence), line.reviews...))
	if len(line.networks) == 0 {
		p.linef("  - %s  # %s", scalar(line.purl), note)
		return
	}
	p.linef("  - package: %s  # %s", scalar(line.purl), note)
	p.networks(line.networks)
}

func (p *printer) rule(r *rule) {
	more, reviews := "", append(p.rarely(&r.evidence), r.reviews...)
	if p.runs == 1 && r.requests == 1 {
		reviews = append(reviews, seenOnce)
	}
	if len(r.paths) == 1 { // what is to be said of it is said of the rule
		more, reviews = r.paths[0].more(), append(reviews, r.paths[0].reviews...)
	}
	p.linef("  - host: %s  # %s", scalar(r.host), comment(r.seenIn(p.runs)+r.counted(), more, reviews))
	if len(r.methods) > 0 {
		p.linef("    methods: [%s]", strings.Join(each(r.methods, scalar), ", "))
	}
	if len(r.paths) > 0 {
		p.linef("    paths:")
	}
	for _, line := range r.paths {
		p.linef("      - %s%s", scalar(line.pattern), p.pathComment(r, line))
	}
	if r.query != "" {
		p.linef("    query: %s", r.query)
	}
	p.via(r.via)
	if r.port != policy.DefaultPort(r.scheme) {
		p.linef("    ports: [%d]", r.port)
	}
	if r.scheme != "https" {
		p.linef("    schemes: [%s]", r.scheme)
	}
	p.networks(r.networks)
	if r.passthrough {
		p.linef("    tls: passthrough")
	}
}

func (p *printer) via(patterns []string) {
	if len(patterns) == 1 {
		p.linef("    via: [%s]", scalar(patterns[0]))
	} else if len(patterns) > 1 {
		p.linef("    via:")
		for _, from := range patterns {
			p.linef("      - %s", scalar(from))
		}
	}
}

func (p *printer) networks(ns []netip.Prefix) {
	if len(ns) > 0 {
		p.linef("    networks: [%s]", strings.Join(each(ns, func(n netip.Prefix) string { return scalar(n.String()) }), ", "))
	}
}

func each[T any](in []T, f func(T) string) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}
