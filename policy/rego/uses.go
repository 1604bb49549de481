package rego

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// usedFields returns the fields of the input that the compiled modules refer
// to, so that a decision builds no more. A reference that does not name its
// field (`input` itself, `input[key]`) uses them all.
func usedFields(modules map[string]*ast.Module) []field {
	all := allFields()
	used := map[string]bool{}
	visitor := ast.NewGenericVisitor(func(x any) bool {
		ref, ok := x.(ast.Ref)
		if !ok || len(ref) == 0 || !ref[0].Equal(ast.InputRootDocument) {
			return false
		}
		name, named := ast.String(""), false
		if len(ref) > 1 {
			name, named = ref[1].Value.(ast.String)
		}
		if named {
			used[string(name)] = true
			return false
		}
		for name := range all {
			used[name] = true
		}
		return false
	})
	for _, m := range modules {
		visitor.Walk(m)
	}
	var fields []field
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if used[name] {
			fields = append(fields, field{key: ast.StringTerm(name), build: all[name]})
		}
	}
	return fields
}
