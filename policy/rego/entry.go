package rego

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// packagePath is the package whose rules decide.
const packagePath = "data.proxaudit"

// ruleLabel is the METADATA label under which a rule carries its name.
const ruleLabel = "proxaudit.rule"

// findEntry returns the name of the rule that decides, and an error where there
// is none, or more than one way to read the answer.
func findEntry(path string, modules map[string]*ast.Module) (string, error) {
	names := slices.Sorted(maps.Keys(modules))
	first := map[string]*ast.Rule{}
	var ours *ast.Module
	for _, name := range names {
		m := modules[name]
		if m.Package.Path.String() != packagePath {
			continue
		}
		ours = m
		for _, r := range m.Rules {
			entry := entryOf(r)
			if entry == "" {
				continue
			}
			if first[entry] == nil {
				first[entry] = r
			}
			if err := checkEntry(r, entry); err != nil {
				return "", err
			}
		}
	}
	decision, allow := first[entryDecision], first[entryAllow]
	switch {
	case ours == nil:
		p := modules[names[0]].Package
		return "", fault(names[0], p.Location, "the package is "+trimData(p.Path)+", want proxaudit",
			"write `package proxaudit`, or keep this file as a library beside one that does")
	case decision != nil && allow != nil:
		return "", fault(allow.Location.File, allow.Location,
			fmt.Sprintf("allow is defined as well as decision (%s:%d)", decision.Location.File, decision.Location.Row),
			"keep decision and give allow another name, or keep allow alone")
	case decision == nil && allow == nil:
		return "", fault(ours.Package.Location.File, ours.Package.Location, "neither decision nor allow is defined in package proxaudit",
			`write decision := {"action": "allow"} if …, or allow if …`)
	case decision != nil:
		return entryDecision, nil
	default:
		return entryAllow, nil
	}
}

// entryOf returns which entry a rule is part of, if any.
func entryOf(r *ast.Rule) string {
	ref := r.Head.Ref()
	if len(ref) == 0 {
		return ""
	}
	switch name, _ := ref[0].Value.(ast.Var); name {
	case entryDecision, entryAllow:
		return string(name)
	default:
		return ""
	}
}

// checkEntry refuses rules whose answer could not be a single value.
func checkEntry(r *ast.Rule, entry string) error {
	switch {
	case len(r.Head.Args) > 0:
		return fault(r.Location.File, r.Location, entry+" is a function", "define it as a rule, without arguments")
	case r.Head.RuleKind() == ast.MultiValue:
		return fault(r.Location.File, r.Location, entry+" is a set", "define it with :=, without contains")
	default:
		return nil
	}
}

// trimData returns a package's path as its author wrote it.
func trimData(path ast.Ref) string {
	if len(path) < 2 {
		return path.String()
	}
	name := ast.Ref{ast.VarTerm(string(path[1].Value.(ast.String)))}
	return append(name, path[2:]...).String()
}

// labelRules gives every rule of the entry, with its else branches, a label by
// which an evaluation tells which of them answered. OPA's tracker knows rules by
// the labels of their METADATA alone.
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
		if a.Scope == "rule" && a.Title != "" {
			return a.Title
		}
	}
	return file + ":" + strconv.Itoa(r.Location.Row)
}

// ruleName returns the name of the first rule of the entry that was evaluated,
// and "" where none was.
func ruleName(t *topdown.EvaluatedRuleTracker) string {
	for _, labels := range t.Labels {
		if name, ok := labels[ruleLabel].(string); ok {
			return name
		}
	}
	return ""
}
