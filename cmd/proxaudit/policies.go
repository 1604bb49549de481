package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/internal/learn"
	"github.com/juliendoutre/proxaudit/policy"
)

// policies is what the -policy and -floor flags name, as read once. It does not
// change. Decide marks its answers with what was asked.
type policies struct {
	policy     policy.Policy
	recognizer *ecosystem.Recognizer
	proposer   *learn.Proposer
	// edit is the file that a denial tells the user to edit.
	edit string
	read readings
	hash string
	// warnings are about rules that do less than they say.
	warnings []string
}

// reading is one source, the digest of what was read there, and the policy that it
// is, if that was asked for.
type reading struct {
	source, hash string
	policy       policy.Policy
}

type readings []reading

// hash is one digest for all: the only one's own, else that of the lines that
// sha256sum would print. It is empty where nothing was read.
func (r readings) hash() string {
	switch len(r) {
	case 0:
		return ""
	case 1:
		return r[0].hash
	}
	var lines strings.Builder
	for _, one := range r {
		fmt.Fprintf(&lines, "%s  %s\n", strings.TrimPrefix(one.hash, "sha256:"), one.source)
	}
	sum := sha256.Sum256([]byte(lines.String()))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Decide implements policy.Policy.
func (p *policies) Decide(ctx context.Context, r *policy.Request) (policy.Decision, error) {
	d, err := p.policy.Decide(ctx, r)
	d.Policy = p.hash
	// A rule that denies beats any that would be added.
	d.Final = d.Final || d.Action == policy.Deny && !d.Default
	return d, err
}

// identify names the package behind a request, for the proxy.
func (p *policies) identify(r *policy.Request) (purl, registry string) {
	return identify(p.recognizer, r)
}

// propose returns what to add to the policies so that a denied request is allowed.
func (p *policies) propose(r *policy.Request) string { return p.proposer.Line(r) }

// pass stands where there is no policy: everything passes and is recorded, which
// is what audit and learn mean.
func pass(_ context.Context, r *policy.Request) (policy.Decision, error) {
	return policy.Decision{Action: policy.Log, Default: true, Passthrough: r.Scheme == "tcp", Reason: "no policy: recorded only"}, nil
}

// identified asks p about a request as recognizer sees its package, whatever
// other files register: what a project calls a registry must earn nothing from a
// floor.
func identified(recognizer *ecosystem.Recognizer, p policy.Policy) policy.Policy {
	return policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
		purl, registry := identify(recognizer, r)
		if purl == r.Package && registry == r.Registry {
			return p.Decide(ctx, r)
		}
		again := *r
		again.Package, again.Registry = purl, registry
		return p.Decide(ctx, &again)
	})
}

func identify(recognizer *ecosystem.Recognizer, r *policy.Request) (purl, registry string) {
	return recognizer.Identify(query(r))
}

func query(r *policy.Request) ecosystem.Query {
	return ecosystem.Query{
		Method: r.Method, Scheme: r.Scheme, Host: r.Host, Port: r.Port,
		Path: r.Path, RawQuery: r.Query, Header: r.Header,
	}
}

// shown is how a source is called in messages, rules and events: a URL may have a
// secret in its query.
func shown(source string) string {
	if isURL(source) {
		return enforce.RedactURL(source)
	}
	return source
}
