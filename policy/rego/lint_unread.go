package rego

import "github.com/open-policy-agent/opa/v1/ast"

// misplaced returns the word for what passes unread in an answer that is never given
// to it, by the scheme and the method that the body asks for, and what it is about.
func misplaced(object ast.Object, body ast.Body) (word, of string) {
	has := func(word string) bool { return object.Get(ast.StringTerm(word)) != nil }
	scheme, method := required(body, "scheme"), required(body, "method")
	tls := (scheme == "" || scheme == "https") && (method == "" || method == "CONNECT")
	tcp := (scheme == "" || scheme == "tcp") && method == ""
	switch {
	case has("tls") && tls, has("tcp") && tcp:
		return "", ""
	case has("tls"):
		return "tls", "a CONNECT for https"
	case has("tcp"):
		return "tcp", "the scheme tcp, which has no method,"
	default:
		return "", ""
	}
}

// required returns the text that a field must equal for the body to hold, as far as
// that is written out, and "" where it may be any.
func required(body ast.Body, field compared) string {
	for _, e := range body {
		if e.Negated || !e.IsCall() || e.Operator().String() != "equal" && e.Operator().String() != "eq" || len(e.Operands()) != 2 {
			continue
		}
		for i := range 2 {
			if text, ok := e.Operand(1 - i).Value.(ast.String); ok && fieldOf(e.Operand(i)) == field {
				return string(text)
			}
		}
	}
	return ""
}
