package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/internal/learn"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// mergeBase is the policy that what is learned is merged into, read once.
type mergeBase struct {
	path   string
	source []byte
	yamlPolicy
}

// yamlPolicy is a policy and what finds the packages of its registries.
type yamlPolicy struct {
	policy     *allowlist.Policy
	recognizer *ecosystem.Recognizer
}

// readMergeBase reads the policy at path.
func readMergeBase(path string) (*mergeBase, error) {
	const hint = "what is learned is merged into a YAML policy; proxaudit learn -o policy.yaml -- COMMAND writes one"
	if isURL(path) {
		return nil, fail(hint, fmt.Errorf("%s: a policy from a server cannot be merged into", shown(path)))
	}
	rego, err := isRego(path)
	if err != nil {
		return nil, err
	}
	if rego {
		return nil, fail(hint, fmt.Errorf("%s: Rego cannot be merged into", path))
	}
	data, err := readPolicyFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	b := &mergeBase{path: path, source: data}
	if b.yamlPolicy, err = parseYAML(path, data); err != nil {
		return nil, err
	}
	if err := learn.Mergeable(data); err != nil {
		return nil, fmt.Errorf("merging into %s: %w", path, err)
	}
	return b, nil
}

// readPolicyFile reads a little more than a policy may have, for its reader to
// refuse.
func readPolicyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 16<<20))
}

func parseYAML(path string, data []byte) (yamlPolicy, error) {
	p, err := allowlist.Parse(path, data)
	if err != nil {
		return yamlPolicy{}, err
	}
	r, err := ecosystem.New(p.Registries())
	if err != nil {
		return yamlPolicy{}, fmt.Errorf("%s: registries: %w", path, err)
	}
	return yamlPolicy{p, r}, nil
}

// Decide implements learn.Base: it answers as a run with this policy alone does.
func (p *yamlPolicy) Decide(r *policy.Request) policy.Decision {
	r.Package, r.Registry = identify(p.recognizer, r)
	d, err := p.policy.Decide(context.Background(), r)
	if err != nil {
		return policy.Decision{Default: true}
	}
	return d
}

// Match implements learn.Base.
func (p *yamlPolicy) Match(r *policy.Request, each func(line int, versions bool)) {
	p.policy.Matching(r, func(m allowlist.Match) { each(m.Line, m.Versioned) })
}

// Hosts implements learn.Base.
func (p *yamlPolicy) Hosts() []string { return p.policy.Hosts() }

// options are what a Learner must know of the policy.
func (b *mergeBase) options(o learn.Options) learn.Options {
	o.Registries, o.Existing = b.policy.Registries(), b
	return o
}

// merge returns the policy with what was learned in it. Of a run that broke off
// it says nothing about rules that were not seen.
func (b *mergeBase) merge(l *learn.Learner, brokenOff bool) (*learn.Merged, error) {
	m, err := l.Merge(learn.Existing{
		Partial:    brokenOff,
		Source:     b.source,
		Registries: b.policy.Registries(),
		KnowsHost:  b.policy.KnowsHost,
		Load: func(data []byte) (func(*policy.Request) policy.Decision, error) {
			p, err := parseYAML(b.path, data)
			return p.Decide, err
		},
	})
	if err != nil {
		return nil, fail("nothing was written; proxaudit learn -from writes what was learned by itself", fmt.Errorf("merging into %s: %w", b.path, err))
	}
	return m, nil
}

// unchanged is an error when the file is no longer what was read: what somebody
// wrote into it meanwhile must not be lost.
func (b *mergeBase) unchanged() error {
	now, err := readPolicyFile(b.path)
	if err == nil && !bytes.Equal(now, b.source) {
		err = errors.New("it was changed meanwhile")
	}
	if err != nil {
		return fail("nothing was written; with -output the run can be learned from again, by -from", fmt.Errorf("merging into %s: %w", b.path, err))
	}
	return nil
}
