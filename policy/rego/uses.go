package rego

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// usedFields returns the fields of the input that the compiled modules refer
// to, so that a decision builds no more; of the process, its keys. A reference
// that does not name its field (`input` itself, `input[key]`) uses them all.
func usedFields(modules map[string]*ast.Module) []field {
	u := uses{fields: map[string]bool{}, process: map[string]bool{}}
	visitor := ast.NewGenericVisitor(func(x any) bool {
		if ref, ok := x.(ast.Ref); ok && len(ref) > 0 && ref[0].Equal(ast.InputRootDocument) {
			u.add(ref)
		}
		return false
	})
	for _, m := range modules {
		visitor.Walk(m)
	}
	all := allFields(slices.Sorted(maps.Keys(u.process)))
	var fields []field
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if u.fields[name] {
			fields = append(fields, field{key: ast.StringTerm(name), build: all[name]})
		}
	}
	return fields
}

// uses is what of the input modules refer to.
type uses struct{ fields, process map[string]bool }

func (u uses) add(ref ast.Ref) {
	field, known := element(ref, 1)
	if known {
		u.fields[field] = true
	} else {
		for name := range allFields(nil) {
			u.fields[name] = true
		}
	}
	if known && field != fieldProcess {
		return
	}
	if key, ok := element(ref, 2); known && ok {
		u.process[key] = true
		return
	}
	for name := range processFields() {
		u.process[name] = true
	}
}

// element returns the name at i in a reference, where it is a constant.
func element(ref ast.Ref, i int) (string, bool) {
	if len(ref) <= i {
		return "", false
	}
	name, ok := ref[i].Value.(ast.String)
	return string(name), ok
}
