package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/internal/learn"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
	"github.com/juliendoutre/proxaudit/policy/rego"
)

// policyLoader reads policies: YAML by the allowlist, .rego files, folders and
// bundles by OPA. An ending that is neither is an error: a policy must not be
// read by guess. It is not for concurrent use.
type policyLoader struct {
	policySources
	rego    rego.Options
	remotes *remotes
}

// newPolicyLoader reads the key, if there is one. What policies print goes to
// print, nowhere where that is nil.
func newPolicyLoader(s policySources, print io.Writer, r *remotes) (*policyLoader, error) {
	key, err := s.key()
	if err != nil {
		return nil, err
	}
	return &policyLoader{policySources: s, rego: rego.Options{Print: print, Key: key}, remotes: r}, nil
}

// load reads every source, and all of each, once.
func (l *policyLoader) load(ctx context.Context) (*policies, error) {
	p := &policies{policy: policy.Func(pass), proposer: learn.NewProposer(nil)}
	registries, floorRegistries := ecosystem.Registries{}, ecosystem.Registries{}
	var all []policy.Policy
	for _, source := range l.policies {
		one, err := l.one(ctx, source, p, registries)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
		if p.edit == "" || isYAML(source) && !isYAML(p.edit) {
			p.edit = shown(source)
		}
	}
	if len(all) > 0 {
		p.policy = policy.Combine(all...)
	}
	locks, err := l.readLocked(p, registries)
	switch {
	case err != nil:
		return nil, err
	case len(locks) > 0 && len(all) > 0:
		p.policy = besides(p.policy, locks)
	case len(locks) > 0:
		p.policy = policy.Combine(locks...)
	}
	var floors []policy.Policy
	for _, source := range l.floors {
		one, err := l.one(ctx, source, p, registries, floorRegistries)
		if err != nil {
			return nil, err
		}
		floors = append(floors, one)
	}
	if p.recognizer, err = ecosystem.New(registries); err != nil {
		return nil, fmt.Errorf("registries: %w", err)
	}
	p.proposer = learn.NewProposer(p.recognizer)
	own, err := ecosystem.New(floorRegistries)
	if err != nil {
		return nil, fmt.Errorf("registries: %w", err)
	}
	p.policy = respelled(p.recognizer, p.policy)
	for i, one := range floors {
		p.policy = policy.Floor(shown(l.floors[i]), identified(own, respelled(own, one)), p.policy)
	}
	p.hash = p.read.hash()
	return p, nil
}

// one reads one source and notes its digest in p. The registries it names go
// into each of registries.
func (l *policyLoader) one(ctx context.Context, source string, p *policies, registries ...ecosystem.Registries) (policy.Policy, error) {
	one, err := l.read(ctx, source)
	if err != nil {
		return nil, err
	}
	p.read = append(p.read, reading{shown(source), one.Hash(), one})
	if yaml, ok := one.(*allowlist.Policy); ok {
		for ecosystem, urls := range maps.All(yaml.Registries()) {
			for _, r := range registries {
				r[ecosystem] = append(r[ecosystem], urls...)
			}
		}
		for _, m := range yaml.Expired(time.Now()) {
			p.warnings = append(p.warnings, fmt.Sprintf("%s:%d:%d: %s; %s", shown(source), m.Line, m.Column, m.Message, m.Hint))
		}
	}
	return one, nil
}

// hashed is a policy that knows what it was read from.
type hashed interface {
	policy.Policy
	Hash() string
}

func (l *policyLoader) read(ctx context.Context, source string) (hashed, error) {
	if isURL(source) {
		return l.readRemote(ctx, source)
	}
	rego, err := isRego(source)
	switch {
	case err != nil:
		return nil, err
	case rego:
		return l.rego.Load(ctx, source)
	default:
		return allowlist.Load(source)
	}
}

// isRego reports whether what is at a path is read as Rego, and not as YAML.
func isRego(source string) (bool, error) {
	info, err := os.Stat(source)
	if err != nil {
		return false, fail("proxaudit learn -o policy.yaml -- COMMAND writes a first one", fmt.Errorf("reading the policy: %w", err))
	}
	switch {
	case info.IsDir(), strings.HasSuffix(source, ".rego"), isBundle(source):
		return true, nil
	case isYAML(source) || !info.Mode().IsRegular():
		return false, nil
	default:
		return false, fail("a policy is a .yaml, .yml or .rego file, a folder, or a bundle .tar.gz", fmt.Errorf("%s: %q names no kind of policy", source, filepath.Ext(source)))
	}
}

// errOnce is the answer for a source that can be read but once.
var errOnce = errors.New("a pipe can be read but once")

// digest returns the hash of what is to be read now, in the words of
// policies.hash.
func (l *policyLoader) digest(ctx context.Context) (string, error) {
	var now readings
	for _, source := range slices.Concat(l.policies, l.lockfiles, l.floors) {
		hash, err := l.digestOf(ctx, source)
		if err != nil {
			return "", err
		}
		now = append(now, reading{source: shown(source), hash: hash})
	}
	return now.hash(), nil
}

func (l *policyLoader) digestOf(ctx context.Context, source string) (string, error) {
	if slices.Contains(l.lockfiles, source) {
		return digestLockfile(source)
	}
	if isURL(source) {
		return l.remotes.digest(ctx, source)
	}
	if info, err := os.Stat(source); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return "", errOnce
	}
	return rego.Digest(ctx, source)
}
