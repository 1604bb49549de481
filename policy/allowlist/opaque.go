package allowlist

import "github.com/juliendoutre/proxaudit/policy"

// decideOpaque answers whether a connection may pass without being decrypted.
// Only rules with tls: passthrough can say so; the default never does. A deny
// rule for anything that may be inside keeps it from passing, so that deny beats
// allow here too, across files as well.
func (p *Policy) decideOpaque(q *question) policy.Decision {
	var hits [3]found
	p.index.matchOpaque(q, &hits)
	if hit := hits[policy.Deny].first; hit != nil {
		return policy.Decision{Action: policy.Deny, Rule: hit.name, Reason: hit.unreadReason(schemeHTTPS)}
	}
	for _, a := range []policy.Action{policy.Allow, policy.Log} {
		if hit := hits[a]; hit.first != nil {
			return policy.Decision{Action: a, Rule: hit.first.name, Reason: hit.first.reason, Passthrough: true, Networks: hit.networks}
		}
	}
	return policy.Decision{Action: p.fallback, Default: true, Reason: noMatch}
}

// matchOpaque adds the rules that decide whether a connection may pass undecrypted.
func (ix *index) matchOpaque(q *question, hits *[3]found) {
	if q.scheme != schemeHTTPS {
		return
	}
	for b := range ix.buckets(q.Host) {
		for a, g := range b {
			if g == nil {
				continue
			}
			for _, r := range g.opaque {
				if r.matchesPort(q) && r.matchesProcess(q) && !r.expired(q) {
					hits[a].add(r)
				}
			}
		}
	}
}

// deniesRaw reports whether a deny rule keeps raw bytes from passing unread: one
// for tcp, and one for what nobody would see in them. A rule that names other
// schemes and no ports is about the ports that are theirs.
func (r *rule) deniesRaw(q *question) bool {
	if r.schemes&schemeTCP == 0 && r.ports == nil {
		own := (r.schemes&(schemeHTTPS|schemeWSS) != 0 && q.Port == policy.DefaultPort("https")) ||
			(r.schemes&(schemeHTTP|schemeWS) != 0 && q.Port == policy.DefaultPort("http"))
		return own && r.matchesProcess(q)
	}
	return r.matchesPort(q) && r.matchesProcess(q)
}

// unreadReason is the reason of a deny rule for bytes that nobody has read: the
// rule may be about part of what is in them.
func (r *rule) unreadReason(s schemes) string {
	if r.schemes&s != 0 && r.methods == nil && r.paths == nil && r.query == nil && r.headers == nil {
		return r.reason
	}
	return "not passed unread, for what the rule denies could not be seen: " + r.reason
}
