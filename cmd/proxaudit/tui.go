package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/child"
)

// What a person sees, besides the summary and help:
//
//	proxaudit: error: what happened, lowercase, no full stop
//	proxaudit: hint: what to do next
//	proxaudit: warning: what will be weaker than one may think
//
// A mistake prints one error and its hints. Everything goes to standard error:
// standard output belongs to the command, or to what was asked for.

// failure is an error with a hint.
type failure struct {
	err  error
	hint string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }
func (f *failure) Hint() string  { return f.hint }

// fail wraps err with a hint.
func fail(hint string, err error) error { return &failure{err: err, hint: hint} }

// complain prints err and its hint and returns the exit code it stands for.
func complain(w io.Writer, err error) int {
	say(w, "error", err.Error())
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		say(w, "hint", h.Hint())
	}
	if start := (*child.StartError)(nil); errors.As(err, &start) {
		return start.Code
	}
	return exitFailed
}

// say prints text line by line, the first one behind its kind.
func say(w io.Writer, kind, text string) {
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		line = enforce.Printable(line)
		if i == 0 {
			_, _ = fmt.Fprintf(w, "proxaudit: %s: %s\n", kind, line)
		} else {
			_, _ = fmt.Fprintf(w, "  %s\n", line)
		}
	}
}
