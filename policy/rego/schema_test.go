package rego

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write input.schema.json anew")

// TestSchemaIsGenerated compares the committed schema with what Input says. Run
// with -update after a change of Input.
func TestSchemaIsGenerated(t *testing.T) {
	schema := schemaOf(t, reflect.TypeFor[Input]())
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	schema["$id"] = "https://github.com/juliendoutre/proxaudit/policy/rego/input.schema.json"
	schema["title"] = "Input of a proxaudit policy in Rego"
	want, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("input.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := Schema(); !bytes.Equal(got, want) {
		t.Errorf("input.schema.json is not what Input says; run go test -run %s -update", t.Name())
	}
}

// schemaOf returns the JSON Schema of a type of Input.
func schemaOf(t *testing.T, typ reflect.Type) map[string]any {
	t.Helper()
	switch typ.Kind() {
	case reflect.Pointer:
		return schemaOf(t, typ.Elem())
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Int:
		return map[string]any{"type": "integer"}
	case reflect.Uint16:
		return map[string]any{"type": "integer", "minimum": 0, "maximum": 65535}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t, typ.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t, typ.Elem())}
	case reflect.Struct:
		return structSchema(t, typ)
	default:
		t.Fatalf("no schema for %v", typ)
		return nil
	}
}

func structSchema(t *testing.T, typ reflect.Type) map[string]any {
	t.Helper()
	properties := map[string]any{}
	required := []string{}
	for field := range typ.Fields() {
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		property := schemaOf(t, field.Type)
		property["description"] = field.Tag.Get("doc")
		if property["description"] == "" {
			t.Errorf("%v.%s has no doc tag", typ, field.Name)
		}
		properties[name] = property
		if option != "omitempty" {
			required = append(required, name)
		}
	}
	return map[string]any{
		"type": "object", "additionalProperties": false,
		"properties": properties, "required": required,
	}
}
