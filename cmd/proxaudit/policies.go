package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
	"github.com/juliendoutre/proxaudit/policy/rego"
)

// policies is what the -policy flags name, read once before the command starts.
type policies struct {
	decide     policy.Policy
	recognizer *ecosystem.Recognizer
	// edit is the file that a denial tells the user to edit.
	edit string
}

// loadPolicies reads the files in paths: YAML by the allowlist, .rego files,
// folders and .tar.gz bundles by OPA. An ending that is neither is an error: a
// policy must not be read by guess. Without any path, everything is let pass
// and recorded, which is what audit and learn mean.
func loadPolicies(ctx context.Context, paths []string) (*policies, error) {
	registries := ecosystem.Registries{}
	p := &policies{decide: policy.Func(pass)}
	var all []policy.Policy
	for _, path := range paths {
		one, err := load(ctx, path, registries)
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
	var err error
	if p.recognizer, err = ecosystem.New(registries); err != nil {
		return nil, fmt.Errorf("registries: %w", err)
	}
	return p, nil
}

func pass(_ context.Context, r *policy.Request) (policy.Decision, error) {
	return policy.Decision{Action: policy.Log, Default: true, Passthrough: r.Scheme == "tcp", Reason: "no policy: recorded only"}, nil
}

func load(ctx context.Context, path string, registries ecosystem.Registries) (policy.Policy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fail("proxaudit learn -o policy.yaml -- COMMAND writes a first one", fmt.Errorf("reading the policy: %w", err))
	}
	switch {
	case info.IsDir(), strings.HasSuffix(path, ".rego"), strings.HasSuffix(path, ".tar.gz"):
		return rego.Load(ctx, path)
	case isYAML(path) || !info.Mode().IsRegular():
		p, err := allowlist.Load(path)
		if err != nil {
			return nil, err
		}
		for ecosystem, urls := range maps.All(p.Registries()) {
			registries[ecosystem] = append(registries[ecosystem], urls...)
		}
		return p, nil
	default:
		return nil, fail("a policy is a .yaml, .yml or .rego file, a folder, or a bundle .tar.gz", fmt.Errorf("%s: %q names no kind of policy", path, filepath.Ext(path)))
	}
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
