package rego

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// answers is the topdown.VirtualCache of one evaluation: what rules have come to.
// OPA's own is a tree of hash tables, of which it makes several for each rule.
// Most decisions ask a few rules, which a list holds with less work. For more of
// them, and where `with` needs a frame, it is OPA's.
type answers struct {
	few  [4]ruleAnswer
	n    int
	many topdown.VirtualCache // nil while few are enough
}

// ruleAnswer is a rule, or a call of a function, and its value, which is nil
// where it is undefined.
type ruleAnswer struct {
	ref   ast.Ref
	value *ast.Term
}

// all returns OPA's cache, with what is known.
func (a *answers) all() topdown.VirtualCache {
	if a.many == nil {
		a.many = topdown.NewVirtualCache()
		for _, f := range a.few[:a.n] {
			a.many.Put(f.ref, f.value)
		}
	}
	return a.many
}

// find returns the index of ref among the few, or -1.
func (a *answers) find(ref ast.Ref) int {
	return slices.IndexFunc(a.few[:a.n], func(f ruleAnswer) bool { return f.ref.Equal(ref) })
}

// Push implements topdown.VirtualCache.
func (a *answers) Push() { a.all().Push() }

// Pop implements topdown.VirtualCache.
func (a *answers) Pop() { a.all().Pop() }

// Keys implements topdown.VirtualCache.
func (a *answers) Keys() []ast.Ref { return a.all().Keys() }

// Get implements topdown.VirtualCache.
func (a *answers) Get(ref ast.Ref) (*ast.Term, bool) {
	if a.many != nil {
		return a.many.Get(ref)
	}
	i := a.find(ref)
	if i < 0 {
		return nil, false
	}
	return a.few[i].value, a.few[i].value == nil
}

// Put implements topdown.VirtualCache.
func (a *answers) Put(ref ast.Ref, value *ast.Term) {
	if a.many != nil {
		a.many.Put(ref, value)
		return
	}
	switch i := a.find(ref); {
	case i >= 0:
		a.few[i].value = value
	case a.n == len(a.few):
		a.all().Put(ref, value)
	default:
		a.few[a.n] = ruleAnswer{slices.Clone(ref), value} // the evaluator uses its own again
		a.n++
	}
}
