package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/report"
)

// testReport is what `proxaudit test` found.
type testReport struct {
	// Malformed are the parts of logs that are no request, and Failures the tests
	// beside policies that failed.
	Malformed []malformedPart `json:"malformed"`
	Failures  []failedTest    `json:"failures"`

	different report.Differences
}

// malformedPart is a part of a log that is none.
type malformedPart struct {
	File string `json:"file"`
	// Line is that of events, Entry that of an HTTP archive, from 1.
	Line    int    `json:"line,omitempty"`
	Entry   int    `json:"entry,omitempty"`
	Message string `json:"message"`
}

// failedTest is a test that failed, and where it stands.
type failedTest struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	// Name is that of a Rego test.
	Name    string   `json:"name,omitempty"`
	Message string   `json:"message"`
	Details []string `json:"details,omitempty"`
}

// testCounts are the numbers of the summary.
type testCounts struct {
	Requests  int `json:"requests"`
	Different int `json:"different"`
	// Own were refused by proxaudit itself, and no policy was asked.
	Own       int `json:"own"`
	Malformed int `json:"malformed"`
	Passed    int `json:"passed"`
	Failed    int `json:"failed"`
}

func (t *trial) counts() testCounts {
	return testCounts{t.replayed, t.different.Count(), t.own, t.malformed, t.passed, t.failed}
}

// write writes the report. Of many malformed parts and of many differences the
// first are there; the summary counts all.
func (t *trial) write(w io.Writer) error {
	if t.format == "json" {
		all, _ := t.different.All()
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Differences []report.Counted `json:"differences"`
			testReport
			Summary testCounts `json:"summary"`
		}{all, t.testReport, t.counts()})
	}
	var b strings.Builder
	for _, f := range t.Failures {
		name := f.Name
		if name != "" {
			name += ": "
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s%s\n", enforce.Printable(f.File), f.Line, f.Column, enforce.Printable(name), enforce.Printable(f.Message))
		for _, detail := range f.Details {
			fmt.Fprintf(&b, "  %s\n", enforce.Printable(detail))
		}
	}
	for _, m := range t.Malformed {
		part := "line"
		if m.Entry > 0 {
			part = "entry"
		}
		fmt.Fprintf(&b, "%s: %s %d: %s\n", enforce.Printable(m.File), part, cmp.Or(m.Line, m.Entry), enforce.Printable(m.Message))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	_, err := t.different.WriteTo(w)
	return err
}

func (t *trial) addFailure(f failedTest) {
	t.failed++
	t.Failures = append(t.Failures, f)
}
