package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/bundle"
	"github.com/juliendoutre/proxaudit/policy/rego"
)

// The variables with the bearer tokens for bundle servers. A project may name a
// server of its own under -policy, which must not get the token of the floor's.
const (
	policyTokenVar = "PROXAUDIT_POLICY_TOKEN"
	floorTokenVar  = "PROXAUDIT_FLOOR_TOKEN"
)

// policySources are the flags that say where policies come from.
type policySources struct {
	lockfileFlags
	policies list
	floors   list
	// The key that must have signed every bundle, as `opa sign` was told.
	bundleKey, bundleAlg, bundleScope string
	// policyCache is the folder with the last good copies of remote bundles.
	policyCache string
}

func (s *policySources) flags(f *flag.FlagSet) {
	s.lockfileFlags.flags(f)
	f.Var(&s.policies, "policy", "")
	f.Var(&s.floors, "floor", "")
	f.StringVar(&s.bundleKey, "bundle-key", "", "")
	f.StringVar(&s.bundleAlg, "bundle-alg", "", "")
	f.StringVar(&s.bundleScope, "bundle-scope", "", "")
	f.StringVar(&s.policyCache, "policy-cache", "", "")
}

// all returns every source, floors last.
func (s *policySources) all() []string { return slices.Concat(s.policies, s.floors) }

// check finds sources that contradict each other.
func (s *policySources) check() error {
	for _, source := range s.all() {
		if source == "" {
			return fail("name a .yaml, .yml or .rego file, a folder, a bundle .tar.gz, or the https URL of one", errors.New("-policy or -floor is empty"))
		}
		if !isURL(source) {
			continue
		}
		if err := bundle.CheckURL(source); err != nil {
			return fail("a remote policy is the https URL of an OPA bundle; a bearer token for it goes into "+policyTokenVar+" or "+floorTokenVar, fmt.Errorf("%s: %w", shown(source), err))
		}
	}
	switch {
	case s.bundleKey == "" && (s.bundleAlg != "" || s.bundleScope != ""):
		return fail("name the file of the public key with -bundle-key", errors.New("-bundle-alg and -bundle-scope belong to -bundle-key"))
	case s.bundleKey != "" && !slices.ContainsFunc(s.all(), isBundle):
		return fail("give the bundle as -policy or -floor, or drop -bundle-key", errors.New("-bundle-key is for bundles, and no policy is one"))
	case s.policyCache != "" && !slices.ContainsFunc(s.all(), isURL):
		return fail("drop it: files are read where they are", errors.New("-policy-cache is for policies from a URL, and none is"))
	case s.policyCache != "" && s.bundleKey == "":
		return fail("sign the bundle with `opa sign` and name the public key with -bundle-key", errors.New("-policy-cache needs -bundle-key: without a signature, whoever can write to that folder writes the policy"))
	}
	return s.lockfileFlags.check()
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

func isURL(source string) bool { return strings.Contains(source, "://") }

func isBundle(source string) bool {
	return isURL(source) || strings.HasSuffix(source, ".tar.gz") || strings.HasSuffix(source, ".tgz")
}

func isYAML(source string) bool {
	return !isURL(source) && (strings.HasSuffix(source, ".yaml") || strings.HasSuffix(source, ".yml"))
}
