package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/internal/report"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// check validates policies and says what in them is likely not meant. Errors and
// warnings are findings, notes only with -strict.
func check(args []string, con console) int {
	var format string
	var strict bool
	a, err := parseAbout("check", args, func(f *flag.FlagSet) {
		f.StringVar(&format, "format", "text", "")
		f.BoolVar(&strict, "strict", false, "")
	})
	if err != nil {
		return misused("check", err, con)
	}
	a.policies = append(a.policies, a.words...)
	if !slices.Contains(report.FindingFormats(), format) {
		return misused("check", fail("write one of "+strings.Join(report.FindingFormats(), ", "), fmt.Errorf("unknown format %q", format)), con)
	}
	found, err := a.find(con)
	if err != nil {
		return misused("check", err, con)
	}
	if err := report.WriteFindings(con.out, format, versionName(), found); err != nil {
		return unwritten(err, con)
	}
	counted := slices.DeleteFunc(slices.Clone(found), func(f policy.Finding) bool { return !f.Counts() })
	if ignored := len(found) - len(counted); ignored > 0 {
		say(con.err, "check", plural(ignored, "finding")+" ignored by comments")
	}
	if slices.ContainsFunc(counted, func(f policy.Finding) bool { return strict || f.Severity > policy.Note }) {
		return exitFindings
	}
	return exitOK
}

// find looks at the policies together, and at the floors: what decides beside
// one another can leave another nothing to decide.
func (a *aboutPolicies) find(con console) ([]policy.Finding, error) {
	if len(a.policies) == 0 {
		a.policies, a.floors = a.floors, nil // a floor can be checked by itself
	}
	l, err := a.loader("check", con)
	if err != nil {
		return nil, err
	}
	found, err := l.lint(context.Background(), a.policies)
	if err != nil {
		return nil, err
	}
	if _, err := a.readLockfiles(); err != nil {
		return nil, err
	}
	more, err := l.lint(context.Background(), a.floors)
	return append(found, more...), err
}

// lint looks at sources that combine.
func (l *policyLoader) lint(ctx context.Context, sources []string) ([]policy.Finding, error) {
	var yaml []string
	var found []policy.Finding
	for _, source := range sources {
		if isURL(source) {
			one, err := l.lintRemote(ctx, source)
			if err != nil {
				return nil, err
			}
			found = append(found, one...)
			continue
		}
		rego, err := isRego(source)
		if err != nil {
			return nil, err
		}
		if !rego {
			yaml = append(yaml, source)
			continue
		}
		one, err := l.rego.Lint(ctx, source)
		if err != nil {
			return nil, err
		}
		found = append(found, one...)
	}
	if i, twice := repeated(sources); twice {
		return nil, fail("name each policy once", errors.New(sources[i]+" is given twice"))
	}
	linter := allowlist.Linter{Now: time.Now(), Ecosystems: ecosystem.Types()}
	return append(linter.Lint(yaml...), found...), nil
}

func (l *policyLoader) lintRemote(ctx context.Context, url string) ([]policy.Finding, error) {
	b := l.remotes.fetch(ctx, url, l.token(url))
	if b.err != nil {
		return nil, remoteError(url, b.err)
	}
	return l.rego.LintBundle(ctx, shown(url), b.data)
}

// repeated returns the first source that stands there twice.
func repeated(sources []string) (int, bool) {
	for i, s := range sources {
		if slices.Contains(sources[:i], s) {
			return i, true
		}
	}
	return 0, false
}
