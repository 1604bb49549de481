package rego

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/juliendoutre/proxaudit/policy"
)

// inputOf fills Input the plain way, to compare with what buildInput makes.
func inputOf(t testing.TB, r *policy.Request) Input {
	t.Helper()
	in := Input{
		Method: r.Method, Scheme: r.Scheme, Host: r.Host, Port: r.Port, Path: r.Path, Query: r.Query,
		Headers: map[string]string{}, Registry: r.Registry, Via: append([]string{}, r.Via...), ParsedPath: []string{}, ParsedQuery: map[string][]string{},
	}
	if r.Registry != "" {
		in.Package = r.Package
	}
	target := r.Path
	if r.Query != "" {
		target += "?" + r.Query
	}
	http := &in.Attributes.Request.HTTP
	*http = AttributesHTTP{Method: r.Method, Host: r.Authority(), Path: target, Scheme: r.Scheme, Headers: map[string]string{
		":authority": r.Authority(), ":method": r.Method, ":path": target, ":scheme": r.Scheme,
	}}
	for name, values := range r.Header {
		in.Headers[strings.ToLower(name)] = strings.Join(values, ",")
		http.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	for s := range strings.SplitSeq(strings.TrimLeft(r.Path, "/"), "/") {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			t.Fatal(err)
		}
		in.ParsedPath = append(in.ParsedPath, decoded)
	}
	query, err := url.ParseQuery(r.Query)
	if err != nil {
		t.Fatal(err)
	}
	in.ParsedQuery = query
	if p := r.Process; p != nil {
		in.Process = &Process{PID: p.PID, Exe: p.Exe, Argv: append([]string{}, p.Argv...), Parents: append([]string{}, p.Parents...), Names: []string{path.Base(p.Exe)}}
		for _, exe := range p.Parents {
			in.Process.Names = append(in.Process.Names, path.Base(exe))
		}
		if p.Exe == "" {
			in.Process.Names[0] = ""
		}
	}
	return in
}

// everything returns all fields, as a policy that refers to `input` uses them.
func everything() []field {
	return usedFields(map[string]*ast.Module{"x": ast.MustParseModule("package x\ny := input")})
}

