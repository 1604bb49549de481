package rego

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/juliendoutre/proxaudit/policy"
)

// What a module may make OPA's compiler do. It calls itself for each element of
// a reference and each level of an expression, and a stack that overflows cannot
// be caught; what is nested deep takes it the square of its depth in time.
const (
	maxRef   = 1000 // elements of a reference
	maxNodes = 2000 // nodes of the syntax tree above another
)

// checkText refuses a module that is no text, before OPA's scanner has a complaint
// about each byte of it.
func checkText(f file) error {
	if line := policy.MergeConflict(f.data); line > 0 {
		return fault(f.path, &ast.Location{Row: line, Col: 1}, "a merge conflict", "keep one of the two sides, or both, and remove the lines with <<<<<<<, ======= and >>>>>>>")
	}
	if first, _, _ := strings.Cut(string(f.data), "\n"); strings.HasPrefix(first, "version:") {
		return fault(f.path, &ast.Location{Row: 1, Col: 1}, "this is YAML, and no Rego", "give the file a name that ends in .yaml")
	}
	for i, rest := 0, f.data; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			return fault(f.path, position(f.data, int64(i)+1), "not UTF-8", "save the file as UTF-8")
		}
		i, rest = i+n, rest[n:]
	}
	return nil
}

// bound refuses a module that OPA's parser accepts and that would cost its
// compiler too much.
func bound(file string, m *ast.Module) error {
	var err error
	depth := 0
	visitor := ast.NewBeforeAfterVisitor(func(x any) bool {
		depth++
		switch x := x.(type) {
		case *ast.Term:
			if depth > maxNodes && err == nil {
				err = fault(file, x.Location, "nested too deep", "give parts of it names of their own")
			}
		case ast.Ref:
			if len(x) > maxRef && err == nil {
				err = fault(file, x[0].Location, fmt.Sprintf("a reference of more than %d elements", maxRef), "")
			}
		}
		return err != nil
	}, func(any) { depth-- })
	visitor.Walk(m)
	return err
}
