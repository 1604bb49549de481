package main

import (
	"slices"

	"github.com/juliendoutre/proxaudit/internal/learn"
)

// learnsFromLockfiles reports whether lockfiles are all there is to learn from.
func (o *options) learnsFromLockfiles() bool {
	return len(o.learnLock.lockfiles) > 0 && len(o.command) == 0 && !o.server
}

// sayUnplaced warns of lockfiles whose rules let nothing through, or less than a
// build needs.
func (l *learning) sayUnplaced(con console) {
	for _, f := range l.Unplaced() {
		say(con.err, "warning", noRegistry(f))
	}
	for _, f := range l.Built() {
		say(con.err, "warning", built(f))
	}
}

// withLockfiles adds what lockfiles name, and where the flags say that packages
// come from. The files are read here, before anything runs.
func (o *learnFlags) withLockfiles(l learn.Options) (learn.Options, error) {
	files, err := o.learnLock.readLockfiles()
	if err != nil {
		return l, err
	}
	l.Lockfiles = files
	for typ, urls := range o.learnLock.registries {
		if l.Registries == nil {
			l.Registries = map[string][]string{}
		}
		l.Registries[typ] = slices.Concat(l.Registries[typ], urls)
	}
	return l, nil
}
