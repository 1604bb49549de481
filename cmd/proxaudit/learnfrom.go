package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/learn"
	"github.com/juliendoutre/proxaudit/internal/replay"
)

// readRecordings has l learn from recordings, each of one run. One event at a
// time is held.
func readRecordings(paths []string, l *learn.Learner) error {
	for i, path := range paths {
		if i > 0 {
			l.NextRun()
		}
		if err := readRecording(path, l); err != nil {
			return err
		}
	}
	return nil
}

func readRecording(path string, l *learn.Learner) error {
	const hint = "proxaudit -output events.jsonl -- COMMAND records a run; a part of one must not pass for the whole"
	if strings.HasSuffix(strings.ToLower(path), ".har") {
		return fail("proxaudit test -log takes HTTP archives; to learn, record the run with -output", fmt.Errorf("%s: an HTTP archive does not say what learn must know", path))
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(hint, fmt.Errorf("reading the recording: %w", err))
	}
	defer f.Close()
	events := 0
	err = replay.Each(f, func(_ int, ev *enforce.Event) error {
		events++
		return l.Record(*ev)
	})
	if err == nil && events == 0 {
		err = errors.New("line 1: no event is in there")
	}
	if err != nil {
		return fail(hint, fmt.Errorf("%s: %s", path, enforce.RedactText(err.Error())))
	}
	return nil
}
