package rego

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/juliendoutre/proxaudit/internal/spelling"
)

// hints says what to do about what OPA says, by a part of its words. The first that
// fits counts.
func hints() [][2]string {
	const v0 = "this is Rego v0: run `opa fmt --write --v0-v1` on the file, or write if before the brace"
	return [][2]string{
		{"keyword is required before rule body", v0},
		{"keyword is required for partial set rules", v0},
		{" unused", "remove it, or correct the name where it should be used"},
		{"match error", "the two can never be equal; the types are in input.schema.json"},
		{"var True is unsafe", "write true"},
		{"var False is unsafe", "write false"},
		{" is unsafe", "nothing gives it a value here: write := before it is used, or some … in …, or correct the name"},
		{"unexpected and token", "conditions that must all hold stand on lines of their own, or have ; between them"},
		{"unexpected or token", "write one rule for each: a rule holds where any of those of its name does"},
		{"var cannot be used for rule name", "a rule is NAME if { … }: put conditions into its braces, each on a line; for either of two write two rules"},
		{"rule name conflicts with built-in function", "put further conditions into the braces of the rule, each on a line"},
		{"cannot assign to ref", "write == to compare"},
		{"illegal ! character", "write not"},
		{"unexpected : token", "write := for a value, and if before a condition"},
		{"unexpected , token", "put conditions on lines of their own, or ; between them"},
		{"unexpected ; token", "put several conditions in braces: if { …; … }"},
		{"multiple default rules", "keep one of them"},
		{"expected else value term or rule body", "write else := false, or else if …"},
		{"unexpected eof token", "the file ends too early: close the brace that is still open"},
		{"non-terminated string", "close the quote; a text over several lines stands between backquotes"},
		{"unexpected in keyword", "for what is not in a list write: not x in …"},
		{"unexpected div token", "a comment begins with #"},
		{"is recursive", "a rule must not need itself to be decided: give one of them a condition of its own"},
		{"rules must not shadow", "give the rule another name: input and data are what is asked about"},
		{"package expected", "begin the file with `package proxaudit`"},
		{"no-break", "write a blank"},
		{"non-breaking space", "write a blank"},
	}
}

func hintFor(message string) string {
	for _, h := range hints() {
		if strings.Contains(message, h[0]) {
			return h[1]
		}
	}
	return ""
}

// undefinedFunction explains a call of what is not there.
func undefinedFunction(name string) (message, hint string) {
	message = "undefined function " + name
	if why := refused(name); why != "" {
		return name + " is not available: " + why, "decide from input and data alone"
	}
	if strings.HasPrefix(name, "data.") {
		return message, "its package is in no file of the policy: name the folder that holds both"
	}
	var known []string
	for _, b := range capabilities().Builtins {
		known = append(known, b.Name)
	}
	if best := spelling.Nearest(name, known); best != "" {
		return message, "did you mean " + best + "?"
	}
	return message, "write a function of that name, or correct it"
}

// refine says more about a fault of a character, which OPA calls illegal and does
// not name, and points into the line.
func refine(e *Error, data []byte) {
	e.Column = max(e.Column, 1)
	if e.Message != "illegal token" || e.Hint != "" {
		return
	}
	lines := strings.Split(string(data), "\n")
	if e.Line > len(lines) {
		return
	}
	line := []rune(lines[e.Line-1])
	if e.Column > len(line) {
		return
	}
	switch c := line[e.Column-1]; {
	case c == '\'':
		e.Message, e.Hint = "a text in single quotes", `write double quotes: "…"`
	case strings.ContainsRune("\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb", c):
		e.Message, e.Hint = "a typographic quote", `write a straight one: "`
	default:
		e.Message = "a character that has no place here: " + escape(string(c))
		e.Hint = "remove it, or write it in a text"
	}
}

// withoutEchoes drops what OPA says a second time about a place, in words that say
// less.
func withoutEchoes(errs ast.Errors) ast.Errors {
	var out ast.Errors
	for _, e := range errs {
		if n := len(out); n > 0 && e.Message == "illegal token" && e.Location != nil && out[n-1].Location != nil && e.Location.Equal(out[n-1].Location) {
			continue
		}
		out = append(out, e)
	}
	return out
}
