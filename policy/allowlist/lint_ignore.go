package allowlist

import (
	"strings"
	"unicode/utf8"

	"github.com/juliendoutre/proxaudit/policy"
)

// ignoreMark begins what silences a finding: the comment
//
//	# proxaudit:ignore NAME REASON
//
// behind a rule, or on a line of its own above one. Behind the first line of a rule,
// or above it, it is about all lines of that rule; elsewhere about that line alone.
const ignoreMark = "proxaudit:ignore"

// ignore is one such comment.
type ignore struct {
	file         string
	line, column int
	id, reason   string
	// first and last are the lines that it is about.
	first, last int
	used        bool
}

// suppress marks the findings of a file that comments in it silence, and adds one
// for each comment that silences nothing. An error cannot be silenced: the policy,
// or the rule, does not work.
func (w *linting) suppress(d placedDocument) {
	for _, i := range w.ignores(d) {
		if mend := i.incomplete(); mend != "" {
			w.found = append(w.found, i.finding(policy.Error, "bad-ignore", "this comment silences nothing: "+mend, "write # "+ignoreMark+" NAME REASON; the name stands in brackets behind a finding"))
			continue
		}
		isError := false
		for n := range w.found {
			f := &w.found[n]
			switch {
			case f.File != i.file || f.ID != i.id || f.Line < i.first || f.Line > i.last:
			case f.Severity == policy.Error:
				isError = true
			default:
				f.Suppressions = append(f.Suppressions, policy.Suppression{Kind: "inSource", Justification: printable(i.reason)})
				i.used = true
			}
		}
		switch {
		case isError:
			w.found = append(w.found, i.finding(policy.Error, "bad-ignore", quoted(i.id)+" is an error here and cannot be ignored", "mend what it is about, then remove this comment"))
		case !i.used:
			w.found = append(w.found, i.finding(policy.Warning, "unused-ignore", "nothing named "+quoted(i.id)+" is found here", "remove the comment, or correct its name"))
		}
	}
}

func (i *ignore) incomplete() string {
	switch {
	case i.id == "":
		return "it names no finding"
	case i.reason == "":
		return "it gives no reason"
	default:
		return ""
	}
}

func (i *ignore) finding(s policy.Severity, id, message, mend string) policy.Finding {
	return policy.Finding{ID: id, Severity: s, File: i.file, Line: i.line, Column: i.column, Message: printable(message), Mend: printable(mend)}
}

// ignores finds the comments. What stands in a text is none.
func (w *linting) ignores(d placedDocument) []*ignore {
	if !strings.Contains(d.text, ignoreMark) {
		return nil
	}
	var out []*ignore
	inText := w.texts(d.file)
	lines := strings.Split(d.text, "\n")
	for n, line := range lines {
		before, rest, ok := strings.Cut(line, ignoreMark)
		hash := strings.TrimRight(before, " ")
		if !ok || !strings.HasSuffix(hash, "#") || len(hash) > 1 && strings.TrimRight(hash[:len(hash)-1], " \t") == hash[:len(hash)-1] || inText[n+1] {
			continue
		}
		i := &ignore{file: d.file, line: n + 1, column: utf8.RuneCountInString(hash)}
		i.id, i.reason, _ = strings.Cut(strings.TrimSpace(rest), " ")
		i.reason = strings.TrimSpace(i.reason)
		at := n
		if strings.TrimSpace(hash) == "#" { // alone: about what comes next
			for at+1 < len(lines) && isComment(lines[at]) {
				at++
			}
		}
		i.first, i.last = at+1, at+1
		for _, r := range w.rules {
			if r.file == d.file && r.line == i.first {
				i.last = max(i.last, r.lastLine())
			}
		}
		out = append(out, i)
	}
	return out
}

func isComment(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}

// texts returns the lines of a file that are part of a text that holds the mark.
func (w *linting) texts(file string) map[int]bool {
	lines := map[int]bool{}
	for _, r := range w.rules {
		if r.file != file {
			continue
		}
		for n := range nodes(r.node) {
			if !strings.Contains(n.Value, ignoreMark) {
				continue
			}
			for i := range strings.Count(n.Value, "\n") + 2 {
				lines[n.Line+i] = true
			}
		}
	}
	return lines
}

// lastLine returns the last line that the rule is written on, but for texts that
// go on.
func (r *rule) lastLine() int {
	last := r.line
	for n := range nodes(r.node) {
		last = max(last, n.Line)
	}
	return last
}
