package allowlist

import (
	"path"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// Expectation is one line of a table of expectations: a request, and what must
// become of it.
type Expectation struct {
	Line, Column int
	// Request is a method and a URL, or tcp://host:port.
	Request string
	// Package is the purl of what is asked for, as if a registry named by the
	// policy served it. It may be empty.
	Package string
	// Process asks, and the others of the list are its parents. It may be nil.
	Process *policy.Process
	// Via are the URLs that redirected to it. It may be empty.
	Via  []string
	Want policy.Action
	// Rule is the one that must decide; "" stands for any.
	Rule string
}

// LoadExpectations reads a table of expectations: a list of mappings with the
// keys request, want and, where they matter, package, process, via and rule. It is
// read as strictly as a policy, and a table without a line is a mistake: it would
// pass whatever the policy says. The error is a Mistakes.
func LoadExpectations(path string) ([]Expectation, error) {
	data, err := read(path)
	if err != nil {
		return nil, Mistakes{{File: path, Message: "cannot read the expectations: " + reason(err)}}
	}
	return ParseExpectations(path, data)
}

// ParseExpectations is LoadExpectations for what has been read.
func ParseExpectations(name string, data []byte) ([]Expectation, error) {
	p := newParser(name, data)
	var out []Expectation
	p.blank = Mistake{Line: 1, Column: 1, Message: "no expectation is in there", Hint: `begin with "- request: GET https://build.example.org/"`}
	if root := p.root(); root != nil {
		if root.Kind != yaml.SequenceNode || len(root.Content) == 0 {
			p.at(root, "expectations must be a list with something in it, not "+kind(root), `begin each with "- request: GET https://build.example.org/"`)
		}
		for _, n := range root.Content {
			out = append(out, p.expectation(n))
		}
	}
	if len(p.mistakes) > 0 {
		return nil, p.sorted()
	}
	return out, nil
}

func (p *parser) expectation(n *yaml.Node) Expectation {
	e := Expectation{Line: n.Line, Column: n.Column}
	there := map[string]bool{}
	ok := p.fields(n, "an expectation", []string{"request", "want", "package", "process", "via", "rule"}, func(key, v *yaml.Node) {
		there[key.Value] = true
		switch key.Value {
		case "request":
			e.Request, _ = p.text(v, "request")
		case "want":
			e.Want = p.want(v)
		case "package":
			e.Package, _ = p.text(v, "package")
		case "process":
			e.Process = p.asker(v)
		case "via":
			e.Via = p.redirectors(v)
		case "rule":
			e.Rule, _ = p.text(v, "rule")
		}
	})
	if ok && !there["request"] {
		p.at(n, "an expectation needs a request", "add request: GET https://build.example.org/")
	}
	if ok && !there["want"] {
		p.at(n, "an expectation needs what is wanted", "add want: allow, deny or log")
	}
	return e
}

func (p *parser) want(n *yaml.Node) policy.Action {
	var a policy.Action
	if s, ok := p.text(n, "want"); ok {
		if err := a.UnmarshalText([]byte(s)); err != nil {
			p.at(n, "unknown action "+quoted(s), suggestion(s, []string{"allow", "deny", "log"}))
		}
	}
	return a
}

// redirectors reads the URL that redirected, or a list of those that did.
func (p *parser) redirectors(n *yaml.Node) []string {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = p.items(n, "via")
	}
	var out []string
	for _, item := range items {
		url, ok := p.text(item, "a redirecting URL")
		if ok && !strings.Contains(url, "://") {
			p.at(item, quoted(url)+" is not a URL", "write a URL such as https://build.example.org/releases/cc.tgz")
		}
		out = append(out, url)
	}
	return out
}

// asker reads the path of a program, or a list of it and those that it descends
// from.
func (p *parser) asker(n *yaml.Node) *policy.Process {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = p.items(n, "process")
	}
	var exes []string
	for _, item := range items {
		exe, ok := p.text(item, "a process")
		if ok && !path.IsAbs(exe) {
			p.at(item, "process "+quoted(exe)+" is not a whole path", "write it as it would run: /usr/bin/npm")
		}
		exes = append(exes, exe)
	}
	if len(exes) == 0 {
		return nil
	}
	return &policy.Process{PID: 1, Exe: exes[0], Argv: exes[:1], Parents: exes[1:]}
}
