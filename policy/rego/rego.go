// Package rego decides requests with policies written in Rego. It is the only
// package that imports OPA.
//
// A policy is `package proxaudit` and defines one of two rules:
//
//	decision := {"action": "allow", "reason": "…", "rule": "…"}
//	allow := true
//
// An action is allow, deny or log. A decision may further hold `networks`, an array
// or set of prefixes, and `tls` or `tcp`, whose only value is "passthrough": the
// words for TLS that is not decrypted and for raw TCP; see policy.Decision. An
// answer with one of them denies whatever else it is given to, a request in the
// clear too. What a policy may look at is Input.
//
// Whatever is not a clear answer denies: undefined, a wrong type, an unknown
// key, a conflict, an error of a builtin, a decision that takes too long. None
// of it is a default in the sense of policy.Decision, so that an allow of
// another policy never overrides it. Whoever wants other policies to have a
// say writes a narrower Rego policy, not one that is silent.
//
// The package must never let a policy reach out: builtins that open connections,
// look up names, read the environment or draw lots are refused when the policy
// is loaded. It reads files only in Load, and nothing it read is read again.
package rego

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/juliendoutre/proxaudit/policy"
)

const (
	// Timeout bounds one decision. A usual one takes some microseconds; the rest
	// is for a machine that is busy with the build it watches. It is checked
	// between the steps of an evaluation and inside the builtins that loop.
	Timeout = 2 * time.Second

	// MaxBytes bounds what Load reads: all files of a folder together, or a
	// bundle, packed as well as unpacked.
	MaxBytes = 64 << 20
)

// Options change what a policy can do besides deciding. The zero value is what
// Load uses.
type Options struct {
	// Print receives the output of print(), one line a call, with control
	// characters escaped. Where it is nil, print() does nothing.
	Print io.Writer
	// Key must have signed every bundle. Where it is nil, a bundle that is
	// signed is refused: its author wants it checked.
	Key *Key
}

// Policy is a loaded policy. It implements policy.Policy, does not change, and
// is safe for concurrent use.
type Policy struct {
	query    *query
	compiler *ast.Compiler
	entry    string
	names    names
	fields   []field
	hash     string
	timeout  time.Duration // Timeout, but for a test
}

// Load reads a policy from a .rego file, a folder or an OPA bundle (.tar.gz,
// .tgz).
//
// Of a folder and of all folders in it, Load reads what ends in .rego, except
// tests (_test.rego), and, as data, what ends in .json, .yaml or .yml: the
// document in a/b.json is merged into data.a, as `opa eval -d` does it. Names
// that begin with a dot are skipped. Of a bundle it reads what OPA reads: .rego
// files, data.json, data.yaml and data.yml.
//
// An error is an Errors where the files themselves are at fault, and then names
// file, line and column.
func Load(ctx context.Context, path string) (*Policy, error) {
	return Options{}.Load(ctx, path)
}

// Load is the package's Load with options.
func (o Options) Load(ctx context.Context, path string) (*Policy, error) {
	src, err := read(ctx, path, o.Key)
	if err != nil {
		return nil, err
	}
	return o.load(ctx, src)
}

// LoadBundle is Load for a bundle that is in memory. Messages call it name.
func (o Options) LoadBundle(ctx context.Context, name string, data []byte) (*Policy, error) {
	if len(data) > MaxBytes {
		return nil, tooLarge(name)
	}
	src, err := unpack(ctx, name, data, o.Key)
	if err != nil {
		return nil, err
	}
	return o.load(ctx, src)
}

func (o Options) load(ctx context.Context, src *source) (p *Policy, err error) {
	defer func() {
		// A parser that panics must not take a running server with it.
		if r := recover(); r != nil {
			p, err = nil, fault(src.path, nil, fmt.Sprintf("cannot be read: %v", r), "")
		}
	}()
	p, err = compile(ctx, src, o)
	if err != nil {
		return nil, err
	}
	p.hash = src.hash
	return p, nil
}

// Hash returns "sha256:" and the hexadecimal digest of what was loaded. For a
// file or a bundle it is what sha256sum prints for it. For a folder it is the
// digest of what `sha256sum` prints for the files that were read, named
// relative to the folder and sorted by name.
func (p *Policy) Hash() string { return p.hash }

// Decide implements policy.Policy. The evaluation is stopped after Timeout, or
// when ctx ends. The decision's Rule is the one the policy names, else the
// title in the METADATA of the rule that answered, else its file and line.
func (p *Policy) Decide(ctx context.Context, r *policy.Request) (policy.Decision, error) {
	input, err := buildInput(p.fields, r)
	if err != nil {
		return policy.Decision{Rule: p.entry, Reason: err.Error()}, err
	}
	answer, rule, err := p.eval(ctx, input)
	if err != nil {
		return policy.Decision{Rule: p.entry, Reason: err.Error()}, err
	}
	return p.decision(answer, rule, r), nil
}
