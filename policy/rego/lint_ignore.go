package rego

import (
	"bytes"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/juliendoutre/proxaudit/policy"
)

// suppress takes out of account what comments in the modules silence.
func (l *linting) suppress(src *source) {
	for _, f := range src.files {
		m := l.compiler.Modules[f.path]
		if m == nil || !policy.HoldsIgnores(string(f.data)) {
			continue
		}
		comments := map[int]*ast.Comment{} // by line
		for _, c := range m.Comments {
			comments[c.Location.Row] = c
		}
		c := policy.Commented{
			File: f.path, Text: string(f.data), Rules: map[int]int{},
			Quoted: func(line, column int) bool {
				c := comments[line]
				return c == nil || c.Location.Col > column
			},
		}
		for _, r := range m.Rules {
			first := r.Location.Row
			c.Rules[first] = max(c.Rules[first], first+bytes.Count(r.Location.Text, []byte("\n")))
		}
		l.found = c.Suppress(l.found)
	}
}
