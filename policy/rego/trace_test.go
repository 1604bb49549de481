package rego

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTrace(t *testing.T) {
	p := load(t, "default allow := false\nallow if {\n\tinput.method == \"PUT\"\n\tinput.host == \"ok.test\"\n}")
	lines, err := p.Trace(context.Background(), get())
	if got := strings.Join(lines, "\n"); err != nil || !strings.Contains(got, `Fail input.method = "PUT"`) || !strings.Contains(got, ":4") {
		t.Errorf("%v\n%s", err, got)
	}
}

// TestTraceBounded has a policy that takes many steps, and one that prints what
// came in.
func TestTraceBounded(t *testing.T) {
	p := load(t, "allow if { some i in numbers.range(1, 50000); i == 0 }\n")
	lines, err := p.Trace(context.Background(), get())
	if err != nil || len(lines) > maxTrace+2 || !strings.HasPrefix(lines[len(lines)-1], "and what came of ") {
		t.Errorf("%d lines, %v, the last %q", len(lines), err, lines[len(lines)-1])
	}
	p = load(t, "allow if input.host == \"\\u001b[31m\"\n")
	lines, err = p.Trace(context.Background(), get())
	if got := strings.Join(lines, "\n"); err != nil || strings.Contains(got, "\x1b") || !strings.Contains(got, "31m") {
		t.Errorf("%v\n%q", err, got)
	}
}

// TestTraceEnds has a policy that would go on for minutes. That the test ends is
// the assertion.
func TestTraceEnds(t *testing.T) {
	p := load(t, "allow if count(numbers.range(1, 1000000000)) > 0\n")
	p.timeout = 10 * time.Millisecond
	if lines, err := p.Trace(context.Background(), get()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%q, %v; want an error about the time", lines, err)
	}
}
