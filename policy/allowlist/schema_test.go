package allowlist

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/package-url/packageurl-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write policy.schema.json anew")

const schemaFile = "policy.schema.json"

// TestSchemaIsGenerated compares the committed schema with what the tables of
// keys say. Run with -update after a change of them or of the schema below.
func TestSchemaIsGenerated(t *testing.T) {
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(schema(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the tables of keys say; run go test -run %s -update", schemaFile, t.Name())
	}
}

// messageKey is what editors say instead of the pattern (VS Code's extension of
// JSON Schema, which yaml-language-server knows); to validators it is a note.
const messageKey = "patternErrorMessage"

// object is a part of a schema.
type object = map[string]any

func schema(t *testing.T) object {
	names, docs := documentKeys()
	shapes := object{
		"version":    object{"const": 1},
		"default":    object{"enum": []string{"deny", "log", "allow"}},
		"registries": object{"type": "object", "propertyNames": object{"enum": ecosystems()}, "additionalProperties": oneOrMore(object{"type": "string", "pattern": `^https?://[^/?#@*A-Z]+(/[^?#@*]*)?$`})},
		"allow":      object{"type": "array", "items": object{"$ref": "#/$defs/rule"}},
		"log":        object{"type": "array", "items": object{"$ref": "#/$defs/rule"}},
		"deny":       object{"type": "array", "items": object{"$ref": "#/$defs/denyRule"}},
	}
	return object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         "https://github.com/juliendoutre/proxaudit/policy/allowlist/policy.schema.json",
		"title":       "proxaudit policy",
		"description": "What a policy may hold, as far as a schema can say it. proxaudit check finds the rest.",
		"type":        "object", "required": []string{"version"},
		"properties": described(t, names, docs, shapes), "additionalProperties": false,
		"$defs": object{"rule": ruleSchema(t, false), "denyRule": ruleSchema(t, true)},
	}
}

// described joins shapes with what is said about them; every key has both.
func described(t *testing.T, names []string, docs map[string]string, shapes object) object {
	out := object{}
	for _, name := range names {
		shape, ok := shapes[name].(object)
		if !ok || docs[name] == "" {
			t.Errorf("key %s lacks a shape or a description", name)
			continue
		}
		shape["description"] = docs[name]
		out[name] = shape
	}
	if len(out) != len(shapes) {
		t.Errorf("there are shapes for keys that are none: %v", slices.Collect(maps.Keys(shapes)))
	}
	return out
}

func ruleSchema(t *testing.T, deny bool) object {
	var names []string
	docs := map[string]string{}
	for _, k := range ruleKeys() {
		names = append(names, k.name)
		docs[k.name] = k.doc
	}
	properties := described(t, names, docs, ruleShapes(deny))
	long := object{
		"type": "object", "properties": properties, "additionalProperties": false,
		"anyOf": []object{{"required": []string{"host"}}, {"required": []string{"package"}}},
	}
	without := func(keys ...string) object {
		out := object{}
		for _, k := range keys {
			out[k] = false
		}
		return object{"properties": out}
	}
	dependent := object{"package": without("host", "methods", "paths", "ports", "schemes", "query", "headers", "tls", "via")}
	if deny {
		properties["networks"], properties["tls"], properties["via"] = false, false, false
	} else {
		opaque := without("methods", "paths", "query", "headers", "via")
		opaque["properties"].(object)["schemes"] = object{"items": object{"const": "https"}}
		dependent["tls"] = opaque
		dependent["via"] = object{"properties": object{"schemes": object{"items": object{"enum": []string{"https", "http", "tcp"}}}}}
		raw := without("methods", "paths", "query", "headers", "via")
		raw["required"] = []string{"ports"}
		long["if"] = object{"required": []string{"schemes"}, "properties": object{"schemes": object{"contains": object{"const": "tcp"}}}}
		long["then"] = raw
	}
	long["dependentSchemas"] = dependent
	return object{"if": object{"type": "string"}, "then": lineSchema(deny), "else": long}
}

// lineSchema is a rule of one line.
func lineSchema(deny bool) object {
	const methods = `([A-Z][A-Z0-9_-]*(,[A-Z][A-Z0-9_-]*)* +)?`
	tcp := `^tcp://[^/?#@ A-Z]+:[0-9]+$`
	if deny {
		tcp = `^tcp://[^/?#@ A-Z]+$`
	}
	return object{
		"description": "A package URL, a URL pattern, or methods and a URL pattern.",
		"anyOf": []object{
			packageShape(),
			{"pattern": `^` + methods + `(https?|wss?)://[^/?#@ A-Z]+(/` + pathRest() + `)?$`, "not": object{"pattern": `^([^ ]*,)?CONNECT[ ,]|` + noPath}},
			{"pattern": tcp},
		},
	}
}