func TestInput(t *testing.T) {
	npm := get()
	npm.Path, npm.Package, npm.Registry = "/@s%2Fname", "pkg:npm/%40s/name@1.0.0", "https://npm.example.org"
	look := get()
	look.Package = "pkg:npm/lodash@4.17.21"
	process := get()
	process.Process = &policy.Process{PID: 12, Exe: "/usr/bin/npm", Argv: []string{"npm", "ci"}, Parents: []string{"/bin/sh", "/sbin/init"}}
	bare := get()
	bare.Process = &policy.Process{PID: 1}
	redirected := get()
	redirected.Via = []string{"https://f.test/a", "https://g.test/"}
	slashes := get()
	slashes.Path, slashes.Query = "//a//b/", ""
	tests := map[string]*policy.Request{
		"ordinary":              get(),
		"package":               npm,
		"look-alike package":    look,
		"process":               process,
		"process, little of":    bare,
		"redirected to":         redirected,
		"empty path segments":   slashes,
		"zero request":          {},
		"CONNECT":               {Method: "CONNECT", Scheme: "https", Host: "ok.test", Port: 8443},
		"IPv6 and another port": {Method: "GET", Scheme: "http", Host: "2001:db8::1", Port: 8080, Path: "/"},
		"no text":               {Method: "GET", Scheme: "https", Host: "ok.test", Port: 443, Path: "/\xff", Query: "a=%ff"},
	}
	schema := compiledSchema(t)
	for name, r := range tests {
		t.Run(name, func(t *testing.T) {
			value, err := buildInput(everything(), r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ast.JSON(value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(toJSON(t, inputOf(t, r)), toJSON(t, got)); diff != "" {
				t.Errorf("input (-want +got):\n%s", diff)
			}
			if err := schema.Validate(toJSON(t, got)); err != nil {
				t.Errorf("the schema says: %v", err)
			}
		})
	}
}

// TestInputDecodes writes out what inputOf computes.
func TestInputDecodes(t *testing.T) {
	const rules = `
allow if {
	input.parsed_path == ["@s/name", "%", "b"]
	input.parsed_query == {"q": ["1", "2"], "r": ["x y"]}
	input.headers == {"accept": "text/html,text/plain", "user-agent": "client/1.0"}
	input.attributes.request.http.headers[":path"] == "/@s%2Fname/%25/b?q=1&q=2&r=x%20y"
	input.attributes.request.http.headers.accept == "text/html,text/plain"
	input.attributes.request.http.host == "ok.test"
	not input.process
}`
	r := get()
	r.Path = "/@s%2Fname/%25/b"
	if d, err := load(t, rules).Decide(context.Background(), r); err != nil || d.Action != policy.Allow {
		t.Errorf("decision %+v, error %v", d, err)
	}
}

// TestGuessedPackage has the look-alike host that serves a package's path.
func TestGuessedPackage(t *testing.T) {
	p := load(t, `allow if startswith(input.package, "pkg:npm/lodash@4.")`)
	r := get()
	r.Package = "pkg:npm/lodash@4.17.21"
	if d, err := p.Decide(context.Background(), r); err != nil || d.Action != policy.Deny {
		t.Errorf("unknown registry: decision %+v, error %v", d, err)
	}
	r.Registry = "https://npm.example.org"
	if d, err := p.Decide(context.Background(), r); err != nil || d.Action != policy.Allow {
		t.Errorf("known registry: decision %+v, error %v", d, err)
	}
}

func TestHeaderInTwoSpellings(t *testing.T) {
	r := get()
	r.Header["aCCEPT"] = []string{"evil"}
	if d, err := load(t, `allow if input.headers.accept`).Decide(context.Background(), r); err == nil || d.Action != policy.Deny {
		t.Errorf("decision %+v, error %v: want deny", d, err)
	}
}

func TestUsedFields(t *testing.T) {
	const all = "attributes headers host method package parsed_path parsed_query path port process query registry scheme via"
	tests := map[string]struct{ rules, want string }{
		"none":                 {"allow := true", ""},
		"one":                  {"allow if input.host == \"ok.test\"", "host"},
		"in brackets":          {"allow if input[\"host\"] == \"ok.test\"", "host"},
		"below":                {"allow if input.attributes.request.http.method == \"GET\"", "attributes"},
		"imported":             {"import input.attributes.request.http\nallow if http.method == \"GET\"", "attributes"},
		"in a comprehension":   {"allow if count([1 | some _ in input.parsed_path; input.port == 1]) == 0", "parsed_path port"},
		"in a function":        {"allow if f(1)\nf(x) if input.port == x", "port"},
		"in an else":           {"allow if input.port == 1\nelse if input.host == \"a\"", "host port"},
		"in the head":          {"decision := {\"action\": \"allow\", \"reason\": input.path}", "path"},
		"in a default":         {"default allow := false\nallow if every s in input.parsed_path { s != input.host }", "host parsed_path"},
		"in a template string": {"decision := {\"action\": \"deny\", \"reason\": $\"no {input.host}\"}", "host"},
		"under with":           {"allow if f with input.host as \"a\"\nf if input.port == 1", "host port"},
		"input replaced":       {"allow if f with input as {\"port\": 1}\nf if input.port == 1", all},
		"whole":                {"allow if f(input)\nf(x) if x.port == 1", all},
		"any":                  {"allow if input[_] == \"ok.test\"", all},
		"by a variable":        {"allow if { some k in [\"host\"]; input[k] == \"ok.test\" }", all},
		"walked":               {"allow if { walk(input, [_, \"ok.test\"]) }", all},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var names []string
			for _, f := range load(t, tt.rules).fields {
				names = append(names, string(f.key.Value.(ast.String)))
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("fields %q, want %q", got, tt.want)
			}
		})
	}
}

// TestUsedKeysOfProcess shows that of the process no more is built than is used.
func TestUsedKeysOfProcess(t *testing.T) {
	r := get()
	r.Process = &policy.Process{PID: 12, Exe: "/usr/bin/npm", Argv: []string{"npm", "ci"}, Parents: []string{"/bin/sh"}}
	const all = `{"argv": ["npm", "ci"], "exe": "/usr/bin/npm", "names": ["npm", "sh"], "parents": ["/bin/sh"], "pid": 12}`
	tests := map[string]struct{ rules, want string }{
		"one":           {`allow if input.process.exe == "/usr/bin/npm"`, `{"exe": "/usr/bin/npm"}`},
		"two":           {"allow if { input.process.pid == 1\nsome n in input.process.names; n == \"sh\" }", `{"names": ["npm", "sh"], "pid": 12}`},
		"whole":         {`allow if not input.process`, all},
		"by a variable": {`allow if { some k in ["exe"]; input.process[k] == "x" }`, all},
		"of an import":  {"import input.process as p\nallow if p.pid == 1", `{"pid": 12}`},
		"of any field":  {`allow if input[_].pid == 1`, all},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			value, err := buildInput(load(t, tt.rules).fields, r)
			if err != nil {
				t.Fatal(err)
			}
			got := value.(ast.Object).Get(ast.StringTerm("process"))
			if want := ast.MustParseTerm(tt.want); got == nil || got.Value.Compare(want.Value) != 0 {
				t.Errorf("process %v, want %v", got, want)
			}
		})
	}
}

func compiledSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("input.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("input.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// toJSON returns v as encoding/json reads what it writes of it.
func toJSON(t testing.TB, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
