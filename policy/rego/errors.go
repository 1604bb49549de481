package rego

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/juliendoutre/proxaudit/internal/spelling"
)

// Error is one fault of a policy.
type Error struct {
	// File is the path as it was given, joined with the name below it.
	File string
	// Line and Column count from 1. They are 0 where the file as a whole is at
	// fault.
	Line, Column int
	// Message says what is wrong, Hint what to do about it. Hint may be empty.
	Message, Hint string
}

// Error returns "file:line:column: message; hint".
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		b.WriteByte(':')
	}
	if e.Line > 0 {
		b.WriteString(strconv.Itoa(e.Line) + ":" + strconv.Itoa(e.Column) + ":")
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	b.WriteString(e.Message)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Errors are all the faults that were found, in the order of the files.
type Errors []*Error

// Error returns one line a fault.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// fault makes an Errors of one.
func fault(file string, loc *ast.Location, message, hint string) Errors {
	e := &Error{File: file, Message: message, Hint: hint}
	if loc != nil {
		e.Line, e.Column = loc.Row, loc.Col
	}
	return Errors{e}
}

// faults turns what OPA's parser and compiler found into Errors.
func faults(file string, err error) Errors {
	var list ast.Errors
	if !errors.As(err, &list) {
		one, ok := errors.AsType[*ast.Error](err)
		if !ok {
			return fault(file, nil, err.Error(), "")
		}
		list = ast.Errors{one}
	}
	list = withoutEchoes(list)
	out := make(Errors, 0, min(len(list), maxErrors+1))
	for i, e := range list {
		if i == maxErrors {
			return append(out, &Error{File: file, Message: fmt.Sprintf("and %d more", len(list)-i)})
		}
		f := &Error{File: file}
		if e.Location != nil {
			f.File, f.Line, f.Column = e.Location.File, e.Location.Row, e.Location.Col
		}
		f.Message, f.Hint = explain(e)
		f.Message, f.Hint = shorten(f.Message), shorten(f.Hint)
		out = append(out, f)
	}
	return out
}

// What a person can read of what a hostile file can make OPA say.
const (
	maxErrors  = 20
	maxMessage = 500 // bytes
)

func shorten(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + "…"
}

// explain returns OPA's message in the words of this project, and what to do
// about it where that is known.
func explain(e *ast.Error) (message, hint string) {
	message = e.Message
	switch detail := e.Details.(type) {
	case *ast.RefErrInvalidDetail:
		return invalidRef(detail)
	case ast.ErrorDetails:
		if message == "match error" || strings.Contains(message, "invalid argument") || strings.Contains(message, "arity mismatch") {
			message += ": " + joinDetails(detail.Lines())
		}
	}
	switch {
	case strings.HasPrefix(message, "undefined function "):
		return undefinedFunction(strings.TrimPrefix(message, "undefined function "))
	case message == "empty module":
		return "the file is empty", "begin it with `package proxaudit`"
	case strings.HasPrefix(message, "yaml: "):
		says, _, _ := strings.Cut(strings.TrimPrefix(message, "yaml: "), "\n  Hint:")
		return metadata(strings.Join(strings.Fields(says), " "))
	}
	return strings.ReplaceAll(message, "\n", `\n`), hintFor(message)
}

// invalidRef explains a reference that the types of input or of a rule exclude.
func invalidRef(d *ast.RefErrInvalidDetail) (message, hint string) {
	message = fmt.Sprintf("undefined ref: %v", d.Ref)
	field := ""
	if d.Pos < len(d.Ref) {
		if s, ok := d.Ref[d.Pos].Value.(ast.String); ok {
			field = string(s)
		}
	}
	if d.Ref.HasPrefix(ast.InputRootRef) {
		switch field {
		case "body", "raw_body", "parsed_body", "truncated_body":
			return message, "a request is decided before its body is read, so there is no body to look at"
		case "protocol":
			return message, "the version of HTTP is not part of a request here"
		}
	}
	if len(d.OneOf) == 0 {
		if d.Ref.HasPrefix(ast.InputRootRef) {
			return message, "it has no fields: the types are in input.schema.json"
		}
		return message, ""
	}
	names := make([]string, len(d.OneOf))
	for i, v := range d.OneOf {
		names[i] = strings.Trim(v.String(), `"`)
	}
	hint = "want one of: " + strings.Join(names, ", ")
	best := spelling.Nearest(field, names)
	switch {
	case best != "":
	case field == "domain" || field == "hostname" || field == "server":
		best = "host"
	case field == "url" || field == "uri":
		return message, "the URL is in its parts: input.scheme, input.host, input.port, input.path, input.query"
	case field == "request" || field == "http":
		return message, "the fields of the request are those of input itself: " + hint
	case field == "user" || field == "exe" || field == "program" || field == "command":
		best = "process"
	}
	if best != "" && slices.Contains(names, best) {
		hint = "did you mean " + best + "? " + hint
	}
	return message, hint
}

// joinDetails puts OPA's aligned lines on one.
func joinDetails(lines []string) string {
	fields := make([]string, len(lines))
	for i, line := range lines {
		fields[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(fields, ", ")
}
