package rego

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/lineage"

	"github.com/juliendoutre/proxaudit/policy"
)

const (
	// maxEvents bounds how much of an evaluation is remembered.
	maxEvents = 20_000
	// maxTrace bounds the lines of a trace.
	maxTrace = 80
)

// Trace evaluates the policy for r and returns what was looked at, line by line:
// each rule that was left with a value, each expression that did not hold, and
// what led there. What is longer than a screen is cut, and says so. The lines
// hold nothing that a terminal would act on.
func (p *Policy) Trace(ctx context.Context, r *policy.Request) ([]string, error) {
	input, err := buildInput(p.fields, r)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, p.timeout)
	defer stop()
	tracer := &boundedTracer{}
	cancel := topdown.NewCancel()
	defer context.AfterFunc(ctx, cancel.Cancel)()
	err = p.query.about(input).
		WithCancel(cancel).
		WithIndexing(false). // the index leaves out what cannot match, unseen
		WithQueryTracer(tracer).
		Iter(ctx, func(topdown.QueryResult) error { return nil })
	if err != nil && len(tracer.events) == 0 {
		return nil, evalError(ctx, err)
	}
	events := lineage.Filter(tracer.events, func(e *topdown.Event) bool {
		_, isRule := e.Node.(*ast.Rule)
		return e.Op == topdown.FailOp || e.Op == topdown.ExitOp && isRule
	})
	var b bytes.Buffer
	topdown.PrettyTraceWithLocation(&b, events)
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = escape(strings.TrimRight(lines[i], " "))
	}
	lines = slices.DeleteFunc(lines, func(s string) bool { return s == "" })
	if err != nil && len(lines) == 0 {
		return nil, evalError(ctx, err) // it came to nothing that a trace shows
	}
	if more := len(lines) - maxTrace; more > 0 {
		lines = append(lines[:maxTrace], fmt.Sprintf("and %d more lines", more))
	}
	if tracer.lost > 0 {
		lines = append(lines, fmt.Sprintf("and what came of %d further steps", tracer.lost))
	}
	return lines, nil
}

// boundedTracer remembers the first steps of an evaluation.
type boundedTracer struct {
	events []*topdown.Event
	lost   int
}

// Enabled implements topdown.QueryTracer.
func (*boundedTracer) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (*boundedTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

// TraceEvent implements topdown.QueryTracer.
func (t *boundedTracer) TraceEvent(e topdown.Event) {
	if len(t.events) >= maxEvents {
		t.lost++
		return
	}
	t.events = append(t.events, &e)
}
