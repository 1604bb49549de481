package rego

import (
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// packagePath is the package whose rules decide.
const packagePath = "data.proxaudit"

// findEntry returns the name of the rule that decides, and an error where there
// is none, or more than one way to read the answer.
func findEntry(modules map[string]*ast.Module) (string, error) {
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
