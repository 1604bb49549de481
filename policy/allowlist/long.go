package allowlist

import (
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// longRule reads a rule that is written as a mapping into r.
func (p *parser) longRule(n *yaml.Node, r *rule) bool {
	before := len(p.mistakes)
	at := map[string]*yaml.Node{}
	p.fields(n, "a rule", p.ruleNames, func(key, value *yaml.Node) {
		at[key.Value] = key
		p.rule[slices.Index(p.ruleNames, key.Value)].read(p, r, value)
	})
	if len(n.Content) == 0 {
		p.at(n, "an empty rule would match everything", "name a host or a package")
		return false
	}
	if known := len(at) == len(n.Content)/2; known && at["host"] == nil && at["package"] == nil {
		p.at(n, "a rule needs a host or a package", "add host: build.example.org, or what is meant")
	}
	p.consistent(r, at)
	return len(p.mistakes) == before
}

// collect reads each element of a list.
func collect[T any](p *parser, n *yaml.Node, key string, read func(*parser, *yaml.Node) (T, bool)) []T {
	var out []T
	for _, item := range p.items(n, key) {
		if p.full() {
			break
		}
		if v, ok := read(p, item); ok {
			out = append(out, v)
		}
	}
	return out
}

// consistent refuses keys that cannot have an effect together: a rule that says
// more than it does is worse than none.
func (p *parser) consistent(r *rule, at map[string]*yaml.Node) {
	refuse := func(message, hint string, keys ...string) {
		for _, k := range keys {
			if at[k] != nil {
				p.at(at[k], k+" "+message, hint)
			}
		}
	}
	if at["package"] != nil {
		refuse("has no place in a rule for a package: the registry says where, and reading is all it allows",
			"remove it, or write a rule for the host", "host", "methods", "paths", "ports", "schemes", "query", "headers", "tls", "via")
	}
	if r.action == policy.Deny {
		refuse("has no meaning under deny: the decision comes before any address is known",
			"remove it, or deny the address as a host", "networks")
		refuse("has no place under deny: what a redirect makes denied, a request without one would reach",
			"remove it: denying the host denies what leads there too", "via")
		refuse("has no meaning under deny", "remove it: denying the host denies its connections", "tls")
		return
	}
	if at["schemes"] != nil && r.schemes&schemeTCP != 0 {
		if at["ports"] == nil {
			p.at(at["schemes"], "a tcp rule needs ports", "add ports, such as ports: [22]")
		}
		refuse("cannot be seen in raw tcp", "write a rule of its own for https", "paths", "methods", "query", "headers", "via")
	}
	if at["via"] != nil && r.schemes&(schemeWS|schemeWSS) != 0 {
		refuse("of a rule with via can only be https and http: no client follows a redirect to a WebSocket", "write a rule of its own for the WebSocket", "schemes")
	}
	if r.passthrough {
		const hint = "remove it, or remove tls: passthrough"
		refuse("cannot be seen undecrypted: a passthrough rule is decided by host and port alone", hint, "paths", "methods", "query", "headers", "via")
		if at["schemes"] != nil && r.schemes != schemeHTTPS && r.schemes != 0 {
			refuse("of a passthrough rule can only be https", hint, "schemes")
		}
	}
}
