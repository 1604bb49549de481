package rego

import (
	"context"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
	"github.com/open-policy-agent/opa/v1/topdown/print"
)

// answerVar is what the answer is bound to in the query.
const answerVar = ast.Var("answer")

// query is the one question that every decision asks. It goes straight to OPA's
// evaluator: its package rego opens a transaction, collects options and makes a
// set of results for each evaluation, which is a sixth of a usual decision.
type query struct {
	body     ast.Body
	rewriter ast.QueryCompiler
	compiler *ast.Compiler
	store    storage.Store
	txn      storage.Transaction // open for good: nothing is ever written
	data     documents
	patterns cache.InterQueryValueCache
	print    print.Hook
	metrics  metrics.Metrics
}

// newQuery makes the query for the entry rule of what was compiled.
func newQuery(ctx context.Context, compiler *ast.Compiler, store storage.Store, entry string, o Options) (*query, error) {
	body, err := ast.ParseBody(packagePath + "." + entry + " = " + string(answerVar))
	if err != nil {
		return nil, err
	}
	rewriter := compiler.QueryCompiler()
	if body, err = rewriter.Compile(body); err != nil {
		return nil, err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the data: %w", err)
	}
	root, err := store.Read(ctx, txn, storage.Path{})
	if err != nil {
		return nil, fmt.Errorf("read the data: %w", err)
	}
	object, ok := root.(ast.Object)
	if !ok {
		return nil, errors.New("the data is no object")
	}
	q := &query{
		body: body, rewriter: rewriter, compiler: compiler, store: store, txn: txn,
		data: documents{object}, patterns: newPatternCache(ctx), metrics: metrics.NoOp(),
	}
	if o.Print != nil {
		q.print = &printer{w: o.Print}
	}
	return q, nil
}

// about returns the query about an input. It is for one evaluation.
func (q *query) about(input ast.Value) *topdown.Query {
	return topdown.NewQuery(q.body).
		WithQueryCompiler(q.rewriter).
		WithCompiler(q.compiler).
		WithStore(q.store).
		WithTransaction(q.txn).
		WithBaseCache(q.data).
		WithVirtualCache(&answers{}).
		WithInterQueryBuiltinValueCache(q.patterns).
		WithStrictBuiltinErrors(true).
		WithPrintHook(q.print).
		WithMetrics(q.metrics).
		WithInput(ast.NewTerm(input))
}

// documents is the policy's data as a topdown.BaseCache that is full from the
// start and never changes. What it does not find, the evaluator looks for in the
// store.
type documents struct{ root ast.Object }

// Get implements topdown.BaseCache.
func (d documents) Get(ref ast.Ref) ast.Value {
	if len(ref) < 2 {
		return nil // the evaluator leaves some of the root out
	}
	value, err := d.root.Find(ref[1:])
	if err != nil {
		return nil
	}
	return value
}

// Put implements topdown.BaseCache.
func (documents) Put(ast.Ref, ast.Value) {}
