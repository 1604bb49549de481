package allowlist

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/internal/hostlist"
	"github.com/juliendoutre/proxaudit/policy"
)

// Linter says what may be wrong with policies that can be read, besides what is
// wrong with those that cannot.
type Linter struct {
	// Now is the time at which the dates of rules are looked at.
	Now time.Time
	// Ecosystems are those whose packages a run can tell. An empty list is not
	// looked at.
	Ecosystems []string
}

// soon is how long before its last day a rule is pointed at.
const soon = 14 * 24 * time.Hour

// linting is a look at several files.
type linting struct {
	Linter
	registries map[string]bool // ecosystems that have one
	bases      []string        // of all of them
	open       bool            // a default lets pass what no rule matches
	rules      []placed
	found      []policy.Finding

	shared, exfiltration, metadata, codeHosts hostlist.List
}

// placed is a rule and the file it is in.
type placed struct {
	*rule
	file  string
	index int // among the rules of all files
}

// Lint reads the files at paths, which combine, and returns what it finds in the
// order of the files. A file that cannot be read as a policy has a finding for
// each mistake, and nothing else is looked for in it.
func (l Linter) Lint(paths ...string) []policy.Finding {
	w := &linting{
		Linter: l, registries: map[string]bool{},
		shared: hostlist.Shared(), exfiltration: hostlist.Exfiltration(), metadata: hostlist.Metadata(), codeHosts: hostlist.CodeHosts(),
	}
	var docs []placedDocument
	for _, path := range paths {
		doc, text, err := readPlaced(path)
		if ms := (Mistakes)(nil); errors.As(err, &ms) {
			w.mistakes(ms)
			continue
		}
		for name, urls := range doc.registries {
			w.registries[name] = true
			w.bases = append(w.bases, urls...)
		}
		w.open = w.open || doc.fallback != policy.Deny
		for _, r := range doc.rules {
			w.rules = append(w.rules, placed{r, path, len(w.rules)})
		}
		docs = append(docs, placedDocument{doc, path, text})
	}
	for _, d := range docs {
		w.document(d)
	}
	for _, r := range w.rules {
		w.rule(r)
	}
	w.overlaps()
	w.redirects()
	for _, d := range docs {
		w.suppress(d)
	}
	slices.SortStableFunc(w.found, func(a, b policy.Finding) int {
		return cmp.Or(slices.Index(paths, a.File)-slices.Index(paths, b.File), a.Line-b.Line, a.Column-b.Column, cmp.Compare(a.ID, b.ID))
	})
	return w.found
}

type placedDocument struct {
	document
	file, text string
}

// readPlaced reads a file and keeps where its rules are.
func readPlaced(path string) (doc document, text string, err error) {
	data, err := read(path)
	if err != nil {
		_, err = Load(path)
		return document{}, "", err
	}
	if _, err := Parse(path, data); err != nil {
		return document{}, "", err
	}
	return parsePlaces(path, data), string(data), nil
}

// parsePlaces reads what Parse has found no mistake in.
func parsePlaces(path string, data []byte) document {
	p := newParser(path, data)
	p.places = true
	return p.document()
}

func (w *linting) mistakes(ms Mistakes) {
	for _, m := range ms {
		w.found = append(w.found, policy.Finding{
			ID: "invalid", Severity: policy.Error, File: m.File, Line: m.Line, Column: m.Column, Message: m.Message, Mend: m.Hint,
		})
	}
}

// at adds a finding about the key of a rule that is one of keys, else about the
// rule.
func (w *linting) at(r placed, s policy.Severity, id, message, mend string, keys ...string) {
	w.add(r.file, keyOf(r.node, keys), s, id, message, mend)
}

// keyOf returns the first of keys that a rule is written with, else the rule.
func keyOf(n *yaml.Node, keys []string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return n
	}
	for _, key := range keys {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i]
			}
		}
	}
	return n
}

func (w *linting) add(file string, n *yaml.Node, s policy.Severity, id, message, mend string) {
	w.found = append(w.found, policy.Finding{
		ID: id, Severity: s, File: file, Line: max(n.Line, 1), Column: max(n.Column, 1), Message: printable(message), Mend: printable(mend),
	})
}

// document looks at what is no rule.
func (w *linting) document(d placedDocument) {
	switch at := d.at["default"]; {
	case at == nil:
		w.add(d.file, d.at["version"], policy.Note, "no-default", "no default is named: what no rule matches is denied",
			`write "default: deny", so that a reader need not know`)
	case d.fallback != policy.Deny:
		w.add(d.file, at, policy.Warning, "open-default", "default: "+d.fallback.String()+" forwards whatever no rule matches",
			"write default: deny, and rules for what is needed; proxaudit learn writes them")
	}
	for _, n := range d.ecosystems {
		if len(w.Ecosystems) > 0 && !slices.Contains(w.Ecosystems, n.Value) {
			w.add(d.file, n, policy.Error, "unknown-ecosystem", "packages of "+quoted(n.Value)+" cannot be told from other requests in this release",
				"known here: "+strings.Join(w.Ecosystems, ", ")+"; for others write rules for the host")
		}
		for _, url := range d.registries[n.Value] {
			if strings.HasPrefix(url, "http://") {
				w.plainHTTP(d.file, n, url)
			}
		}
	}
}

func (w *linting) plainHTTP(file string, n *yaml.Node, what string) {
	w.add(file, n, policy.Note, "plain-http", what+" is not encrypted: anyone on the way can read and replace what is sent",
		"use https where the server has it")
}
