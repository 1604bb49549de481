package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// pace is how often and how patiently a server looks for a changed policy.
type pace struct {
	every time.Duration
	// settle is how long a change must have stood before it is taken: an editor
	// that writes in place is caught half-way otherwise, and half a policy may be
	// a valid one that denies less.
	settle time.Duration
}

func serverPace() pace { return pace{every: time.Second, settle: 300 * time.Millisecond} }

const (
	// watchShare bounds what looking costs: one part in so many of the time.
	watchShare = 50
	// watchMost bounds the time between two looks, in times of pace.every. One that
	// took long may have cost little: it waited for a busy machine, or a server.
	watchMost = 30
)

// livePolicies are policies that may be replaced while requests are decided. A
// request is decided by one of them from beginning to end.
type livePolicies struct {
	current atomic.Pointer[policies]
}

// Decide implements policy.Policy. A request whose package was named before the
// change is named again: what another policy calls a registry earns nothing.
func (l *livePolicies) Decide(ctx context.Context, r *policy.Request) (policy.Decision, error) {
	p := l.current.Load()
	return identified(p.recognizer, p).Decide(ctx, r)
}

func (l *livePolicies) identify(r *policy.Request) (purl, registry string) {
	return l.current.Load().identify(r)
}

func (l *livePolicies) propose(r *policy.Request) string { return l.current.Load().propose(r) }

// change is what became of a policy that changed.
type change struct {
	// inForce decides from now on, or as before where err says why not.
	inForce *policies
	err     error
}

// source is where policies come from. It is a policyLoader.
type source interface {
	// digest returns the hash of what load would load now.
	digest(context.Context) (string, error)
	load(context.Context) (*policies, error)
}

// watch looks for changed policies until ctx ends, replaces those in force all
// at once, and reports each change. One that cannot be loaded changes nothing.
//
// It reads what there is and compares digests, rather than wait for the file
// system to tell: a time stamp can be kept, an editor replaces the file that is
// watched, a ConfigMap is a link to a folder that is swapped, and a network file
// system tells nothing.
func (l *livePolicies) watch(ctx context.Context, from source, p pace, report func(change)) {
	if _, err := from.digest(ctx); errors.Is(err, errOnce) {
		return
	}
	seen, pause := l.current.Load().hash, p.every
	for wait(ctx, pause) {
		began := time.Now()
		now, err := state(ctx, from)
		pause = min(max(p.every, watchShare*time.Since(began)), watchMost*p.every)
		if now == seen {
			continue
		}
		if !wait(ctx, p.settle) {
			return
		}
		inForce := l.current.Load()
		next := inForce
		if err != nil {
			if again, _ := state(ctx, from); again != now {
				continue // it was only being replaced
			}
		} else if now != inForce.hash {
			next, err = from.load(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			seen = now
			report(change{inForce, err})
		case next.hash == now:
			seen = now
			if next != inForce {
				l.current.Store(next)
				report(change{next, nil})
			}
		} // else it is still being written: look again
	}
}

// state is the digest of what is there now, or why there is none, in one string
// to compare.
func state(ctx context.Context, from source) (string, error) {
	hash, err := from.digest(ctx)
	if err != nil {
		return err.Error(), err
	}
	return hash, nil
}

// wait waits for d, and reports false when ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
