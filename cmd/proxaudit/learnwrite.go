package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"github.com/juliendoutre/proxaudit/internal/learn"
)

// learner begins to learn, for what is written at last.
func (o *learnFlags) learner(options learn.Options) (*learning, error) {
	l := &learning{learnFlags: o}
	options.Version = versionName()
	if path := o.policy(); path != "" {
		var err error
		if l.base, err = readMergeBase(path); err != nil {
			return nil, err
		}
		options = l.base.options(options)
	}
	options, err := o.withLockfiles(options)
	if err != nil {
		return nil, err
	}
	if l.place, err = openPlace(o.learned); err != nil {
		return nil, unwritable(err)
	}
	l.Learner = learn.New(options)
	return l, nil
}

// learning is what is learned, and what becomes of it.
type learning struct {
	*learnFlags
	*learn.Learner
	base  *mergeBase // nil where a policy of its own is written
	place place      // of the policy
}

// learnFrom learns from recordings.
func learnFrom(o *options, con console) (int, error) {
	var options learn.Options
	for _, path := range o.from {
		options.Recordings = append(options.Recordings, filepath.Base(path))
	}
	l, err := o.learner(options)
	if err != nil {
		return 0, err
	}
	if err := readRecordings(o.from, l.Learner); err != nil {
		return 0, err
	}
	drift, err := l.write(con, false)
	if err == nil && drift {
		return exitFindings, nil
	}
	return exitOK, err
}

// write writes the policy, or the difference, to standard output or, all at once,
// to a file. It reports drift where that is to fail.
func (l *learning) write(con console, brokenOff bool) (drift bool, err error) {
	var policy bytes.Buffer
	if l.base == nil {
		if err := l.WritePolicy(&policy); err != nil {
			return false, fmt.Errorf("writing the policy: %w", err)
		}
		l.sayUnplaced(con)
		sayScore(l.learned, policy.Bytes(), con)
		return false, l.put(policy.Bytes(), con)
	}
	m, err := l.base.merge(l.Learner, brokenOff)
	if err != nil {
		return false, err
	}
	l.sayUnplaced(con)
	out := m.Policy
	if l.diff != "" {
		out = unifiedDiff(l.diff, l.base.source, m.Policy)
	} else if !bytes.Equal(out, l.base.source) {
		sayScore(cmp.Or(l.learned, l.merge), out, con)
	}
	if err := l.put(out, con); err != nil {
		return false, err
	}
	sayDenied(con, l.base.path, m.Denied)
	if l.failOnDrift && m.Drift() {
		say(con.err, "drift", driftWords(l.base.path, m))
		return true, nil
	}
	return false, nil
}

func (l *learning) put(data []byte, con console) error {
	if l.learned == "" {
		_, err := con.out.Write(data)
		return err
	}
	if l.base != nil && sameFile(l.learned, l.base.path) {
		if err := l.base.unchanged(); err != nil || bytes.Equal(data, l.base.source) {
			return err
		}
	}
	if err := l.place.write(data); err != nil {
		return unwritable(err)
	}
	return nil
}

func unwritable(err error) error {
	return fail("the policy needs a place that can be written to", fmt.Errorf("writing the policy: %w", err))
}

// sameFile reports whether two paths lead to one file.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, also := os.Stat(b)
	return err == nil && also == nil && os.SameFile(x, y)
}
