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
	return append(unsafe(), [][2]string{
		{"keyword is required before rule body", v0},
		{"keyword is required for partial set rules", v0},
		{" unused", "remove it, or correct the name where it should be used"},
		{"match error", "the two can never be equal; the types are in input.schema.json"},
		{"unexpected and token", "conditions that must all hold stand on lines of their own, or have ; between them"},
		{"unexpected or token", "write one rule for each: a rule holds where any of those of its name does"},
		{"illegal escape sequence", "a backslash has a meaning in double quotes: write a pattern between backquotes"},
		{`expected "," or "]"`, "close the bracket that is open with ], and put commas between what is in it"},
		{`expected "," or "}"`, "close the brace that is open with }, and put commas between what is in it"},
		{`expected "," or ")"`, "close the bracket that is open with ), and put commas between what is in it"},
		{"non-terminated object", "put commas between the keys of an object, and close it with }"},
		{"non-terminated set", "put commas between the elements of a set, and close it with }"},
		{"non-terminated array", "put commas between the elements of an array, and close it with ]"},
		{"unexpected eq token", "write == to compare, := for a value"},
		{"unexpected identifier token", "put each condition on a line of its own; there is no return, for or then: a rule holds where all in its braces does, and some x in … goes through a list"},
		{"unexpected } token", "nothing opens this brace: write { behind if, or remove it"},
		{"unexpected if keyword", "a default has no condition: write a rule beside it"},
		{"illegal default rule", "a default is written out, without input, data or rules in it"},
		{"unexpected package", "a file has one package: put the other into a file of its own"},
		{"invalid annotation scope ''", "METADATA stands right above the rule that it is about, and below this there is none"},
		{"invalid schema declaration", "leave schemas out: the input has its schema already"},
		{"glob.match: arity mismatch", `between pattern and text stands what a * does not cross: glob.match("*.example.org", ["."], input.host)`},
		{"plus: invalid argument", `+ adds numbers: join texts with concat("", [a, b]) or sprintf("…%s", [a])`},
		{"sprintf: invalid argument", `the values stand in brackets: sprintf("…%s", [a])`},
		{"assigned above", "a variable has one value: write == to compare, or give the second another name"},
		{"expected fraction", "write a digit behind the point, or no point"},
		{"keyword is required before function body", v0},
		{"var cannot be used for rule name", "a rule is NAME if { … }: put conditions into its braces, each on a line; for either of two write two rules"},
		{"cannot be used for rule name", "a rule is NAME if { … }: put conditions into its braces, each on a line"},
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
	}...)
}

// unsafe has what to do about a name without a value, the most particular first.
func unsafe() [][2]string {
	return [][2]string{
		{"var True is unsafe", "write true"},
		{"var nil is unsafe", "write null; a field that may be absent is asked for with: not input.process"},
		{"var None is unsafe", "write null; a field that may be absent is asked for with: not input.process"},
		{"var action is unsafe", `put the key in quotes: "action"`},
		{"var reason is unsafe", `put the key in quotes: "reason"`},
		{"var agent is unsafe", `a name with a dash stands in brackets: input.headers["user-agent"]`},
		{"var type is unsafe", `a name with a dash stands in brackets: input.headers["content-type"]`},
		{"var False is unsafe", "write false"},
		{" is unsafe", "nothing gives it a value here: write := before it is used, or some … in …, or correct the name"},
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
	if method := name[strings.LastIndexByte(name, '.')+1:]; strings.HasPrefix(name, "input.") {
		return message, "a value has no methods: write the function in front, such as " + method + "(" + strings.TrimSuffix(name, "."+method) + ", …)"
	}
	if own := elsewhere()[name]; own != "" {
		return message, "write " + own
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

// elsewhere has what other languages call what OPA has under another name.
func elsewhere() map[string]string {
	return map[string]string{
		"len": "count", "length": "count", "size": "count", "lowercase": "lower", "toLower": "lower", "uppercase": "upper",
		"toUpper": "upper", "match": "regex.match", "matches": "regex.match", "includes": "contains", "has": "contains",
		"println": "print", "printf": "print(sprintf(…))", "format": "sprintf", "join": "concat",
	}
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
	case c == '?':
		e.Message, e.Hint = "there is no … ? … : …", "write a rule for each answer, or join them with else"
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
		again := e.Message == "illegal token" || strings.Contains(e.Message, "expected rule value term")
		if n := len(out); n > 0 && again && e.Location != nil && out[n-1].Location != nil && e.Location.Equal(out[n-1].Location) {
			continue
		}
		out = append(out, e)
	}
	return out
}
