package rego

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/juliendoutre/proxaudit/policy"
)

// Lint loads the policy at path and returns what may be wrong with it, in the
// order of the files. Where it cannot be loaded, there is a finding for each
// fault. An error is for what cannot be read at all.
func (o Options) Lint(ctx context.Context, path string) ([]policy.Finding, error) {
	src, err := read(ctx, path, o.Key)
	if err != nil {
		return asFindings(err)
	}
	return o.lint(ctx, src)
}

// LintBundle is Lint for a bundle that is in memory. Messages call it name.
func (o Options) LintBundle(ctx context.Context, name string, data []byte) ([]policy.Finding, error) {
	if len(data) > MaxBytes {
		return asFindings(tooLarge(name))
	}
	src, err := unpack(ctx, name, data, o.Key)
	if err != nil {
		return asFindings(err)
	}
	return o.lint(ctx, src)
}

// asFindings turns the faults of a policy into findings.
func asFindings(err error) ([]policy.Finding, error) {
	var faults Errors
	if !errors.As(err, &faults) {
		return nil, err
	}
	var out []policy.Finding
	for _, f := range faults {
		out = append(out, policy.Finding{
			ID: "invalid", Severity: policy.Error, File: f.File, Line: f.Line, Column: f.Column, Message: f.Message, Mend: f.Hint,
		})
	}
	return out, nil
}

func (o Options) lint(ctx context.Context, src *source) ([]policy.Finding, error) {
	o.Print = nil
	p, err := o.load(ctx, src)
	if err != nil {
		return asFindings(err)
	}
	written, err := parse(src)
	if err != nil {
		return asFindings(err)
	}
	l := &linting{compiler: p.compiler, entry: p.entry, data: p.query.data}
	for _, m := range p.compiler.Modules {
		for _, r := range m.Rules {
			l.opens(r)
			l.loops(r)
			l.missing(r)
		}
	}
	l.answers(written)
	for _, m := range written {
		l.comparisons(m)
		l.headers(m)
		l.prints(m)
	}
	l.unused()
	l.compact()
	l.suppress(src)
	l.sort()
	return l.found, nil
}

// compact drops what is found twice: a rule that OPA rewrote into several.
func (l *linting) compact() {
	l.sort()
	l.found = slices.CompactFunc(l.found, func(a, b policy.Finding) bool {
		return a.Place() == b.Place() && a.ID == b.ID && a.Message == b.Message
	})
}

func (l *linting) sort() {
	slices.SortStableFunc(l.found, func(a, b policy.Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column, cmp.Compare(a.ID, b.ID))
	})
}

// linting is a look at a policy that was compiled.
type linting struct {
	compiler *ast.Compiler
	entry    string
	data     documents
	found    []policy.Finding
}

func (l *linting) at(loc *ast.Location, id, message, mend string) {
	l.add(policy.Warning, loc, id, message, mend)
}

func (l *linting) add(s policy.Severity, loc *ast.Location, id, message, mend string) {
	l.found = append(l.found, policy.Finding{
		ID: id, Severity: s, File: loc.File, Line: loc.Row, Column: loc.Col, Message: message, Mend: mend,
	})
}

// opens points at rules of the entry that forward whatever nobody thought of.
func (l *linting) opens(r *ast.Rule) {
	if r.Module == nil || r.Module.Package.Path.String() != packagePath || entryOf(r) != l.entry || r.Head.Value == nil || !forwards(r.Head.Value.Value) {
		return
	}
	switch {
	case r.Default:
		l.at(r.Location, "default-allow", "the default forwards whatever no rule decides about", "write default "+l.entry+" := "+denial(l.entry)+", and rules for what is needed")
	case isTrue(r.Body) && r.Else == nil:
		l.at(r.Location, "always-allows", "the rule has no condition: every request is forwarded", "say what is needed behind if")
	}
}

func denial(entry string) string {
	if entry == entryAllow {
		return "false"
	}
	return `{"action": "deny"}`
}

// forwards reports whether a value of the entry lets a request pass.
func forwards(v ast.Value) bool {
	if object, ok := v.(ast.Object); ok {
		action := object.Get(ast.StringTerm("action"))
		return action != nil && (action.Equal(ast.StringTerm("allow")) || action.Equal(ast.StringTerm("log")))
	}
	return v.Compare(ast.Boolean(true)) == 0
}

func isTrue(b ast.Body) bool {
	if len(b) != 1 {
		return false
	}
	// What is not false holds: an empty object, too, which {} behind if is.
	t, ok := b[0].Terms.(*ast.Term)
	return ok && !b[0].Negated && ast.IsConstant(t.Value) && t.Value.Compare(ast.Boolean(false)) != 0
}

// unused points at rules of the package that decides which the entry never asks:
// a rule named deny that nobody reads denies nothing.
func (l *linting) unused() {
	var queue []*ast.Rule
	reached := map[*ast.Rule]bool{}
	names := map[string]bool{} // rules of one name are one document
	add := func(r *ast.Rule) {
		if !reached[r] {
			reached[r], names[r.Ref().String()] = true, true
			queue = append(queue, r)
		}
	}
	for _, r := range l.decisive() {
		if entryOf(r) == l.entry {
			add(r)
		}
	}
	for len(queue) > 0 {
		r := queue[0]
		queue = queue[1:]
		for dependency := range l.compiler.Graph.Dependencies(r) {
			if next, ok := dependency.(*ast.Rule); ok {
				add(next)
			}
		}
	}
	for _, r := range l.decisive() {
		if reached[r] || r.Default || names[r.Ref().String()] || strings.HasPrefix(r.Head.Name.String(), "test_") {
			continue
		}
		l.at(r.Location, "unused-rule", r.Head.Ref().String()+" has no part in "+l.entry+", and so decides nothing", "use it in "+l.entry+", or remove it")
	}
}

// decisive returns the rules of the package that decides.
func (l *linting) decisive() []*ast.Rule {
	var out []*ast.Rule
	for _, m := range l.compiler.Modules {
		if m.Package.Path.String() == packagePath {
			out = append(out, m.Rules...)
		}
	}
	return out
}
