package rego

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type obj = map[string]any

func TestParseJSON(t *testing.T) {
	tests := map[string]struct {
		source string
		want   any
		err    string
	}{
		"every type":       {`{"a": [1, 2.50, "x", true, null, {}]}`, obj{"a": []any{json.Number("1"), json.Number("2.50"), "x", true, nil, obj{}}}, ""},
		"large number":     {`123456789012345678901234567890`, json.Number("123456789012345678901234567890"), ""},
		"byte order mark":  {"\xef\xbb\xbf{}", obj{}, ""},
		"empty":            {"", nil, "f:1:1: unexpected end of JSON input"},
		"unfinished":       {`{"a": [1`, nil, "f:1:8: unexpected end of JSON input"},
		"duplicate key":    {"{\"a\": 1,\n  \"a\": 2}", nil, "f:2:5: the key \"a\" is there twice"},
		"duplicate below":  {`{"x": [{"a": 1, "\u0061": 2}]}`, nil, `f:1:24: the key "a" is there twice`},
		"something after":  {"{}\n{}", nil, "f:2:1: invalid character '{' after top-level value"},
		"trailing comma":   {`[1,]`, nil, "f:1:4: invalid character ']' looking for beginning of value"},
		"no number":        {`[1, 4E44444]`, nil, "f:1:11: 4E44444 is no number in Rego: invalid number: number too big"},
		"too deep":         {strings.Repeat("[", 300) + strings.Repeat("]", 300), nil, "f:1:201: nested deeper than 200"},
		"far too deep":     {strings.Repeat("[", 1<<20), nil, "f:1:10001: invalid character '[' exceeded max depth"},
		"single quotes":    {`{'a': 1}`, nil, `f:1:2: invalid character '\'' looking for beginning of object key string`},
		"a comment inside": {"{} // x", nil, "f:1:4: invalid character '/' after top-level value"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseJSON("f", []byte(tt.source))
			compare(t, got, err, tt.want, tt.err)
		})
	}
}

func TestParseYAML(t *testing.T) {
	tests := map[string]struct {
		source string
		want   any
		err    string
	}{
		"every type":             {"a: [1, 2.5, x, true, null, {}]\n", obj{"a": []any{json.Number("1"), json.Number("2.5"), "x", true, nil, obj{}}}, ""},
		"a date is text":         {"2024-01-31", "2024-01-31", ""},
		"yes and no is text":     {"[yes, no, on, off]", []any{"yes", "no", "on", "off"}, ""},
		"hexadecimal":            {"[0x10, 18446744073709551615]", []any{json.Number("16"), json.Number("18446744073709551615")}, ""},
		"empty":                  {"# nothing\n", nil, "f: the document is empty; remove the file, or write {} into it"},
		"second document":        {"a: 1\n---\nb: 2\n", nil, "f: there is a second document; put it into a file of its own"},
		"duplicate key":          {"a: 1\n\"a\": 2\n", nil, `f:2:1: the key "a" is there twice`},
		"number as key":          {"a:\n  1: x\n", nil, "f:2:3: the key is no string; put it in quotes"},
		"alias":                  {"a: &x [1]\nb: *x\n", nil, "f:2:4: aliases are not read; write the value out"},
		"merge key":              {"a: &x {b: 1}\nc: {<<: *x}\n", nil, "f:2:5: the key is no string; put it in quotes"},
		"infinity":               {"a: .inf", nil, "f:1:4: .inf is no number in Rego; put it in quotes if it is text"},
		"integer beyond 64 bits": {"a: 99999999999999999999999", obj{"a": json.Number("1e+23")}, ""},
		"binary":                 {"a: !!binary aGk=", nil, "f:1:4: !!binary is no type of Rego; write a string, a number, a boolean or null"},
		"tagged nonsense":        {"a: !!int x", nil, "f:1:4: x is no integer of 64 bits; put it in quotes if it is text"},
		"too deep":               {strings.Repeat("[", 300) + strings.Repeat("]", 300), nil, "f:1:202: nested deeper than 200"},
		"broken":                 {"a: ]", nil, "f: yaml: did not find expected node content"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseYAML("f", []byte(tt.source))
			compare(t, got, err, tt.want, tt.err)
		})
	}
}

func compare(t *testing.T, got any, err error, want any, wantErr string) {
	t.Helper()
	message := ""
	if err != nil {
		message = err.Error()
	}
	if message != wantErr {
		t.Errorf("error %q, want %q", message, wantErr)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
}