func ruleShapes(deny bool) object {
	list := func(item object) object { return object{"type": "array", "minItems": 1, "items": item} }
	text := func(pattern, message string) object {
		return object{"type": "string", "pattern": pattern, messageKey: message}
	}
	const host = "a host in lower case, such as build.example.org, *.example.org or an address"
	parameter := object{"type": "string", "maxLength": maxPattern, "pattern": `^([^&#+%]|%[0-9A-Fa-f]{2})*$`, "not": object{"pattern": noWord}}
	value := object{"type": "string", "maxLength": maxPattern, "not": object{"pattern": noWord}}
	names, headerNames := `^(\*|([^&#+%*]|%[0-9A-Fa-f]{2})+)$`, `^[!#$%&'+.^_|~0-9A-Za-z`+"`"+`-]+\??$`
	if deny {
		names, headerNames = strings.Replace(names, "%*]", "%*?]", 1), strings.TrimSuffix(headerNames, `\??$`)+"$"
	}
	query := object{"type": "object", "maxProperties": maxConditions, "propertyNames": text(names, "a parameter's name, with a question mark behind it where it may be absent, or * for all others"), "additionalProperties": oneOrMore(parameter)}
	if deny {
		query["minProperties"] = 1
	}
	return object{
		"host":      object{"type": "string", "maxLength": 255, "anyOf": []object{{"pattern": `^(\*\.)?[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$`, messageKey: host}, {"pattern": `^[0-9a-f:]*:[0-9a-f:.]*$`, messageKey: host}}},
		"package":   packageShape(),
		"methods":   list(object{"type": "string", "pattern": `^[A-Z][A-Z0-9_-]*$`, messageKey: "a method in capitals, such as GET", "not": object{"const": "CONNECT"}}),
		"paths":     list(object{"type": "string", "maxLength": maxPattern, "pattern": `^/` + pathRest() + `$`, messageKey: "a path from its slash on, without a query; * within a segment, ** across, {version} and other types", "not": object{"pattern": noPath}}),
		"query":     query,
		"headers":   object{"type": "object", "minProperties": 1, "maxProperties": maxConditions, "propertyNames": object{"pattern": headerNames, "not": object{"pattern": forbiddenHeaders(deny)}}, "additionalProperties": oneOrMore(value)},
		"via":       oneOrMore(object{"type": "string", "pattern": `^https?://[^/?#@ A-Z]+(/` + pathRest() + `)?$`, messageKey: "the URL that redirects, such as https://build.example.org/releases/**", "not": object{"pattern": noPath}}),
		"ports":     list(object{"type": "integer", "minimum": 1, "maximum": 65535}),
		"schemes":   list(object{"enum": schemeNames()}),
		"networks":  list(text(`^[0-9a-f:.]+/[0-9]{1,3}$`, "a network such as 10.0.0.0/8")),
		"processes": list(text(`^(/.*|[^/]+)$`, "a whole path, or a name without a slash")),
		"tls":       object{"const": "passthrough"},
		"expires":   object{"type": "string", "format": "date", "pattern": `^[2-9][0-9]{3}-[0-9]{2}-[0-9]{2}$`, messageKey: "a date such as 2027-01-31"},
		"reason":    object{"type": "string", "maxLength": maxProse, "pattern": `[^ \t\r\n]`},
	}
}

// pathRest is what stands in a path behind its first slash.
func pathRest() string {
	return `([^?#\[\]{}%]|%[0-9A-Fa-f]{2}|\{(` + strings.Join(typedNames(), "|") + `)\})*`
}

// What stands in no path and in no pattern of a word: too many stars in a row or
// in all, and dot segments.
const (
	noPath = `\*\*\*|([*{][^*{]*){17}|/\.\.?(/|$)`
	noWord = `\*\*|(\*[^*]*){17}`
)

// packageShape is a package URL.
func packageShape() object {
	return object{"type": "string", "pattern": `^pkg:(` + strings.Join(ecosystems(), "|") + `)/[^#]+$`, "not": object{"pattern": `\*\*|@vers:`}, messageKey: "a package such as pkg:npm/lodash@>=4.17.21 <5, a URL such as https://build.example.org/tools/**, or METHOD URL"}
}

