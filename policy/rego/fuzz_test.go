package rego

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// FuzzDecide gives a policy whatever may stand in a request. The native answer
// is the oracle: the request is allowed when, and only when, the host is the
// one host and the query could be read.
func FuzzDecide(f *testing.F) {
	f.Add("GET", "https", "ok.test", uint16(443), "/a", "q=1", "Accept", "x")
	f.Add("CONNECT", "https", "ok.test", uint16(0), "", "", "", "")
	f.Add("GET", "http", "OK.test", uint16(80), "/%zz", "a=%zz;b", ":path", "\x00\xff")
	p := load(f, `allow if {
	input.host == "ok.test"
	is_object(input.parsed_query)
	is_object(input.headers)
	is_array(input.parsed_path)
	is_object(input.attributes.request.http.headers)
}`)
	f.Fuzz(func(t *testing.T, method, scheme, host string, port uint16, path, query, name, value string) {
		r := &policy.Request{
			Method: method, Scheme: scheme, Host: host, Port: port, Path: path, Query: query,
			Header: map[string][]string{name: {value}},
		}
		_, queryErr := url.ParseQuery(query)
		_, pathErr := url.PathUnescape(path)
		d, err := p.Decide(context.Background(), r)
		want := host == "ok.test" && queryErr == nil && pathErr == nil
		if got := err == nil && d.Action == policy.Allow; got != want {
			// A header called like one of Envoy's own four denies.
			if !(want && err != nil && len(name) > 0 && name[0] == ':') {
				t.Errorf("allowed %v, want %v: %+v, %v", got, want, d, err)
			}
		}
	})
}

// FuzzJSON compares with encoding/json, which accepts all that is accepted here.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a": [1, 2.5e3, "x", true, null], "b": {}}`))
	f.Add([]byte(`{"a": 1, "a": 2}`))
	f.Add([]byte("4E44444"))
	f.Fuzz(func(t *testing.T, data []byte) {
		value, err := parseJSON("f", data)
		if err != nil {
			return
		}
		if _, err := ast.InterfaceToValue(value); err != nil {
			t.Errorf("no value of Rego: %v", err)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseJSON("f", text)
		if err != nil {
			t.Fatalf("%q does not read again: %v", text, err)
		}
		if ast.MustInterfaceToValue(value).Compare(ast.MustInterfaceToValue(again)) != 0 {
			t.Errorf("%v is not %v", again, value)
		}
	})
}

// FuzzYAML checks that what is accepted is a value of Rego.
func FuzzYAML(f *testing.F) {
	f.Add([]byte("a: [1, 2.5, x, true, ~, 0x1f, 2024-01-01]\nb: {c: \"d\"}\n"))
	f.Add([]byte("a: &x [*x]\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		value, err := parseYAML("f", data)
		if err != nil {
			return
		}
		if _, err := ast.InterfaceToValue(value); err != nil {
			t.Errorf("no value of Rego: %v", err)
		}
		var plain any
		if err := yaml.Unmarshal(data, &plain); err != nil {
			t.Errorf("accepted what yaml.v3 refuses: %v", err)
		}
	})
}

// FuzzModule loads whatever may stand in a .rego file: it loads or fails, in time
// that its length bounds, and what loads decides.
func FuzzModule(f *testing.F) {
	f.Add("package proxaudit\nallow if input.host == \"ok.test\"")
	f.Add("package proxaudit\n# METADATA\n# title: x\ndecision := {\"action\": \"log\", \"reason\": $\"{input.path}\"} if every s in input.parsed_path { s != data.x[_] } else := {\"action\": \"deny\"}")
	f.Add("#METADATA\n# t")
	f.Add("package proxaudit\nallow := x if { [x | some x in {1}]; f(x) with input as {} }\nf(_) := json.unmarshal(\"{\")")
	f.Fuzz(func(t *testing.T, text string) {
		src := &source{path: "gate.rego", files: []file{{name: "gate.rego", path: "gate.rego", data: []byte(text)}}}
		p, err := Options{}.load(context.Background(), src)
		if err != nil {
			if strings.HasPrefix(err.Error(), "gate.rego: cannot be read: ") {
				t.Errorf("it panicked: %v", err)
			}
			return
		}
		p.timeout = 100 * time.Millisecond
		if d, err := p.Decide(context.Background(), get()); err != nil && d.Action != policy.Deny {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

// FuzzBundle loads whatever a server may send, with and without a key. Nothing
// that was not signed loads with one.
func FuzzBundle(f *testing.F) {
	signer := newSigner(f, "ES256")
	k := key(f, signer, "")
	signed := built(f, gateFiles, signer)
	f.Add(signed)
	f.Add(built(f, gateFiles, nil))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, o := range []Options{{}, {Key: k}} {
			p, err := o.LoadBundle(context.Background(), "b", data)
			if err != nil {
				continue
			}
			if d, err := p.Decide(context.Background(), get()); o.Key != nil && (err != nil || d.Action != policy.Allow) {
				t.Errorf("another policy than the one that was signed: %+v, %v", d, err)
			}
		}
	})
}
