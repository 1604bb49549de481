package rego

import (
	"context"
	_ "embed" // input.schema.json
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
)

// patternCache is how many compiled globs and regular expressions are kept. OPA
// itself keeps 100, and a policy that goes through more of them from data then
// compiles each one anew for each decision.
const patternCache = 16384

//go:embed input.schema.json
var inputSchema []byte

// Schema returns the JSON Schema (draft 7) of the input document. Policies are
// checked against it when they are loaded.
func Schema() []byte { return append([]byte(nil), inputSchema...) }

// compile parses, checks and prepares what was read.
func compile(ctx context.Context, src *source, o Options) (*Policy, error) {
	modules, err := parse(src)
	if err != nil {
		return nil, err
	}
	entry, err := findEntry(modules)
	if err != nil {
		return nil, err
	}
	names := nameRules(src, modules, entry)
	data, err := src.data()
	if err != nil {
		return nil, err
	}
	store := inmem.NewFromObjectWithOpts(data,
		inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	compiler, err := check(ctx, src.path, modules, store, o.Print != nil)
	if err != nil {
		return nil, err
	}
	query, err := newQuery(ctx, compiler, store, entry, o)
	if err != nil {
		return nil, faults(src.path, err)
	}
	return &Policy{
		query:    query,
		compiler: compiler,
		entry:    entry,
		names:    names,
		fields:   usedFields(compiler.Modules),
		timeout:  Timeout,
	}, nil
}

func newPatternCache(ctx context.Context) cache.InterQueryValueCache {
	size := patternCache
	return cache.NewInterQueryValueCache(ctx, &cache.Config{
		InterQueryBuiltinValueCache: cache.InterQueryBuiltinValueCacheConfig{MaxNumEntries: &size},
	})
}

// parse parses every module as Rego v1.
func parse(src *source) (map[string]*ast.Module, error) {
	options := ast.ParserOptions{
		RegoVersion:       ast.RegoV1,
		ProcessAnnotation: true,
		Capabilities:      capabilities(),
	}
	var found Errors
	modules := map[string]*ast.Module{}
	for _, f := range src.files {
		if !f.isModule() {
			continue
		}
		if err := checkText(f); err != nil {
			return nil, err
		}
		m, err := ast.ParseModuleWithOpts(f.path, string(f.data), options)
		if err != nil {
			for _, one := range faults(f.path, err) {
				refine(one, f.data)
				found = append(found, one)
			}
			continue
		}
		if err := bound(f.path, m); err != nil {
			return nil, err
		}
		modules[f.path] = m
	}
	if found != nil {
		return nil, found
	}
	if len(modules) == 0 {
		return nil, fault(src.path, nil, "no policy is in there", "put a .rego file in it that begins with `package proxaudit`")
	}
	return modules, nil
}

// check compiles in strict mode, against the schema of the input and against
// the data, so that what can be known to be wrong fails here.
func check(ctx context.Context, path string, modules map[string]*ast.Module, store storage.Store, prints bool) (*ast.Compiler, error) {
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the data of %s: %w", path, err)
	}
	defer store.Abort(ctx, txn)

	compiler, err := newCompiler(ctx, store, txn, prints)
	if err != nil {
		return nil, err
	}
	compiler.Compile(modules)
	if compiler.Failed() {
		return nil, faults(path, compiler.Errors)
	}
	return compiler, nil
}

// newCompiler returns a compiler that is as strict as all of them here are.
func newCompiler(ctx context.Context, store storage.Store, txn storage.Transaction, prints bool) (*ast.Compiler, error) {
	var schema any
	if err := json.Unmarshal(inputSchema, &schema); err != nil {
		return nil, fmt.Errorf("read the schema of the input: %w", err)
	}
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, schema)
	return ast.NewCompiler().
		WithCapabilities(capabilities()).
		WithDefaultRegoVersion(ast.RegoV1).
		WithStrict(true).
		WithSchemas(schemas).
		WithUseTypeCheckAnnotations(false). // a module must not replace the schema
		WithEnablePrintStatements(prints).
		WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn)), nil
}
