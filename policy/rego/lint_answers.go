package rego

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/juliendoutre/proxaudit/policy"
)

// answers points at rules of the entry whose answer can be read from the text and
// is none: it denies whatever else is meant. Modules are as they were written, for
// the compiler takes answers apart.
func (l *linting) answers(modules map[string]*ast.Module) {
	constants := map[string][]*ast.Rule{}
	for _, m := range modules {
		if m.Package.Path.String() != packagePath {
			continue
		}
		for _, top := range m.Rules {
			for r := top; r != nil && entryOf(top) == l.entry; r = r.Else {
				l.answer(r)
			}
			name := top.Head.Ref().String()
			if top.Head.Value != nil && top.Head.Key == nil && len(top.Head.Args) == 0 && !top.Default && ast.IsConstant(top.Head.Value.Value) {
				constants[name] = append(constants[name], top)
			}
		}
	}
	for name, rules := range constants {
		slices.SortFunc(rules, func(a, b *ast.Rule) int { return a.Location.Compare(b.Location) })
		l.conflicts(name, rules)
	}
}

// answer looks at the value of one rule.
func (l *linting) answer(r *ast.Rule) {
	if r.Head.Value == nil || len(r.Head.Ref()) != 1 {
		return
	}
	value := r.Head.Value.Value
	wrong := func(message, mend string) {
		l.add(policy.Error, r.Head.Value.Location, "wrong-answer", message+": whatever the rule is about is denied", mend)
	}
	if l.entry == entryAllow {
		switch value.(type) {
		case ast.Boolean, ast.Var, ast.Ref, ast.Call:
		default:
			mend := "write allow := true, or name the rule decision"
			if _, isObject := value.(ast.Object); isObject {
				mend = "name the rule decision, or write allow := true"
			}
			wrong("allow is "+kindWritten(value)+", and no boolean", mend)
		}
		return
	}
	const mend = `write decision := {"action": "allow"}, or deny or log`
	object, ok := value.(ast.Object)
	if !ok {
		switch value.(type) {
		case ast.Var, ast.Ref, ast.Call:
		default:
			wrong("decision is "+kindWritten(value)+", and no object", mend)
		}
		return
	}
	if message := wrongKey(object); message != "" {
		wrong(message, mend+"; further keys are reason, rule, tls, tcp and networks")
	}
	if word, of := misplaced(object, r.Body); word != "" {
		wrong(fmt.Sprintf(`"%s": "passthrough" answers about %s alone, which the conditions exclude`, word, of),
			`for raw TCP write "tcp": "passthrough", for TLS that is not decrypted "tls", for a request neither`)
	}
}

// wrongKey returns what keeps an object from being a decision, as far as it is
// written out.
func wrongKey(object ast.Object) string {
	var s said
	hasAction, allWritten := false, true
	var message string
	object.Foreach(func(key, value *ast.Term) {
		name, ok := key.Value.(ast.String)
		if !ok {
			allWritten = false
			return
		}
		hasAction = hasAction || name == "action"
		written := value.Value
		if !ast.IsConstant(written) {
			written = standIn(string(name))
		}
		if err := readKey(&s, string(name), written); err != nil && message == "" {
			message = err.Error()
		}
	})
	if message == "" && allWritten && !hasAction {
		return `decision has no "action"`
	}
	return message
}

// standIn returns a value that a key may have, for one that is not known yet.
func standIn(key string) ast.Value {
	switch key {
	case "action":
		return ast.String("deny")
	case "tls", "tcp":
		return ast.String("passthrough")
	case "networks":
		return ast.NewArray()
	default:
		return ast.String("")
	}
}

// conflicts points at rules that give different answers, neither of which yields to
// the other: where both hold, the evaluation ends in an error, which denies.
func (l *linting) conflicts(name string, rules []*ast.Rule) {
	for i, r := range rules {
		for _, other := range rules[:i] {
			if other.Head.Value.Value.Compare(r.Head.Value.Value) == 0 {
				continue
			}
			severity, message := policy.Note, ": where both hold, the request is denied with an error"
			both := isTrue(r.Body) && isTrue(other.Body)
			if !both && name != l.entry {
				continue // own_port := 443 and own_port := 80, each for a scheme, are usual
			}
			if both {
				severity, message = policy.Error, ": whatever asks for it is denied with an error"
			}
			l.add(severity, r.Location, "conflicting-rules", name+" has another value at "+fmt.Sprintf("%s:%d", other.Location.File, other.Location.Row)+message,
				"join them with else, in the order in which they are to be asked")
			break
		}
	}
}

// kindWritten is kind for a value that is not worked out yet.
func kindWritten(v ast.Value) string {
	switch v.(type) {
	case *ast.SetComprehension:
		return "a set"
	case *ast.ArrayComprehension:
		return "an array"
	case *ast.ObjectComprehension:
		return "an object"
	default:
		return kind(v)
	}
}
