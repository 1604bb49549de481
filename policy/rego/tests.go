package rego

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// testTimeout bounds one test.
const testTimeout = 10 * time.Second

// TestResult is what came of one rule whose name begins with test_.
type TestResult struct {
	// Name is the package and the rule.
	Name         string
	File         string
	Line, Column int
	// Passed is true where the rule held. One that is skipped (todo_test_) did not.
	Passed bool
	// Why says why it did not pass, as far as that is known.
	Why string
	// Output is what the test printed. It is not escaped.
	Output string
}

// TestFiles returns the files of tests (_test.rego) of the policy at path: those
// in a folder, or those beside a .rego file, but for what is beside a policy of
// its own.
func TestFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	var out []string
	if info.IsDir() {
		err := filepath.WalkDir(path, func(p string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			if strings.HasSuffix(p, "_test.rego") {
				out = append(out, p)
			}
			return nil
		})
		return out, err
	}
	if !strings.HasSuffix(path, ".rego") {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read the tests: %w", err)
	}
	for _, e := range entries {
		name, isTest := strings.CutSuffix(filepath.Join(filepath.Dir(path), e.Name()), "_test.rego")
		if !isTest {
			continue
		}
		_, err := os.Stat(name + ".rego")
		if own := err == nil; own && name+".rego" != filepath.Clean(path) {
			continue
		}
		out = append(out, name+"_test.rego")
	}
	return out, nil
}

// Test runs the tests in files against the policy at path, with the checks that a
// policy is loaded with. A file without a test is an error: it would pass whatever
// the policy says.
func (o Options) Test(ctx context.Context, path string, files []string) ([]TestResult, error) {
	src, err := read(ctx, path, o.Key)
	if err != nil {
		return nil, err
	}
	modules, err := parse(src)
	if err != nil {
		return nil, err
	}
	budget := int64(MaxBytes)
	tests := &source{path: path}
	for _, f := range files {
		data, err := readFile(f, &budget)
		if err != nil {
			return nil, err
		}
		tests.files = append(tests.files, file{name: filepath.Base(f), path: f, data: data})
	}
	more, err := parse(tests)
	if err != nil {
		return nil, err
	}
	maps.Copy(modules, more)
	results, err := run(ctx, src, modules)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if !slices.ContainsFunc(results, func(r TestResult) bool { return r.File == f }) {
			return nil, fault(f, nil, "no test is in there", "name a rule test_…, such as test_publish_is_denied")
		}
	}
	return results, nil
}

func run(ctx context.Context, src *source, modules map[string]*ast.Module) ([]TestResult, error) {
	data, err := src.data()
	if err != nil {
		return nil, err
	}
	store := inmem.NewFromObjectWithOpts(data, inmem.OptRoundTripOnWrite(false))
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the data of %s: %w", src.path, err)
	}
	defer store.Abort(ctx, txn)
	compiler, err := newCompiler(ctx, store, txn, true)
	if err != nil {
		return nil, err
	}
	results, err := tester.NewRunner().
		SetCompiler(compiler).SetStore(store).SetModules(modules).
		RaiseBuiltinErrors(true).CapturePrintOutput(true).SetTimeout(testTimeout).
		RunTests(ctx, txn)
	if err != nil {
		return nil, faults(src.path, err)
	}
	var out []TestResult
	for r := range results {
		out = append(out, resultOf(r))
	}
	return out, nil
}

func resultOf(r *tester.Result) TestResult {
	out := TestResult{Name: r.Package + "." + r.Name, Passed: r.Pass() && !r.Skip, Output: string(r.Output)}
	if r.Location != nil {
		out.File, out.Line, out.Column = r.Location.File, r.Location.Row, r.Location.Col
	}
	switch {
	case r.Skip:
		out.Why = "it is skipped"
	case r.Error != nil:
		out.Why = r.Error.Error()
	case r.Fail:
		out.Why = "it does not hold"
	}
	return out
}
