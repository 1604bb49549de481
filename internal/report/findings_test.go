package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

func someFindings() []policy.Finding {
	return []policy.Finding{
		{ID: "beaten-rule", Severity: policy.Warning, File: "a b/policy.yaml", Line: 4, Column: 5, Message: "the rule never decides", Mend: "remove it"},
		{ID: "invalid", Severity: policy.Error, File: "none.yaml", Message: "no such \x1b[31mfile"},
		{ID: "beaten-rule", Severity: policy.Note, File: "/etc/policy.yaml", Line: 1, Column: 1, Message: "m"},
		{ID: "shared-host", Severity: policy.Warning, File: "none.yaml", Line: 2, Column: 1, Message: "s", Suppressions: []policy.Suppression{{Kind: "inSource", Justification: "ours"}}},
	}
}

func TestFindingsText(t *testing.T) {
	var b bytes.Buffer
	if err := WriteFindings(&b, "text", "v2", someFindings()); err != nil {
		t.Fatal(err)
	}
	want := `a b/policy.yaml:4:5: warning: the rule never decides [beaten-rule]
  hint: remove it
none.yaml: error: no such \x1b[31mfile [invalid]
/etc/policy.yaml:1:1: note: m [beaten-rule]
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestFindingsJSON(t *testing.T) {
	var b bytes.Buffer
	if err := WriteFindings(&b, "json", "v2", someFindings()[:1]); err != nil {
		t.Fatal(err)
	}
	want := `{
  "findings": [
    {
      "id": "beaten-rule",
      "severity": "warning",
      "file": "a b/policy.yaml",
      "line": 4,
      "column": 5,
      "message": "the rule never decides",
      "mend": "remove it"
    }
  ]
}
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	if err := WriteFindings(&b, "json", "v2", nil); err != nil || strings.Join(strings.Fields(b.String()), "") != `{"findings":[]}` {
		t.Errorf("nothing found is written as %q, %v", b.String(), err)
	}
}

// TestFindingsSARIF holds the log to what the specification requires of each
// object: sections 3.13, 3.14, 3.18, 3.19, 3.27, 3.28, 3.29, 3.30 and 3.35 of SARIF
// 2.1.0.
func TestFindingsSARIF(t *testing.T) {
	for name, found := range map[string][]policy.Finding{"some": someFindings(), "none": nil} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := WriteFindings(&b, "sarif", "v2", found); err != nil {
				t.Fatal(err)
			}
			var log map[string]any
			if err := json.Unmarshal(b.Bytes(), &log); err != nil {
				t.Fatal(err)
			}
			if log["version"] != "2.1.0" || !strings.HasSuffix(log["$schema"].(string), "sarif-2.1.0.json") {
				t.Errorf("version %v, $schema %v", log["version"], log["$schema"])
			}
			run := log["runs"].([]any)[0].(map[string]any)
			driver := run["tool"].(map[string]any)["driver"].(map[string]any)
			if driver["name"] != "proxaudit" || driver["version"] != "v2" || run["columnKind"] != "unicodeCodePoints" {
				t.Errorf("run %v", run)
			}
			results := run["results"].([]any) // there even where it is empty
			if len(results) != len(found) {
				t.Fatalf("%d results, want %d", len(results), len(found))
			}
			rules := driver["rules"].([]any)
			for i, f := range found {
				checkSARIF(t, results[i].(map[string]any), rules, f)
			}
		})
	}
}

func checkSARIF(t *testing.T, r map[string]any, rules []any, f policy.Finding) {
	t.Helper()
	rule := rules[int(r["ruleIndex"].(float64))].(map[string]any)
	if r["ruleId"] != f.ID || rule["id"] != f.ID || r["level"] != f.Severity.String() {
		t.Errorf("result %v of rule %v", r, rule)
	}
	if text := r["message"].(map[string]any)["text"].(string); !strings.HasPrefix(text, f.Message) || !strings.HasSuffix(text, f.Mend) {
		t.Errorf("message %q", text)
	}
	suppressions, ok := r["suppressions"].([]any) // there even where it is empty
	if !ok || len(suppressions) != len(f.Suppressions) {
		t.Fatalf("suppressions %v", r["suppressions"])
	}
	for i, s := range f.Suppressions {
		if got := suppressions[i].(map[string]any); got["kind"] != s.Kind || got["justification"] != s.Justification {
			t.Errorf("suppression %v", got)
		}
	}
	place := r["locations"].([]any)[0].(map[string]any)["physicalLocation"].(map[string]any)
	uri := place["artifactLocation"].(map[string]any)["uri"]
	if want := map[string]string{"a b/policy.yaml": "a%20b/policy.yaml", "none.yaml": "none.yaml", "/etc/policy.yaml": "file:///etc/policy.yaml"}[f.File]; uri != want {
		t.Errorf("uri %v, want %s", uri, want)
	}
	region, there := place["region"].(map[string]any)
	if there != (f.Line > 0) {
		t.Errorf("region %v", region)
	}
	if there && (region["startLine"] != float64(f.Line) || region["startColumn"] != float64(f.Column)) {
		t.Errorf("region %v, want line %d, column %d", region, f.Line, f.Column)
	}
}

func TestFindingsUnknownFormat(t *testing.T) {
	var b bytes.Buffer
	if err := WriteFindings(&b, "xml", "v2", someFindings()); err == nil || b.Len() > 0 {
		t.Errorf("wrote %q, %v", b.String(), err)
	}
}