func forbiddenHeaders(deny bool) string {
	words := []string{"host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
	if !deny {
		words = append(words, "x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url")
	}
	for i, w := range words {
		words[i] = anyCase(w)
	}
	return `^(` + strings.Join(words, "|") + `|` + anyCase("proxy-") + `.*)\??$`
}

func oneOrMore(item object) object {
	return object{"if": object{"type": "array"}, "then": object{"minItems": 1, "items": item}, "else": item}
}

func ecosystems() []string { return slices.Sorted(maps.Keys(packageurl.KnownTypes)) }

// anyCase matches a word in upper and lower case.
func anyCase(word string) string {
	var b strings.Builder
	for _, r := range word {
		if 'a' <= r && r <= 'z' {
			b.WriteString("[" + string(r-'a'+'A') + string(r) + "]")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// compiled returns the schema as an editor uses it.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(schemaFile, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON is what an editor validates: YAML's core schema has no dates. The second
// result is false for what is not one YAML document, of which an editor has its
// own opinion.
func asJSON(t *testing.T, doc []byte) (any, bool) {
	t.Helper()
	var node yaml.Node
	if len(doc) > 100<<10 || yaml.Unmarshal(doc, &node) != nil || len(node.Content) == 0 {
		return nil, false
	}
	var plain func(n *yaml.Node) bool
	plain = func(n *yaml.Node) bool {
		if n.ShortTag() == "!!timestamp" {
			n.Tag = "!!str"
		}
		for _, c := range n.Content {
			if !plain(c) {
				return false
			}
		}
		return n.Kind != yaml.AliasNode && n.Anchor == ""
	}
	if !plain(&node) {
		return nil, false
	}
	var value any
	if node.Decode(&value) != nil {
		return nil, false
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, false // a key that is no text
	}
	if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return value, true
}

// TestSchemaAccepts checks that an editor finds no fault with what is a policy.
func TestSchemaAccepts(t *testing.T) {
	s := compiled(t)
	docs := map[string][]byte{"many rules": manyRules(50)}
	for name, doc := range legal() {
		docs[name] = []byte(doc)
	}
	for _, pattern := range []string{"../../examples/policies/*.yaml", "../policytest/testdata/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, files, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, after, ok := strings.Cut(string(data), "-- policy.yaml --\n"); ok {
				after, _, _ = strings.Cut(after, "\n-- ")
				data = []byte(after)
			}
			docs[file] = data
		}
	}
	for name, doc := range docs {
		if _, err := Parse("policy.yaml", doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		value, ok := asJSON(t, doc)
		if !ok {
			t.Errorf("%s: cannot be read", name)
			continue
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefuses checks that an editor underlines every mistake that a schema
// can know. The others are listed: a mistake that is new is one or the other.
func TestSchemaRefuses(t *testing.T) {
	s := compiled(t)
	unknown := map[string]bool{}
	for _, tt := range mistakes() {
		value, ok := asJSON(t, []byte(tt.doc))
		if ok && s.Validate(value) == nil {
			unknown[tt.name] = true
		}
	}
	beyond := strings.Split(beyondSchema, "\n")
	for _, name := range beyond {
		if !unknown[name] {
			t.Errorf("%q is known to the schema, or no mistake at all", name)
		}
		delete(unknown, name)
	}
	for name := range unknown {
		t.Errorf("the schema accepts %q", name)
	}
}

// beyondSchema are the mistakes that only the program finds.
const beyondSchema = `IPv4-mapped host
bidirectional override
header twice
host as number in quotes
line separator
line with a name in brackets
line with bad port
line with bare IPv6
lone carriage return
merge key
network IPv4-mapped
network with host bits
package namespace with star
package version x-range
parameter twice
parameter twice, encoded
parameter with an encoded star
path with a placeholder
path with encoded dots
port in octal
range in percent-encoding
range of Composer with words
range of Debian with an epoch
range of Go as npm's
range of Go without v
range of Maven with a wish
range of Maven with three bounds
range of an ecosystem without order
range of tags
range of words
range that is empty
range too long
range without a version
reason with an escape
second document
second document, empty
tag
version in octal
via a public suffix
wildcard over a provider
wildcard over an address
wildcard over co.uk
wildcard over com`

// FuzzSchema checks that an editor never refuses what the program accepts.
func FuzzSchema(f *testing.F) {
	f.Add([]byte("version: 1\nallow: ['GET https://ok.test/**', {host: ok.test, query: {a: b}}]"))
	f.Add(manyRules(20))
	for _, doc := range legal() {
		f.Add([]byte(doc))
	}
	var s *jsonschema.Schema
	f.Fuzz(func(t *testing.T, data []byte) {
		if s == nil {
			s = compiled(t)
		}
		if _, err := Parse("policy.yaml", data); err != nil {
			return
		}
		if value, ok := asJSON(t, data); ok {
			if err := s.Validate(value); err != nil {
				t.Fatalf("%s\n%v", data, err)
			}
		}
	})
}
