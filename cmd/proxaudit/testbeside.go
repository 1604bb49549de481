package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/replay"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
	"github.com/juliendoutre/proxaudit/policy/rego"
)

// beside runs what is kept beside each policy, against that policy alone: it is
// about what its author wrote, whatever it is combined with.
func (t *trial) beside(ctx context.Context, l *policyLoader) error {
	for _, source := range t.policySources.policies {
		if isURL(source) {
			continue
		}
		if err := t.besideRego(ctx, l, source); err != nil {
			return err
		}
		table := besideYAML(source)
		expectations, err := allowlist.LoadExpectations(table)
		if _, missing := os.Stat(table); errors.Is(missing, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		alone := *l
		alone.policySources.policies, alone.floors, alone.lockfiles = list{source}, nil, nil
		p, err := alone.load(ctx)
		if err != nil {
			return err
		}
		for _, e := range expectations {
			t.expect(ctx, p, table, e)
		}
	}
	return nil
}

// besideYAML is where the expectations of a policy are kept.
func besideYAML(source string) string {
	name := filepath.Clean(source)
	for _, ending := range []string{".yaml", ".yml", ".rego", ".tar.gz", ".tgz"} {
		name = strings.TrimSuffix(name, ending)
	}
	return name + "_test.yaml"
}

// expect asks about one line of the table.
func (t *trial) expect(ctx context.Context, p *policies, table string, e allowlist.Expectation) {
	f := failedTest{File: table, Line: e.Line, Column: e.Column}
	r, err := wordsRequest(e.Request)
	if err != nil {
		f.Message = "no request: " + err.Error()
		t.addFailure(f)
		return
	}
	r.Process = e.Process
	if r.Via, err = redirectors(e.Via); err != nil {
		f.Message = err.Error()
		t.addFailure(f)
		return
	}
	if e.Package != "" {
		r.Package, r.Registry = e.Package, r.Scheme+"://"+r.Authority()+"/"
	}
	d := p.ask(ctx, r)
	if d.Action == e.Want && (e.Rule == "" || e.Rule == d.Rule) {
		t.passed++
		return
	}
	f.Message = fmt.Sprintf("want %s, got %s: %s", wanted(e.Want, e.Rule), wanted(d.Action, d.Rule), requestLine(r))
	if d.Reason != "" {
		f.Details = append(f.Details, "reason: "+d.Reason)
	}
	if line := p.propose(r); e.Want != policy.Deny && d.Action == policy.Deny && !d.Final && line != "" {
		f.Details = append(f.Details, fmt.Sprintf("to allow it, add under \"allow:\" in %s: %s", p.edit, line))
	}
	t.addFailure(f)
}

// redirectors returns URLs that redirect in the form of policy.Request.Via.
func redirectors(urls []string) ([]string, error) {
	var out []string
	for _, url := range urls {
		r, err := replay.NewRequest(http.MethodGet, url)
		if err != nil {
			return nil, fmt.Errorf("no URL that redirects: %w", err)
		}
		r.Query = ""
		out = append(out, r.URL())
	}
	return out, nil
}

func wanted(a policy.Action, rule string) string {
	if rule == "" {
		return a.String()
	}
	return a.String() + " by " + rule
}

// wordsRequest reads "METHOD URL", or "tcp://host:port".
func wordsRequest(text string) (*policy.Request, error) {
	method, url, ok := strings.Cut(strings.TrimSpace(text), " ")
	if !ok {
		method, url = "", method
	}
	return replay.NewRequest(method, strings.TrimSpace(url))
}

func (t *trial) besideRego(ctx context.Context, l *policyLoader, source string) error {
	files, err := rego.TestFiles(source)
	if err != nil || len(files) == 0 {
		return err
	}
	results, err := l.rego.Test(ctx, source, files)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Passed {
			t.passed++
			continue
		}
		f := failedTest{File: r.File, Line: r.Line, Column: r.Column, Name: r.Name, Message: r.Why}
		for line := range strings.Lines(r.Output) {
			f.Details = append(f.Details, strings.TrimRight(line, "\n"))
		}
		t.addFailure(f)
	}
	return nil
}
