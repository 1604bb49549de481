package rego

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
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
		if message == "match error" || strings.Contains(message, "invalid argument") {
			message += ": " + joinDetails(detail.Lines())
		}
	}
	switch {
	case strings.Contains(message, "keyword is required before rule body"),
		strings.Contains(message, "keyword is required for partial set rules"):
		hint = "this is Rego v0: run `opa fmt --write --v0-v1` on the file"
	case strings.HasPrefix(message, "undefined function "):
		name := strings.TrimPrefix(message, "undefined function ")
		if why := refused(name); why != "" {
			return name + " is not available: " + why, "decide from input and data alone"
		}
	case message == "empty module":
		message, hint = "the file is empty", "begin it with `package proxaudit`"
	case strings.HasPrefix(message, "yaml: "):
		first, _, _ := strings.Cut(message, "\n")
		message = "the METADATA cannot be read: " + strings.TrimPrefix(first, "yaml: ")
		hint = "the comment right below # METADATA is YAML: put other comments above it, or leave a line free"
	case strings.HasSuffix(message, " unused"):
		hint = "remove it, or correct the name where it should be used"
	case strings.HasPrefix(message, "match error"):
		hint = "the two can never be equal; the types are in input.schema.json"
	}
	return message, hint
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
		return message, ""
	}
	names := make([]string, len(d.OneOf))
	for i, v := range d.OneOf {
		names[i] = strings.Trim(v.String(), `"`)
	}
	return message, "want one of: " + strings.Join(names, ", ")
}

// joinDetails puts OPA's aligned lines on one.
func joinDetails(lines []string) string {
	fields := make([]string, len(lines))
	for i, line := range lines {
		fields[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(fields, ", ")
}
