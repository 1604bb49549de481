package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2/maybe"

	"github.com/juliendoutre/proxaudit/internal/learn"
)

// learnFlags are the flags of learn alone.
type learnFlags struct {
	learned string // -o
	from    list
}

func (o *learnFlags) flags(f *flag.FlagSet) {
	f.StringVar(&o.learned, "o", "", "")
	f.Var(&o.from, "from", "")
}

// learnsFromRecordings are the flags that go with -from; the others are for a run.
func learnsFromRecordings() []string { return []string{"from", "o"} }

// recordings takes the words behind -from for further recordings: a shell makes
// them of -from *.jsonl. Flags may follow them, as what is learned is no command.
func (o *learnFlags) recordings(f *flag.FlagSet, args []string) error {
	for rest := f.Args(); len(rest) > 0; rest = f.Args() {
		if behind := len(args) - len(rest); behind > 0 && args[behind-1] == "--" {
			return fail("drop -from to run the command, or the command to learn from recordings", errors.New("-from runs no command"))
		}
		o.from = append(o.from, rest[0])
		args = rest[1:]
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return errHelp
		} else if err != nil {
			return fail("proxaudit help learn lists the flags", err)
		}
	}
	var other error
	f.Visit(func(given *flag.Flag) {
		if !slices.Contains(learnsFromRecordings(), given.Name) {
			other = fail("drop it, or drop -from to run a command", fmt.Errorf("-%s is for a run, and -from runs nothing", given.Name))
		}
	})
	return other
}

// check finds flags of learn that contradict each other.
func (o *learnFlags) check() error {
	if i, twice := repeated(o.from); twice {
		return fail("each recording is a run; name it once", fmt.Errorf("%s is given twice", o.from[i]))
	}
	return nil
}

// learnFrom learns from recordings.
func learnFrom(o *options, con console) error {
	l := learn.New(learn.Options{Version: versionName()})
	if err := readRecordings(o.from, l); err != nil {
		return err
	}
	return o.writeLearned(l, con)
}

// writeLearned writes the policy to standard output or, all at once, to a file.
func (o *learnFlags) writeLearned(l *learn.Learner, con console) error {
	var policy bytes.Buffer
	if err := l.WritePolicy(&policy); err != nil {
		return fmt.Errorf("writing the policy: %w", err)
	}
	sayScore(o.learned, policy.Bytes(), con)
	if o.learned == "" {
		_, err := con.out.Write(policy.Bytes())
		return err
	}
	if err := replaceFile(o.learned, policy.Bytes()); err != nil {
		return fail("the policy needs a place that can be written to", fmt.Errorf("writing the policy: %w", err))
	}
	return nil
}

// replaceFile writes a file all at once. One that is there keeps its place and
// its permissions.
func replaceFile(path string, data []byte) error {
	mode := os.FileMode(0o644)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return maybe.WriteFile(path, data, mode)
}
