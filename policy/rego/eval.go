package rego

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// eval asks the policy. The value is nil when the policy is undefined; rule
// names the rule that answered, as far as it is known.
func (p *Policy) eval(ctx context.Context, input ast.Value) (ast.Value, string, error) {
	// A context that has ended cancels from a goroutine, which may come too
	// late to stop a short evaluation.
	if err := ctx.Err(); err != nil {
		return nil, "", fmt.Errorf("decide: %w", err)
	}
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(p.timeout, cancel.Cancel)
	defer timer.Stop()
	stop := context.AfterFunc(ctx, cancel.Cancel)
	defer stop()

	var tracker *topdown.EvaluatedRuleTracker
	if p.names.track {
		tracker = &topdown.EvaluatedRuleTracker{}
	}
	var answers []ast.Value
	err := p.query.about(input).
		WithCancel(cancel).
		WithEvaluatedRuleTracker(tracker).
		Iter(ctx, func(r topdown.QueryResult) error {
			if answer := r[answerVar]; answer != nil {
				answers = append(answers, answer.Value)
			}
			return nil
		})
	if err != nil {
		return nil, "", evalError(ctx, err)
	}
	if len(answers) != 1 {
		return nil, "", nil
	}
	return answers[0], p.names.of(answers[0], tracker), nil
}

// evalError says in plain words where and why an evaluation failed.
func evalError(ctx context.Context, err error) error {
	if topdown.IsCancel(err) {
		if ctx.Err() != nil {
			return fmt.Errorf("decide: %w", ctx.Err())
		}
		return fmt.Errorf("the decision took longer than %v: %w", Timeout, context.DeadlineExceeded)
	}
	if e, ok := errors.AsType[*topdown.Error](err); ok && e.Location != nil {
		return &Error{
			File: e.Location.File, Line: e.Location.Row, Column: e.Location.Col,
			Message: oneLine(e.Message),
		}
	}
	return fmt.Errorf("decide: %w", err)
}

// oneLine joins the lines of a message about conflicting values.
func oneLine(message string) string {
	lines := strings.Split(message, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	if len(lines) == 1 {
		return lines[0]
	}
	return lines[0] + " " + strings.Join(lines[1:], ", ")
}
