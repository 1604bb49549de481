package learn

import (
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
)

func (p *printer) head(o *Options, d *draft) {
	if len(o.Lockfiles) > 0 && len(o.Command) == 0 && d.requests == 0 {
		p.madeFrom(o)
		return
	}
	runs, did := "one run", "that run did"
	if p.runs > 1 {
		runs, did = count(p.runs, "run"), "those runs did"
	}
	of, source := "of", enforce.RedactText(commandLine(o.Command))
	if len(o.Recordings) > 0 {
		of, source = "recorded in", commandLine(slices.Sorted(slices.Values(o.Recordings)))
	}
	p.linef("# Learned by %s from %s %s:", strings.TrimSpace("proxaudit "+plain(o.Version)), runs, of)
	p.linef("#   %s", shorten(plain(source)))
	left := 0
	for _, lines := range d.left {
		for _, line := range lines {
			left += line.requests
		}
	}
	p.linef("# %s covered, %d left out%s.", count(d.requests, "request"), left, ending(left > 0, " (see the end)"))
	p.linef("# It says what %s, not that it was right: review it, then enforce it.", did)
	p.linef("version: 1")
	p.linef("default: deny")
}

func ending(when bool, s string) string {
	if when {
		return s
	}
	return ""
}

// commandLine joins arguments, quoting those that a shell would take apart.
func commandLine(argv []string) string {
	if len(argv) == 0 {
		return "(not recorded)"
	}
	var b strings.Builder
	for i, arg := range argv {
		if i > 0 {
			b.WriteByte(' ')
		}
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'`$\\|&;<>()*?[]#~") {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		b.WriteString(arg)
	}
	return b.String()
}
