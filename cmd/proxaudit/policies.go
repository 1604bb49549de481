package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
	"github.com/juliendoutre/proxaudit/policy/rego"
)

// policySources are the flags that say where policies come from.
type policySources struct {
	policies list
	// The key that must have signed every bundle, as `opa sign` was told.
	bundleKey, bundleAlg, bundleScope string
}

func (s *policySources) flags(f *flag.FlagSet) {
	f.Var(&s.policies, "policy", "")
	f.StringVar(&s.bundleKey, "bundle-key", "", "")
	f.StringVar(&s.bundleAlg, "bundle-alg", "", "")
	f.StringVar(&s.bundleScope, "bundle-scope", "", "")
}

// check finds sources that contradict each other.
func (s *policySources) check() error {
	for _, p := range s.policies {
		if p == "" {
			return fail("name a .yaml, .yml or .rego file, a folder, or a bundle .tar.gz", errors.New("-policy is empty"))
		}
	}
	switch {
	case s.bundleKey == "" && (s.bundleAlg != "" || s.bundleScope != ""):
		return fail("name the file of the public key with -bundle-key", errors.New("-bundle-alg and -bundle-scope belong to -bundle-key"))
	case s.bundleKey != "" && !slices.ContainsFunc(s.policies, isBundle):
		return fail("give the bundle as -policy, or drop -bundle-key", errors.New("-bundle-key is for bundles, and no policy is one"))
	}
	return nil
}

// key reads the key that checks bundles, nil where none is named.
func (s *policySources) key() (*rego.Key, error) {
	if s.bundleKey == "" {
		return nil, nil
	}
	text, err := os.ReadFile(s.bundleKey)
	if err != nil {
		return nil, fail("-bundle-key takes the file of the public key", fmt.Errorf("reading the key of bundles: %w", err))
	}
	k, err := rego.NewKey(text, s.bundleAlg, s.bundleScope)
	if err != nil {
		return nil, fail("-bundle-key and -bundle-alg are what `opa build --verification-key` and `--signing-alg` take", fmt.Errorf("%s: %w", s.bundleKey, err))
	}
	return k, nil
}

// policies is what the -policy flags name, read once before the command starts.
type policies struct {
	decide     policy.Policy
	recognizer *ecosystem.Recognizer
	// edit is the file that a denial tells the user to edit.
	edit string
}

// loadPolicies reads what the sources name: YAML by the allowlist, .rego files,
// folders and .tar.gz bundles by OPA. An ending that is neither is an error: a
// policy must not be read by guess. Without any source, everything is let pass
// and recorded, which is what audit and learn mean. What policies print goes to
// print, nowhere where that is nil.
func loadPolicies(ctx context.Context, s *policySources, print io.Writer) (*policies, error) {
	key, err := s.key()
	if err != nil {
		return nil, err
	}
	l := loader{registries: ecosystem.Registries{}, rego: rego.Options{Print: print, Key: key}}
	p := &policies{decide: policy.Func(pass)}
	var all []policy.Policy
	for _, path := range s.policies {
		one, err := l.load(ctx, path)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
		if p.edit == "" || isYAML(path) && !isYAML(p.edit) {
			p.edit = path
		}
	}
	if len(all) > 0 {
		p.decide = policy.Combine(all...)
	}
	if p.recognizer, err = ecosystem.New(l.registries); err != nil {
		return nil, fmt.Errorf("registries: %w", err)
	}
	return p, nil
}

func pass(_ context.Context, r *policy.Request) (policy.Decision, error) {
	return policy.Decision{Action: policy.Log, Default: true, Passthrough: r.Scheme == "tcp", Reason: "no policy: recorded only"}, nil
}

// loader reads policies and gathers the registries that they name.
type loader struct {
	registries ecosystem.Registries
	rego       rego.Options
}

func (l *loader) load(ctx context.Context, path string) (policy.Policy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fail("proxaudit learn -o policy.yaml -- COMMAND writes a first one", fmt.Errorf("reading the policy: %w", err))
	}
	switch {
	case info.IsDir(), strings.HasSuffix(path, ".rego"), isBundle(path):
		return l.rego.Load(ctx, path)
	case isYAML(path) || !info.Mode().IsRegular():
		p, err := allowlist.Load(path)
		if err != nil {
			return nil, err
		}
		for ecosystem, urls := range maps.All(p.Registries()) {
			l.registries[ecosystem] = append(l.registries[ecosystem], urls...)
		}
		return p, nil
	default:
		return nil, fail("a policy is a .yaml, .yml or .rego file, a folder, or a bundle .tar.gz", fmt.Errorf("%s: %q names no kind of policy", path, filepath.Ext(path)))
	}
}

func isBundle(path string) bool {
	return strings.HasSuffix(path, ".tar.gz") || strings.HasSuffix(path, ".tgz")
}

func isYAML(path string) bool {
	return strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml")
}

// identify names the package behind a request, for the proxy.
func (p *policies) identify(r *policy.Request) (purl, registry string) {
	return p.recognizer.Identify(ecosystem.Query{
		Method: r.Method, Scheme: r.Scheme, Host: r.Host, Port: r.Port,
		Path: r.Path, RawQuery: r.Query, Header: r.Header,
	})
}
