package allowlist

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestNoPolicyIsNoPermission checks that a file which says nothing, or not what
// its author thinks, is an error and never a policy: a sandbox that took an empty
// list for "no restriction" is CVE-2025-66479.
func TestNoPolicyIsNoPermission(t *testing.T) {
	for _, doc := range []string{
		"", " ", "\n", "#", "~", "null", "---", "--- ~", "...", "{}", "[]", "''", "\ufeff",
		"rules:", "rules: ~", "version: 1\nrules: ~", "version: 1\nallow: ~", "version: 1\nallow:", "version: 1\ndeny:\n", "version:", "version: ~",
		"version: 1\nallow: ''", "version: 1\nallow: {}", "version: 1\ndefault: ~", "version: 1\ndefault: ''",
		"version: 1\nalow: [https://ok.test]", "version: 1\nDeny: [https://ok.test]", "version: 1\nallow: [{Host: ok.test}]",
		"version: 1\ndeny: [{host: evil.test, method: [GET]}]", "version: 1\ndeny: [{host: evil.test, path: [/x]}]",
		"version: 1\ndeny: [https://evil.test]\ndeny: []", "version: 1\n'deny': [https://evil.test]\n\"deny\": []",
		"version: 1\nallow: [{host: ok.test, host: evil.test}]", "{version: 1, version: 1}",
		"version: 1\nallow: &a [https://ok.test]\nlog: *a", "version: 1\nx: &x {host: ok.test}\nallow: [{<<: *x}]",
		"version: 1\nallow: [*nowhere]", "version: 1\nallow: &a [*a]", "version: 1\nallow: !!set {https://ok.test}", "version: 1\nallow: !include other.yaml",
		"version: 1\n---\nversion: 1\nallow: [https://ok.test]", "version: 1\n...\nallow: [https://ok.test]", "version: 1\n%YAML 1.1\n",
		"version: 1\nallow: " + strings.Repeat("[", 100) + strings.Repeat("]", 100),
		"version: 1\nallow: " + strings.Repeat("{a: ", 100) + strings.Repeat("}", 100),
	} {
		if p, err := Parse("policy.yaml", []byte(doc)); err == nil || p != nil {
			t.Errorf("%q is a policy", doc)
		}
	}
}

// TestHostileFiles checks that what is read of a file as large as may be takes
// memory within bounds, and so time.
func TestHostileFiles(t *testing.T) {
	size, most := maxSize, maxParts
	if underRace { // everything takes ten times as long, and the sizes are of no interest
		size, most = size/50, most/50
	}
	fill := func(head, part, tail string) string {
		return head + strings.Repeat(part, (size-len(head)-len(tail))/len(part)) + tail
	}
	parts := func(head, part, tail string, each int) string {
		return head + strings.Repeat(part, most/each-8) + tail
	}
	bomb := "version: 1\na: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 9) + "]\n"
	}
	for name, doc := range map[string]string{
		"list of lines": fill("version: 1\nallow:\n", "- x\n", ""), "list in brackets": fill("version: 1\nallow: [", "x,", "]"),
		"mapping": fill("version: 1\nallow: {", "a,", "}"), "brackets": fill("", "[", ""), "braces": fill("", "{", ""),
		"dashes": fill("", "- ", ""), "question marks": fill("version: 1\n", "? ", ""), "colons": fill("version: 1\n", ": ", ""),
		"documents": fill("version: 1\n", "---\n", ""), "one text": fill("version: 1\nallow: ['", "a", "']"),
		"text never closed": fill("version: 1\nallow: ['", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", ""),
		"block":             fill("version: 1\nallow: |\n", " aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", ""),
		"reason":            fill("version: 1\nallow: [{host: ok.test, reason: '", "a ", "'}]"),
		"path":              fill("version: 1\nallow: [{host: ok.test, paths: ['/", "a*", "']}]"),
		"range":             fill("version: 1\nallow: ['pkg:npm/x@", ">=1 ", "']"),
		"parameter":         fill("version: 1\nallow: [{host: ok.test, query: {a: '", "%41", "'}}]"),
		"tab at the end":    parts("version: 1\nallow:\n", "- https://ok.test/aaaaaaaaa\n", "\t- x", 2),
		"anchors":           parts("version: 1\nallow: [&a x,", "*a,", "]", 1), "aliases of aliases": bomb,
		"as many mistakes as may be": parts("version: 1\nallow: [", "x,", "]", 1),
		"as many keys as may be":     parts("version: 1\nallow: {", "a,", "}", 1),
		"as many rules as may be":    parts("version: 1\nallow:\n", "- https://ok.test/aaaa/**\n", "", 2),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := Parse("policy.yaml", []byte(doc))
		runtime.ReadMemStats(&after)
		if (p == nil) == (err == nil) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
		// Allocated in all, most of it for a moment only.
		if took := after.TotalAlloc - before.TotalAlloc; took > 512<<20 {
			t.Errorf("%s: %d MB allocated for %d MB", name, took>>20, len(doc)>>20)
		}
	}
}

// TestReadOnce checks that a policy does not change when its file does.
func TestReadOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("version: 1\nallow: [https://ok.test]\n")
	p, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	hash := p.Hash()
	write("version: 1\nallow: [https://evil.test]\n")
	checkRequests(t, p, "allow https://ok.test/\ndeny https://evil.test/")
	if p.Hash() != hash {
		t.Error("the hash is not that of what was read")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	checkRequests(t, p, "allow https://ok.test/\ndeny https://evil.test/")
}

// TestOrderNeverMatters checks that rules that overlap decide alike however they
// and their lists are ordered.
func TestOrderNeverMatters(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		rules, _ := randomRules(r)
		var requests []*policy.Request
		for range 30 {
			requests = append(requests, randomRequest(t, r))
		}
		want := make([]policy.Decision, len(requests))
		for turn := range 4 {
			p := mustParse(t, shuffled(r, rules))
			for i, q := range requests {
				d := decide(t, p, q)
				if turn == 0 {
					want[i] = d
				}
				if d.Action != want[i].Action || d.Default != want[i].Default || d.Passthrough != want[i].Passthrough || len(d.Networks) != len(want[i].Networks) {
					t.Fatalf("%+v\n%+v in one order\n%+v in another", q, want[i], d)
				}
			}
		}
	}
}

// shuffled writes the rules in a random order.
func shuffled(r *rand.Rand, rules []plainRule) string {
	rules = slices.Clone(rules)
	r.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
	lists := []string{"allow", "deny", "log"}
	r.Shuffle(len(lists), func(i, j int) { lists[i], lists[j] = lists[j], lists[i] })
	doc := ""
	for _, list := range lists {
		doc += list + ":"
		any := false
		for _, rule := range rules {
			if rule.list == list {
				doc, any = doc+"\n  - "+rule.yaml(), true
			}
		}
		if !any {
			doc += " []"
		}
		doc += "\n"
	}
	return doc
}
