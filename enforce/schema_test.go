package enforce_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// object is what the schema says about one JSON object.
type object struct {
	Properties map[string]struct {
		Description string
		Ref         string `json:"$ref"`
		Enum        []string
	}
	Required    []string
	Description string
}

type document struct {
	object
	ID   string            `json:"$id"`
	Defs map[string]object `json:"$defs"`
}

func readSchema(t *testing.T) document {
	t.Helper()
	var doc document
	if err := json.Unmarshal([]byte(enforce.EventSchema), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// The tags of the Go types and the schema say the same, in both directions.
func TestSchemaHasTheFieldsOfTheStructs(t *testing.T) {
	doc := readSchema(t)
	if doc.ID != enforce.SchemaID {
		t.Errorf("$id %q, want %q", doc.ID, enforce.SchemaID)
	}
	for name, tt := range map[string]struct {
		goType reflect.Type
		object object
	}{
		"event":   {reflect.TypeFor[enforce.Event](), doc.object},
		"process": {reflect.TypeFor[policy.Process](), doc.Defs["process"]},
		"body":    {reflect.TypeFor[enforce.Body](), doc.Defs["body"]},
	} {
		t.Run(name, func(t *testing.T) {
			var all, required []string
			for i := range tt.goType.NumField() {
				tag, options, _ := strings.Cut(tt.goType.Field(i).Tag.Get("json"), ",")
				all = append(all, tag)
				if options != "omitempty" {
					required = append(required, tag)
				}
			}
			slices.Sort(all)
			if diff := cmp.Diff(all, slices.Sorted(maps.Keys(tt.object.Properties))); diff != "" {
				t.Errorf("properties (-struct +schema):\n%s", diff)
			}
			slices.Sort(required)
			slices.Sort(tt.object.Required)
			if diff := cmp.Diff(required, tt.object.Required); diff != "" {
				t.Errorf("required (-struct +schema):\n%s", diff)
			}
			for field, p := range tt.object.Properties {
				if p.Description == "" && p.Ref == "" {
					t.Errorf("%s is not described", field)
				}
			}
		})
	}
}

func TestSchemaHasTheWordsOfTheCode(t *testing.T) {
	doc := readSchema(t)
	for field, want := range map[string][]string{
		"mode":   {enforce.Audit.String(), enforce.Learn.String(), enforce.Enforce.String()},
		"action": {policy.Allow.String(), policy.Log.String(), policy.Deny.String()},
		"stage": {
			string(enforce.StageDNS), string(enforce.StageConnect), string(enforce.StageRequest),
			string(enforce.StageResponse), string(enforce.StageTCP), string(enforce.StageUDP), string(enforce.StagePolicy),
		},
	} {
		if diff := cmp.Diff(want, doc.Properties[field].Enum); diff != "" {
			t.Errorf("%s (-code +schema):\n%s", field, diff)
		}
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(enforce.EventSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(enforce.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(enforce.SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// fullEvent has every field set.
func fullEvent() enforce.Event {
	return enforce.Event{
		Schema: enforce.SchemaID, Time: time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 3600)),
		ID: "01JNZ5W8K3T7Q2", Mode: "enforce", Stage: enforce.StageResponse, Isolation: "netns",
		Method: "GET", Scheme: "https", Host: "npm.example.org", Port: 8443, Path: "/lodash",
		URL: "https://npm.example.org:8443/lodash?token=REDACTED", Via: "https://npm.example.org/latest", Protocol: "HTTP/2.0",
		Action: policy.Log, Blocked: true, Rule: "policy.yaml:7", Reason: "reviewed \"by\" hand", Policy: "sha256:" + strings.Repeat("0b", 32), Allow: "- GET …",
		Status: 302, Location: "https://cdn.example.org/lodash?token=REDACTED", RequestBytes: 1, ResponseBytes: 1 << 40, RequestFrames: 2, ResponseFrames: 3, SHA256: strings.Repeat("0a", 32), DurationMS: 12.25,
		Address: "192.0.2.7:8443", Error: "reset", Failure: "the server cut the connection", Hint: "ask", Package: "pkg:npm/lodash@4.17.21", Registry: "https://npm.example.org/",
		Process:        &policy.Process{PID: 42, Exe: "/usr/bin/node", Argv: []string{"npm", "ci"}, Parents: []string{"make"}},
		RequestHeader:  map[string][]string{"Accept": {"*/*", ""}, "A": {"b"}},
		ResponseHeader: map[string][]string{"Server": {}},
		RequestBody:    &enforce.Body{Text: "<b>&</b>", Truncated: true},
		ResponseBody:   &enforce.Body{Base64: []byte{0xff, 0xfe, 0}},
	}
}

func TestEventsAreValid(t *testing.T) {
	schema := compileSchema(t)
	minimal := enforce.Event{Time: time.Now(), ID: "1", Stage: enforce.StageDNS}
	minimal.Decide(enforce.Enforce, enforce.Verdict{})
	for name, ev := range map[string]enforce.Event{"full": fullEvent(), "minimal": minimal} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			l := enforce.NewLog(&out)
			if err := errors.Join(l.Record(ev), l.Close()); err != nil {
				t.Fatal(err)
			}
			instance, err := jsonschema.UnmarshalJSON(&out)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(instance); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSchemaRefusesWhatIsNoEvent(t *testing.T) {
	schema := compileSchema(t)
	for name, change := range map[string]func(map[string]any){
		"no action":       func(o map[string]any) { delete(o, "action") },
		"no blocked":      func(o map[string]any) { delete(o, "blocked") },
		"unknown action":  func(o map[string]any) { o["action"] = "pass" },
		"unknown mode":    func(o map[string]any) { o["mode"] = "watch" },
		"unknown stage":   func(o map[string]any) { o["stage"] = "reply" },
		"another schema":  func(o map[string]any) { o["schema"] = "https://ok.test/" },
		"time in seconds": func(o map[string]any) { o["ts"] = json.Number("1") },
		"time in words":   func(o map[string]any) { o["ts"] = "yesterday" },
		"port as text":    func(o map[string]any) { o["port"] = "443" },
		"port too large":  func(o map[string]any) { o["port"] = json.Number("65536") },
		"short digest":    func(o map[string]any) { o["sha256"] = "abc" },
		"not a purl":      func(o map[string]any) { o["package"] = "lodash" },
		"header as text":  func(o map[string]any) { o["request_header"] = map[string]any{"Accept": "*/*"} },
		"process no pid":  func(o map[string]any) { o["process"] = map[string]any{"exe": "/bin/sh"} },
		"body as text":    func(o map[string]any) { o["request_body"] = "hello" },
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(fullEvent())
			if err != nil {
				t.Fatal(err)
			}
			instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(instance); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			change(instance.(map[string]any))
			if schema.Validate(instance) == nil {
				t.Error("accepted")
			}
		})
	}
}
