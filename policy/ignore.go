package policy

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ignoreMark begins what silences a finding: the comment
//
//	# proxaudit:ignore NAME REASON
//
// behind a rule, or on a line of its own above one. Behind the first line of a rule,
// or above it, it is about all lines of that rule; elsewhere about that line alone.
const ignoreMark = "proxaudit:ignore"

// HoldsIgnores reports whether text may hold a comment that silences a finding.
func HoldsIgnores(text string) bool { return strings.Contains(text, ignoreMark) }

// Commented is a policy file in a language whose comments begin with # and go to
// the end of the line, as Suppress reads it.
type Commented struct {
	File, Text string
	// Rules has, for the first line of each rule, the last one.
	Rules map[int]int
	// Quoted reports whether a # is no comment but part of a text. Lines and columns
	// count from 1, columns in characters.
	Quoted func(line, column int) bool
}

// ignore is one comment that silences findings.
type ignore struct {
	line, column int
	id, reason   string
	// first and last are the lines that it is about.
	first, last int
}

// Suppress marks those of found that comments in the file silence, and appends a
// finding for each comment that silences nothing. An error cannot be silenced: the
// policy, or the rule, does not work.
func (c Commented) Suppress(found []Finding) []Finding {
	if !HoldsIgnores(c.Text) {
		return found
	}
	for _, i := range c.ignores() {
		if more, silent := c.suppress(found, i); !silent {
			found = append(found, more)
		}
	}
	return found
}

// suppress marks what one comment silences, or returns what is wrong with it.
func (c Commented) suppress(found []Finding, i ignore) (wrong Finding, silent bool) {
	wrong = Finding{Severity: Error, ID: "bad-ignore", File: c.File, Line: i.line, Column: i.column}
	if i.reason == "" {
		wrong.Message = "this comment silences nothing: it gives no reason"
		if i.id == "" {
			wrong.Message = "this comment silences nothing: it names no finding"
		}
		wrong.Mend = "write # " + ignoreMark + " NAME REASON; the name stands in brackets behind a finding"
		return wrong, false
	}
	isError := false
	for n := range found {
		f := &found[n]
		switch {
		case f.File != c.File || f.ID != i.id || f.Line < i.first || f.Line > i.last:
		case f.Severity == Error:
			isError = true
		default:
			f.Suppressions = append(f.Suppressions, Suppression{Kind: "inSource", Justification: strings.Map(visible, i.reason)})
			silent = true
		}
	}
	switch {
	case isError:
		wrong.Message = fmt.Sprintf("%.80q is an error here and cannot be ignored", i.id)
		wrong.Mend = "mend what it is about, then remove this comment"
		return wrong, false
	case !silent:
		wrong.Severity, wrong.ID = Warning, "unused-ignore"
		wrong.Message = fmt.Sprintf("nothing named %.80q is found here", i.id)
		wrong.Mend = "remove the comment, or correct its name"
	}
	return wrong, silent
}

// ignores finds the comments. What stands in a text is none.
func (c Commented) ignores() []ignore {
	var out []ignore
	lines := strings.Split(c.Text, "\n")
	for n, line := range lines {
		before, rest, ok := strings.Cut(line, ignoreMark)
		hash := strings.TrimRight(before, " ")
		column := utf8.RuneCountInString(hash)
		if !ok || !strings.HasSuffix(hash, "#") || c.Quoted(n+1, column) {
			continue
		}
		i := ignore{line: n + 1, column: column}
		i.id = strings.TrimSpace(rest)
		if end := strings.IndexAny(i.id, " \t"); end >= 0 {
			i.id, i.reason = i.id[:end], strings.TrimSpace(i.id[end:])
		}
		at := n
		if strings.TrimSpace(hash) == "#" { // alone: about what comes next
			for at+1 < len(lines) && isComment(lines[at]) {
				at++
			}
		}
		i.first = at + 1
		i.last = max(i.first, c.Rules[i.first])
		out = append(out, i)
	}
	return out
}

// visible puts a mark in the place of what a reader would not see.
func visible(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

func isComment(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}
