package learn

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
)

// The comments on learned rules. Who merges policies knows a learned rule by how
// its comment begins, so this form is kept.

// What is said of rules that may have come about by chance.
const (
	seenOnce     = "seen once"
	seenInOneRun = "seen in one run only"
)

// by names the programs, two at most.
func (e *evidence) by() string {
	names := each(e.programs, enforce.RedactText)
	switch n := len(names); {
	case n == 0:
		return ""
	case n <= 2:
		return " by " + strings.Join(names, " and ")
	case n < maxPrograms:
		return fmt.Sprintf(" by %s, %s and %d more", names[0], names[1], n-2)
	default:
		return fmt.Sprintf(" by %s, %s and many more", names[0], names[1])
	}
}

// counted says how many requests there were, whose, and on which day the first.
func (e *evidence) counted() string {
	words := count(e.requests, "request") + e.by()
	if e.first != 0 {
		words += ", first on " + e.first.String()
	}
	return words
}

// seenIn is how the comment on each rule begins, of is the number of all runs.
func (e *evidence) seenIn(of int) string {
	return fmt.Sprintf("seen in %d of %s, ", e.runs.len(), count(of, "run"))
}

// comment joins evidence with what a person should look at.
func comment(evidence, more string, reviews []string) string {
	var b strings.Builder
	b.WriteString(evidence)
	if more != "" {
		b.WriteString(", " + shorten(plain(more)))
	}
	for _, r := range reviews {
		b.WriteString("; review: " + plain(r))
	}
	return b.String()
}

// pathComment says what the comment on the rule does not, or nothing.
func (p *printer) pathComment(r *rule, line *pathLine) string {
	if len(r.paths) == 1 {
		return ""
	}
	words, reviews := "", line.reviews
	if line.runs.len() != r.runs.len() {
		words, reviews = line.seenIn(p.runs), append(p.rarely(&line.evidence), reviews...)
	}
	if words == "" && line.requests == 1 && line.more() == "" && len(reviews) == 0 {
		return ""
	}
	return "  # " + comment(words+count(line.requests, "request"), line.more(), reviews)
}

// more says what the pattern stands for.
func (p *pathLine) more() string {
	switch {
	case p.paths == 0:
		return p.note
	case p.note == "":
		return fmt.Sprintf("%s, e.g. %s", count(p.paths, "path"), p.example)
	default:
		return fmt.Sprintf("%s, e.g. %s", p.note, p.example)
	}
}

// rarely is the review for what was seen in one run of several.
func (p *printer) rarely(e *evidence) []string {
	if p.runs > 1 && e.runs.len() == 1 {
		return []string{seenInOneRun}
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
