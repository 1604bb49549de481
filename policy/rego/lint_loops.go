package rego

import "github.com/open-policy-agent/opa/v1/ast"

// matchers are the builtins that compile a pattern, by name, with the number of
// the argument that is one.
func matchers() map[string]int {
	return map[string]int{
		"glob.match": 0, "regex.match": 0, "regex.find_n": 0, "regex.find_all_string_submatch_n": 0,
		"regex.split": 0, "regex.replace": 1, "regex.globs_match": 0,
	}
}

// loops points at patterns that are tried one after the other for each request:
// a thousand of them take milliseconds, and a lookup by name takes microseconds.
func (l *linting) loops(r *ast.Rule) {
	ast.WalkBodies(r, func(b ast.Body) bool {
		looped := l.looped(b)
		for _, e := range b {
			if !e.IsCall() {
				continue
			}
			i, ok := matchers()[e.Operator().String()]
			if !ok || i >= len(e.Operands()) {
				continue
			}
			switch arg := e.Operand(i).Value.(type) {
			case ast.Var:
				if looped[arg] {
					l.loop(e)
				}
			case ast.Ref:
				if l.isLoop(arg) {
					l.loop(e)
				}
			}
		}
		return false
	})
}

func (l *linting) loop(e *ast.Expr) {
	l.at(e.Location, "pattern-loop", e.Operator().String()+" tries each pattern of the data, for each request",
		"look the host up by name (data.hosts[input.host]), or write the patterns as rules; a YAML policy beside this one matches thousands in microseconds")
}

// looped returns the variables of a body that go through documents of the data.
func (l *linting) looped(b ast.Body) map[ast.Var]bool {
	out := map[ast.Var]bool{}
	for _, e := range b {
		if !e.IsEquality() && !e.IsAssignment() || len(e.Operands()) != 2 {
			continue
		}
		for i := range 2 {
			v, isVar := e.Operand(i).Value.(ast.Var)
			ref, isRef := e.Operand(1 - i).Value.(ast.Ref)
			if isVar && isRef && l.isLoop(ref) {
				out[v] = true
			}
		}
	}
	return out
}

// isLoop reports whether a reference goes through the elements of a document
// that is data, not the value of a rule: that one is written in the policy, and
// is as long as somebody made it by hand.
func (l *linting) isLoop(ref ast.Ref) bool {
	return len(ref) > 1 && ref[0].Equal(ast.DefaultRootDocument) && !ref.IsGround() && len(l.compiler.GetRules(ref.GroundPrefix())) == 0
}
