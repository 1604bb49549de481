package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/attack"
)

// How many lines of a section are shown to a person, and how many requests of one
// rule.
const (
	maxScored = 20
	maxOfRule = 5
)

func (s *scored) write(w io.Writer, format string) error {
	if format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	var b strings.Builder
	section(&b, "permitted, and should not be", maxScored*(maxOfRule+2), byRule(s.permittedAttacks()))
	var unseen []string
	for _, p := range s.Permitted {
		if p.Class == attack.Unseen {
			unseen = append(unseen, p.rule()+": "+p.line())
		}
	}
	section(&b, "permitted, for no rule can tell it from what is meant (class c)", maxOfRule, unseen)
	if r := s.Rules; r != nil {
		section(&b, "can be written to", maxScored, each(r.Writes, ruleNote.line))
		wide := each(r.Breadth, ruleNote.line)
		if r.OpenDefault {
			wide = append([]string{"the default forwards whatever no rule matches"}, wide...)
		}
		section(&b, "wider than what they name", maxScored, wide)
		section(&b, "seen once", maxScored, each(r.SingleSightings, ruleNote.line))
		section(&b, "marked for review", maxScored, each(r.Reviews, ruleNote.line))
		section(&b, "no longer seen", maxScored, each(r.NotSeen, ruleNote.line))
	}
	for _, name := range s.Unknown {
		section(&b, "unknown", maxScored, []string{name + " does not list its rules: what it makes writable or wide, and what an allowlist of its hosts would permit"})
	}
	if len(s.Unseen) > 0 {
		names := each(s.Unseen, func(r attack.Request) string { return r.Incident })
		fmt.Fprintf(&b, "not on the network at all, and so not counted (class c): %s\n\n", strings.Join(names, ", "))
	}
	b.WriteString(s.table())
	b.WriteString("score: " + s.figure() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func section(b *strings.Builder, title string, most int, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", title)
	for i, line := range lines {
		if i == most {
			fmt.Fprintf(b, "  and %d more; -format json has them all\n", len(lines)-i)
			break
		}
		fmt.Fprintf(b, "  %s\n", enforce.Printable(line))
	}
	b.WriteString("\n")
}

// byRule puts what one rule permits below it, the worst rule first.
func byRule(all []passed) []string {
	rules := map[string][]passed{}
	var order []string
	for _, p := range all {
		if rules[p.rule()] == nil {
			order = append(order, p.rule())
		}
		rules[p.rule()] = append(rules[p.rule()], p)
	}
	slices.SortStableFunc(order, func(a, b string) int { return len(rules[b]) - len(rules[a]) })
	var out []string
	for _, rule := range order {
		out = append(out, fmt.Sprintf("%s permits %d:", rule, len(rules[rule])))
		for _, p := range rules[rule][:min(len(rules[rule]), maxOfRule)] {
			out = append(out, "  "+p.line())
		}
		if more := len(rules[rule]) - maxOfRule; more > 0 {
			out = append(out, fmt.Sprintf("  and %d more; -format json has them all", more))
		}
	}
	return out
}

// rule is what lets the request pass.
func (p passed) rule() string { return cmp.Or(p.Rule, "the default") }

// line names the request and where that is from.
func (p passed) line() string {
	from := strings.TrimSuffix(p.Incident+", "+p.Date, ", ")
	if p.Mutation != "" {
		from = p.Mutation + ", of " + p.Of
	}
	return fmt.Sprintf("%s (%s)", strings.TrimSpace(p.Method+" "+p.URL), from)
}

func (n ruleNote) line() string { return n.Rule + ": " + n.Note }

// table has a line for the policy and one for an allowlist of the same hosts.
func (s *scored) table() string {
	var b strings.Builder
	row := func(name string, t tallies) {
		fmt.Fprintf(&b, "%-22s  a %4d of %-4d  b %4d of %-4d  c %4d of %d\n", name,
			t.A.Permitted, t.A.Asked, t.B.Permitted, t.B.Asked, t.C.Permitted, t.C.Asked)
	}
	row("incidents permitted", s.Corpus)
	row("mutations permitted", s.Mutations)
	if s.HostOnly != nil {
		row("both, by hosts alone", *s.HostOnly)
	}
	return b.String()
}

// figure is the score in one line.
func (s *scored) figure() string {
	all := s.attacks()
	text := fmt.Sprintf("%d of %d attacks permitted", all.Permitted, all.Asked)
	if s.HostOnly != nil {
		text += fmt.Sprintf(" (an allowlist of the same hosts: %d)", s.HostOnly.attacks().Permitted)
	}
	if r := s.Rules; r != nil {
		text += fmt.Sprintf("; of %s %d seen once, %d to review, %d writable, %d wide",
			plural(r.Rules, "rule"), len(r.SingleSightings), len(r.Reviews), len(r.Writes), len(r.Breadth))
		if r.OpenDefault {
			text += "; the default is open"
		}
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func each[T any](in []T, f func(T) string) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}
