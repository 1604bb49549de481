package rego

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// TestHostileFiles has files of ten megabytes that are made to cost as much as
// they can. Each must be refused or loaded in bounded time and memory; the bounds
// are generous, for what they tell apart is a program that ends from one that
// does not.
func TestHostileFiles(t *testing.T) {
	const size = 10 << 20
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	const head = "package proxaudit\nallow if input.host == \"ok.test\"\n"
	tests := map[string]struct{ name, content string }{
		"module: nested arrays":              {"gate.rego", head + "x := " + fill("[")},
		"module: nested parentheses":         {"gate.rego", head + "x := " + fill("(")},
		"module: nested objects":             {"gate.rego", head + "x := " + fill("{1:")},
		"module: nested bodies":              {"gate.rego", head + "x if " + fill("every a in b { ")},
		"module: arrays, as deep as parses":  {"gate.rego", head + "x := " + strings.Repeat("[", 49_000) + strings.Repeat("]", 49_000)},
		"module: objects, as deep as parses": {"gate.rego", head + "x := " + strings.Repeat("{1:", 24_000) + "1" + strings.Repeat("}", 24_000)},
		"module: sums, as long as parses":    {"gate.rego", head + "x := " + strings.Repeat("1 - ", 49_000) + "1"},
		"module: a reference, just allowed":  {"gate.rego", head + "x := data" + strings.Repeat(".a", maxRef-1)},
		"module: many rules":                 {"gate.rego", head + many(10_000, "r%d := %d\n")},
		"module: many bodies":                {"gate.rego", head + many(5_000, "allow if input.path == \"/%d/%d\"\n")},
		"module: negations":                  {"gate.rego", head + "x if " + fill("not ")},
		"module: minus signs":                {"gate.rego", head + "x := " + fill("1 - ") + "1"},
		"module: one long name":              {"gate.rego", head + fill("a") + " := 1"},
		"module: one long reference":         {"gate.rego", head + "x := data" + fill(".a")},
		"module: one long string":            {"gate.rego", head + "x := \"" + fill("a") + "\""},
		"module: comments":                   {"gate.rego", head + fill("# METADATA\n")},
		"module: annotations":                {"gate.rego", head + "# METADATA\n" + fill("# a: {\n")},
		"module: braces in templates":        {"gate.rego", head + "x := $\"" + fill("{") + "\""},
		"module: zeros":                      {"gate.rego", fill("\x00")},
		"module: no UTF-8":                   {"gate.rego", head + "x := \"" + fill("\xff")},
		"JSON: nested":                       {"data.json", `{"x":` + fill("[")},
		"JSON: one number":                   {"data.json", `{"x":` + fill("9") + "}"},
		"JSON: an exponent":                  {"data.json", `{"x": 1e` + fill("9") + "}"},
		"JSON: one long string":              {"data.json", `{"x":"` + fill("a") + `"}`},
		"YAML: nested":                       {"data.yaml", "x: " + fill("[")},
		"YAML: indented":                     {"data.yaml", indented(size)},
		"YAML: aliases":                      {"data.yaml", "a: &a [1]\nb: [" + fill("*a,") + "*a]"},
		"YAML: anchors of anchors":           {"data.yaml", laughs()},
		"YAML: tags":                         {"data.yaml", "x: " + fill("!!str ")},
		"YAML: one long key":                 {"data.yaml", "? " + fill("a") + "\n: 1"},
		"YAML: zeros":                        {"data.yaml", fill("\x00")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.name != "gate.rego" {
				put(t, filepath.Join(dir, "gate.rego"), head)
			}
			put(t, filepath.Join(dir, tt.name), tt.content)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			_, err := Load(context.Background(), dir)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if err != nil && len(err.Error()) > 4096 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
			if grown := after.Sys - min(after.Sys, before.Sys); grown > 3<<30 {
				t.Errorf("it took %d MiB", grown>>20)
			}
			t.Logf("%v, %d MiB: %.80v", took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20, err)
			debug.FreeOSMemory()
		})
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// many writes a line n times, each with its number twice.
func many(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, line, i, i)
	}
	return b.String()
}

// indented is a document that nests by indentation, as deep as size allows.
func indented(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// laughs is the document whose aliases would unfold to 9^9 items (the "billion
// laughs").
func laughs() string {
	text := "a0: &a0 [1,1,1,1,1,1,1,1,1]\n"
	for i := 1; i < 9; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9))
	}
	return text
}
