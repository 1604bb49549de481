package rego

import (
	"context"
	"fmt"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// TestQueryIsOPAs evaluates expressions that look at the data, and at rules, in
// every way there is, and compares what comes out with OPA's package rego, which
// knows nothing of the short cuts here.
func TestQueryIsOPAs(t *testing.T) {
	const lib = `
squares contains i * i if some i in numbers.range(1, 20)

even(x) if x % 2 == 0

named[name] := count(name) if some name in input.process.names

one := 1
two := one + one
three := two + one
four := three + one
five := four + one
six := five + one

undefined_one if one == 2

twice(x) := 2 * x

hosts := data.hosts`
	files := map[string]string{"data.json": `{
		"hosts": {"ok.test": {"port": 443}, "b.test": {"port": [1, 2, {"c": null}]}},
		"list": ["a", ["b", "c"], {"d": 1}], "1": "text key", "0": {"0": "zero"}, "empty": {}, "nothing": null, "no": false,
		"system": {"secret": 1}, "proxaudit": {"base": {"x": 1}}, "other": {"package": {"y": [2]}}
	}`}
	for i, x := range []string{
		"data.hosts", "data.hosts[input.host]", "data.hosts[input.host].port", "data.hosts.nowhere", "data.hosts[_].port", "[h | some h, _ in data.hosts]",
		"data.list[0]", "data.list[1][1]", "data.list[2].d", "data.list[3]", "data.list[-1]", `data.list["0"]`, "data.list[_][_]", "count(data.list)",
		`data["1"]`, `data["0"]["0"]`, `data["0"][0]`, "data.empty", "data.nothing", "data.no", "data.system", "data.system.secret", "data.hosts[[1]]",
		"data.proxaudit.base", "data.proxaudit.base.x", "data.other", "data.other.package.y[0]", "data.proxaudit.named",
		"data.hosts with data.hosts as {}", "data.hosts.x with data.hosts.x as 1", "hosts with data.hosts as 7", "[hosts, 1] with data.hosts as data.list",
		"data.list with data.other as 1", `[data.hosts, hosts] with input as {"host": "b.test"}`, "six with data.list as []",
		"squares", "count(squares)", "squares[16]", "squares[17]", "[even(2), even(4), even(2)]", "even(3)", "named", "named.node", "named.nobody", "six", "[six, five, four, one]",
		"undefined_one", "[1 | not undefined_one; not undefined_one]", "[n | some i in numbers.range(1, 30); n := twice(i % 7)]",
		"[p | walk(data.list, [p, _])]", "json.marshal(data.list)", "input", "input.process.names[_]", "1 / (one - 1)", `to_number("x")`, "numbers.range(1, 3)[one]",
	} {
		name := fmt.Sprint(i, " ", x)
		files["gate.rego"] = "package proxaudit\n" + lib + "\ndecision := {\"action\": \"allow\", \"reason\": {v | v := " + x + "}}\n"
		p, err := Load(context.Background(), folder(t, files))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		input, err := buildInput(p.fields, ask(t, "GET", "ok.test", "/a", "", npmProcess()))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // what the first decision leaves behind must not matter
			got, _, gotErr := p.eval(context.Background(), input)
			want, wantErr := stock(t, p, input)
			switch {
			case (gotErr == nil) != (wantErr == nil):
				t.Errorf("%s: error %v, want %v", name, gotErr, wantErr)
			case (got == nil) != (want == nil), got != nil && got.Compare(want) != 0:
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
}

// stock asks the policy by way of OPA's package rego. The value is nil where it is
// undefined.
func stock(t *testing.T, p *Policy, input ast.Value) (ast.Value, error) {
	t.Helper()
	q, err := rego.New(rego.Compiler(p.compiler), rego.Store(p.query.store), rego.Query(packagePath+"."+p.entry), rego.StrictBuiltinErrors(true),
		rego.GenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil })).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	results, err := q.Eval(t.Context(), rego.EvalParsedInput(input))
	if err != nil || len(results) == 0 {
		return nil, err
	}
	value, _ := results[0].Expressions[0].Value.(ast.Value)
	return value, nil
}
