package allowlist

import "gopkg.in/yaml.v3"

// ruleKey is a key of a rule that is written as a mapping. The table of them is
// what the reader reads by and what policy.schema.json is made from.
type ruleKey struct {
	name string
	// doc is what an editor shows. It says what absence means.
	doc  string
	read func(*parser, *rule, *yaml.Node)
}

func ruleKeys() []ruleKey {
	return []ruleKey{
		{"host", "A name or an address, or *.example.org for every name below example.org, but not itself.", func(p *parser, r *rule, n *yaml.Node) {
			if s, ok := p.text(n, "host"); ok {
				r.host, r.wildcard, _ = p.host(n, 0, s)
			}
		}},
		{"package", "A package URL that may be read from the registries of its ecosystem: pkg:npm/lodash, pkg:npm/lodash@4.17.21, pkg:npm/lodash@4.* or pkg:npm/lodash@>=4.17.21 <5.", func(p *parser, r *rule, n *yaml.Node) {
			if s, ok := p.text(n, "package"); ok {
				r.pkg = p.packagePattern(n, s)
			}
		}},
		{"methods", "HTTP methods. Absent: GET and HEAD; under deny, any.", func(p *parser, r *rule, n *yaml.Node) {
			r.methods = collect(p, n, "methods", (*parser).method)
		}},
		{"paths", "Paths, in which * stands for any run of characters in a segment, ** for any run across segments, and {version}, {int}, {sha}, {uuid} and {date} for a part of a segment that is one. Absent: any.", func(p *parser, r *rule, n *yaml.Node) {
			r.paths = collect(p, n, "paths", (*parser).path)
		}},
		{"query", "Parameters of the query, each with a pattern or a list of them, in which * stands for any run of characters. Under allow and log the query must hold what is listed and nothing else: a name with a question mark behind it may be absent, and the name * stands for all others. Under deny each must be found. Absent: any query; {}: none.", func(p *parser, r *rule, n *yaml.Node) {
			r.query = p.query(n, r.action)
		}},
		{"headers", "Header fields, each with a pattern or a list of them. Under allow and log every value of each must match; a name with a question mark behind it may be absent. Under deny one value of each is enough. Fields that are not listed do not matter.", func(p *parser, r *rule, n *yaml.Node) {
			r.headers = p.headers(n, r.action)
		}},
		viaKey(),
		{"ports", "Ports. Absent: the scheme's own; under deny, any.", func(p *parser, r *rule, n *yaml.Node) {
			r.ports = collect(p, n, "ports", (*parser).port)
		}},
		{"schemes", "Schemes. Absent: https alone; under deny, any. tcp is never decrypted and needs ports.", func(p *parser, r *rule, n *yaml.Node) {
			r.schemes = 0
			for _, s := range collect(p, n, "schemes", (*parser).scheme) {
				r.schemes |= s
			}
		}},
		{"networks", "Networks of addresses that are not public and may be dialled for this host. Absent: public addresses only.", func(p *parser, r *rule, n *yaml.Node) {
			r.networks = collect(p, n, "networks", (*parser).network)
		}},
		{"processes", "Programs, by path or by name, of which one must be the one that asks or one that it descends from. Absent: any.", func(p *parser, r *rule, n *yaml.Node) {
			r.processes = collect(p, n, "processes", (*parser).process)
		}},
		{"tls", "passthrough lets connections to the host pass undecrypted. They are decided by host and port, begin with a ClientHello that names the host or none, and are opaque in every report.", func(p *parser, r *rule, n *yaml.Node) {
			r.passthrough = p.passthrough(n)
		}},
		{"expires", "The last day, in UTC, on which the rule holds. Then a rule under allow or log matches nothing any more, one under deny still denies, and check fails.", func(p *parser, r *rule, n *yaml.Node) {
			r.expires = p.expires(n, r)
		}},
		{"reason", "Why the rule is there, for reviewers and for those who are denied.", func(p *parser, r *rule, n *yaml.Node) {
			r.reason = p.prose(n, "reason")
		}},
	}
}
