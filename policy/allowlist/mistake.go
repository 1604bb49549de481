package allowlist

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Mistake is one thing wrong with a policy file, and how to mend it.
type Mistake struct {
	File string
	// Line and Column count from 1, columns in characters. Both are 0 when the
	// mistake has no place, such as a file that is missing.
	Line, Column  int
	Message, Hint string
}

// Error returns "file:line:column: message" and the hint on a line of its own.
func (m Mistake) Error() string {
	s := m.File + ": " + m.Message
	if m.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Message)
	}
	if m.Hint != "" {
		s += "\n  hint: " + m.Hint
	}
	return s
}

// Mistakes is every mistake of a file, in the order of the file.
type Mistakes []Mistake

// Error returns each mistake on its own line or two.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As each Mistake.
func (ms Mistakes) Unwrap() []error {
	errs := make([]error, len(ms))
	for i, m := range ms {
		errs[i] = m
	}
	return errs
}

// maxMistakes bounds what is kept for a file that is no policy at all.
const maxMistakes = 1000

func (p *parser) add(m Mistake) {
	m.File, m.Message, m.Hint = p.file, printable(m.Message), printable(m.Hint)
	switch {
	case len(p.mistakes) < maxMistakes:
		p.mistakes = append(p.mistakes, m)
	case len(p.mistakes) == maxMistakes:
		m.Message, m.Hint = "too many mistakes; the rest is not shown", ""
		p.mistakes = append(p.mistakes, m)
	}
}

// full reports whether nothing that is still found would be kept.
func (p *parser) full() bool { return len(p.mistakes) > maxMistakes }

func (p *parser) sorted() Mistakes {
	slices.SortStableFunc(p.mistakes, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p.mistakes
}

// quoted returns s for a message: escaped, and cut where it is long.
func quoted(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// printable keeps what a file holds from acting on a terminal, and from filling
// it.
func printable(s string) string {
	const most = 400
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	if !strings.ContainsFunc(s, isUnprintable) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isUnprintable(r) {
			fmt.Fprintf(&b, "%U", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isUnprintable(r rune) bool { return !unicode.IsPrint(r) }
