package allowlist

import "github.com/juliendoutre/proxaudit/policy"

// decideOpaque answers whether a connection may pass without being decrypted.
// Only rules with tls: passthrough can say so; the default never does. Where a
// deny rule names what is inside the connection, which nobody would see, the
// connection is not passed, so that deny beats allow here too.
func (p *Policy) decideOpaque(q *question) policy.Decision {
	var hits [3]found
	var unseen *rule
	if q.scheme == schemeHTTPS {
		for b := range p.index.buckets(q.Host) {
			for a, g := range b {
				if g == nil {
					continue
				}
				for _, r := range g.opaque {
					switch {
					case !r.matchesPort(q) || !r.matchesProcess(q) || r.expired(q):
					case policy.Action(a) == policy.Deny && !r.deniesOpaque():
						unseen = earlier(unseen, r)
					default:
						hits[a].add(r)
					}
				}
			}
		}
	}
	if hit := hits[policy.Deny].first; hit != nil {
		return policy.Decision{Action: policy.Deny, Rule: hit.name, Reason: hit.reason}
	}
	for _, a := range []policy.Action{policy.Allow, policy.Log} {
		hit := hits[a]
		if hit.first == nil {
			continue
		}
		if unseen != nil {
			return policy.Decision{Action: p.fallback, Default: true,
				Reason: "not passed undecrypted, as " + hit.first.name + " wants: " + unseen.name + " denies requests that could not be seen"}
		}
		return policy.Decision{Action: a, Rule: hit.first.name, Reason: hit.first.reason, Passthrough: true, Networks: hit.networks}
	}
	return policy.Decision{Action: p.fallback, Default: true, Reason: noMatch}
}

// deniesOpaque reports whether a deny rule covers whatever is in an https
// connection.
func (r *rule) deniesOpaque() bool {
	return r.methods == nil && r.paths == nil && r.query == nil && r.headers == nil && r.schemes&schemeHTTPS != 0
}

func earlier(a, b *rule) *rule {
	if a == nil || b.order < a.order {
		return b
	}
	return a
}
