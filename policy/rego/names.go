package rego

import (
	"maps"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// ruleLabel is the METADATA label under which a rule carries its name.
const ruleLabel = "proxaudit.rule"

// names finds the name of the rule that gave an answer.
type names struct {
	// constants are the answers that only one rule gives.
	constants []constant
	// track is true when the answer alone does not tell, and the evaluation has
	// to be watched. That takes a fifth of its time.
	track bool
}

type constant struct {
	value ast.Value
	name  string
}

// of returns the name of the rule behind an answer, and "" where it is unknown.
func (n names) of(answer ast.Value, t *topdown.EvaluatedRuleTracker) string {
	if t != nil {
		for _, labels := range t.Labels {
			if name, ok := labels[ruleLabel].(string); ok {
				return name
			}
		}
	}
	for _, c := range n.constants {
		if c.value.Compare(answer) == 0 {
			return c.name
		}
	}
	return ""
}

// nameRules names every rule of the entry and its else branches, by the title
// in their METADATA, else by file and line.
func nameRules(src *source, modules map[string]*ast.Module, entry string) names {
	var all names
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		m := modules[path]
		if m.Package.Path.String() != packagePath {
			continue
		}
		for _, top := range m.Rules {
			if entryOf(top) != entry {
				continue
			}
			for r := top; r != nil; r = r.Else {
				all.add(r, nameOf(r, src.relative(path)))
			}
		}
	}
	if !all.track {
		return all
	}
	for _, m := range modules {
		labelRules(m, entry, src.relative(m.Package.Location.File))
	}
	return names{track: true}
}

// add takes a rule in, and sets track where its answer does not point to it.
func (n *names) add(r *ast.Rule, name string) {
	if r.Head.Value == nil || len(r.Head.Ref()) != 1 {
		n.track = true
		return
	}
	value := r.Head.Value.Value
	if namesItself(value) {
		return
	}
	for _, c := range n.constants {
		n.track = n.track || c.value.Compare(value) == 0
	}
	n.track = n.track || !ast.IsConstant(value)
	n.constants = append(n.constants, constant{value, name})
}

// namesItself reports whether an answer is an object with a name in it.
func namesItself(value ast.Value) bool {
	object, ok := value.(ast.Object)
	if !ok {
		return false
	}
	rule := object.Get(ruleKey)
	if rule == nil {
		return false
	}
	name, ok := rule.Value.(ast.String)
	return ok && name != "" && !reserved(string(name)) || !ast.IsConstant(rule.Value)
}

// labelRules gives every rule of the entry, with its else branches, a label by
// which OPA's tracker reports it. The tracker knows rules by the labels of their
// METADATA alone.
func labelRules(m *ast.Module, entry, file string) {
	if m.Package.Path.String() != packagePath {
		return
	}
	for _, top := range m.Rules {
		if entryOf(top) != entry {
			continue
		}
		for r := top; r != nil; r = r.Else {
			label := &ast.Annotations{
				Scope:    "rule",
				Labels:   map[string]any{ruleLabel: nameOf(r, file)},
				Location: r.Location,
			}
			label = label.Copy(r) // which is what ties it to r
			m.Annotations = append(m.Annotations, label)
			// The branches of an else are found by this alone.
			r.Annotations = append(r.Annotations, label)
		}
	}
}

// nameOf returns the title in a rule's METADATA, else its file and line.
func nameOf(r *ast.Rule, file string) string {
	for _, a := range r.Annotations {
		if a.Scope == "rule" && a.Title != "" && !reserved(a.Title) {
			return a.Title
		}
	}
	return file + ":" + strconv.Itoa(r.Location.Row)
}
