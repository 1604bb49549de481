package rego

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// prints points at print() of what may hold secrets: what a policy prints is not
// redacted. The module is as it was written; the compiler leaves print out.
func (l *linting) prints(m *ast.Module) {
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if !e.IsCall() || e.Operator().String() != "print" {
			return false
		}
		for _, arg := range e.Operands() {
			ast.WalkRefs(arg, func(ref ast.Ref) bool {
				if isSecret(ref) {
					l.at(e.Location, "prints-secrets", "print shows "+ref.String()+" as it came, with the secrets in it", "print the fields that are needed: input.host, input.method, input.path")
				}
				return false
			})
			if v, ok := arg.Value.(ast.Var); ok && v.Equal(ast.InputRootDocument.Value) {
				l.at(e.Location, "prints-secrets", "print shows all of the input as it came, with the secrets in it", "print the fields that are needed: input.host, input.method, input.path")
			}
		}
		return false
	})
}

// isSecret reports whether a reference leads to header fields or to the query.
func isSecret(ref ast.Ref) bool {
	if len(ref) == 0 || !ref[0].Equal(ast.InputRootDocument) {
		return false
	}
	name := ref.String()
	return name == "input" || name == "input.attributes" || strings.Contains(name, ".headers") || strings.Contains(name, "query") ||
		name == "input.attributes.request" || name == "input.attributes.request.http"
}
