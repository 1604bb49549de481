package rego

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/juliendoutre/proxaudit/policy"
)

// field is one key of the input.
type field struct {
	key *ast.Term
	// build returns the value, or nil where the input has none.
	build func(*policy.Request) (*ast.Term, error)
}

// fieldProcess is the one field that is built in part.
const fieldProcess = "process"

// allFields lists the keys of the input; see Input. The process has the keys
// given.
func allFields(ofProcess []string) map[string]func(*policy.Request) (*ast.Term, error) {
	return map[string]func(*policy.Request) (*ast.Term, error){
		"method":       text(func(r *policy.Request) string { return r.Method }),
		"scheme":       text(func(r *policy.Request) string { return r.Scheme }),
		"host":         text(func(r *policy.Request) string { return r.Host }),
		"port":         func(r *policy.Request) (*ast.Term, error) { return ast.InternedTerm(int(r.Port)), nil },
		"path":         text(func(r *policy.Request) string { return r.Path }),
		"query":        text(func(r *policy.Request) string { return r.Query }),
		"headers":      func(r *policy.Request) (*ast.Term, error) { return headers(r, nil) },
		"package":      text(packageOf),
		"registry":     text(func(r *policy.Request) string { return r.Registry }),
		"via":          func(r *policy.Request) (*ast.Term, error) { return stringArray(r.Via), nil },
		fieldProcess:   process(ofProcess),
		"attributes":   attributes,
		"parsed_path":  parsedPath,
		"parsed_query": parsedQuery,
	}
}

// buildInput makes the input of one decision, of the fields the policy uses.
func buildInput(fields []field, r *policy.Request) (ast.Value, error) {
	if r == nil {
		return nil, errors.New("there is no request")
	}
	items := make([][2]*ast.Term, 0, len(fields))
	for _, f := range fields {
		value, err := f.build(r)
		if err != nil {
			return nil, err
		}
		if value != nil {
			items = append(items, [2]*ast.Term{f.key, value})
		}
	}
	return ast.NewObject(items...), nil
}

func text(get func(*policy.Request) string) func(*policy.Request) (*ast.Term, error) {
	return func(r *policy.Request) (*ast.Term, error) { return ast.StringTerm(get(r)), nil }
}

// packageOf hides a package that is only guessed from the shape of the URL.
func packageOf(r *policy.Request) string {
	if r.Registry == "" {
		return ""
	}
	return r.Package
}

// headers returns the header fields, and the further items given.
func headers(r *policy.Request, more [][2]*ast.Term) (*ast.Term, error) {
	object := ast.NewObject(more...)
	for name, values := range r.Header {
		key := ast.StringTerm(strings.ToLower(name))
		if object.Get(key) != nil {
			return nil, fmt.Errorf("the header %q is there in two spellings", name)
		}
		object.Insert(key, ast.StringTerm(strings.Join(values, ",")))
	}
	return ast.NewTerm(object), nil
}

// processFields lists the keys of input.process; see Process.
func processFields() map[string]func(*policy.Process) *ast.Term {
	return map[string]func(*policy.Process) *ast.Term{
		"pid":     func(p *policy.Process) *ast.Term { return ast.IntNumberTerm(p.PID) },
		"exe":     func(p *policy.Process) *ast.Term { return ast.StringTerm(p.Exe) },
		"argv":    func(p *policy.Process) *ast.Term { return stringArray(p.Argv) },
		"parents": func(p *policy.Process) *ast.Term { return stringArray(p.Parents) },
		"names":   fileNames,
	}
}

// process builds the process of the keys that the policy uses.
func process(used []string) func(*policy.Request) (*ast.Term, error) {
	all := processFields()
	keys := make([]*ast.Term, len(used))
	build := make([]func(*policy.Process) *ast.Term, len(used))
	for i, name := range used {
		keys[i], build[i] = ast.StringTerm(name), all[name] // the schema knows no other
	}
	return func(r *policy.Request) (*ast.Term, error) {
		if r.Process == nil {
			return nil, nil
		}
		items := make([][2]*ast.Term, len(keys))
		for i := range keys {
			items[i] = [2]*ast.Term{keys[i], build[i](r.Process)}
		}
		return ast.ObjectTerm(items...), nil
	}
}

func fileNames(p *policy.Process) *ast.Term {
	names := make([]*ast.Term, 0, 1+len(p.Parents))
	names = append(names, ast.StringTerm(fileName(p.Exe)))
	for _, exe := range p.Parents {
		names = append(names, ast.StringTerm(fileName(exe)))
	}
	return ast.ArrayTerm(names...)
}

func fileName(exe string) string { return exe[strings.LastIndexByte(exe, '/')+1:] }

// parsedPath decodes each segment by itself. Envoy's plugin decodes first, and
// so cannot tell a package @a%2Fb from a folder @a with b in it.
func parsedPath(r *policy.Request) (*ast.Term, error) {
	segments := strings.Split(strings.TrimLeft(r.Path, "/"), "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return nil, fmt.Errorf("the path cannot be decoded: %w", err)
		}
		segments[i] = decoded
	}
	return stringArray(segments), nil
}

// parsedQuery denies what it cannot decode: a pair that is left out cannot be
// seen by the rule that would deny it.
func parsedQuery(r *policy.Request) (*ast.Term, error) {
	values, err := url.ParseQuery(r.Query)
	if err != nil {
		return nil, fmt.Errorf("the query cannot be read in one way only: %w", err)
	}
	object := ast.NewObject()
	for name, list := range values {
		object.Insert(ast.StringTerm(name), stringArray(list))
	}
	return ast.NewTerm(object), nil
}

func attributes(r *policy.Request) (*ast.Term, error) {
	path := r.Path
	if r.Query != "" {
		path += "?" + r.Query
	}
	method, scheme := ast.StringTerm(r.Method), ast.StringTerm(r.Scheme)
	host, target := ast.StringTerm(r.Authority()), ast.StringTerm(path)
	head, err := headers(r, [][2]*ast.Term{
		ast.Item(ast.StringTerm(":authority"), host),
		ast.Item(ast.StringTerm(":method"), method),
		ast.Item(ast.StringTerm(":path"), target),
		ast.Item(ast.StringTerm(":scheme"), scheme),
	})
	if err != nil {
		return nil, err
	}
	request := ast.ObjectTerm(ast.Item(ast.StringTerm("http"), ast.ObjectTerm(
		ast.Item(ast.StringTerm("method"), method),
		ast.Item(ast.StringTerm("headers"), head),
		ast.Item(ast.StringTerm("host"), host),
		ast.Item(ast.StringTerm("path"), target),
		ast.Item(ast.StringTerm("scheme"), scheme),
	)))
	return ast.ObjectTerm(ast.Item(ast.StringTerm("request"), request)), nil
}

func stringArray(list []string) *ast.Term {
	terms := make([]*ast.Term, len(list))
	for i, s := range list {
		terms[i] = ast.StringTerm(s)
	}
	return ast.ArrayTerm(terms...)
}
