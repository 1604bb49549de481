package allowlist

import "github.com/juliendoutre/proxaudit/policy"

// index finds the rules that may match a request: by host, by each domain above
// it, and by package. It is built once and only read afterwards. Its zero value
// finds none.
type index struct {
	hosts    map[string]*bucket // exact
	below    map[string]*bucket // *.key
	packages map[string]*packageBucket
}

// bucket holds the rules of one host pattern, by action.
type bucket [3]*group

// group holds the rules of one host pattern and one action.
type group struct {
	rules   []*rule // all that can match a decrypted request or raw TCP
	any     []*rule // those of them for any path
	opaque  []*rule // those that decide a connection that is not decrypted
	byForm  [forms]paths
	entries [forms][]entry // only while the index is built

	approaches []*rule // for nearest
}

// packageBucket holds the rules of one key, by action.
type packageBucket [3][]*rule

func newIndex(rules []*rule) index {
	ix := index{
		hosts:    make(map[string]*bucket, len(rules)),
		below:    map[string]*bucket{},
		packages: map[string]*packageBucket{},
	}
	for _, r := range rules {
		if r.pkg != nil {
			b := ix.packages[r.pkg.key]
			if b == nil {
				b = &packageBucket{}
				ix.packages[r.pkg.key] = b
			}
			b[r.action] = append(b[r.action], r)
			continue
		}
		hosts := ix.hosts
		if r.wildcard {
			hosts = ix.below
		}
		b := hosts[r.host]
		if b == nil {
			b = &bucket{}
			hosts[r.host] = b
		}
		if b[r.action] == nil {
			b[r.action] = &group{}
		}
		b[r.action].add(r)
	}
	for _, hosts := range []map[string]*bucket{ix.hosts, ix.below} {
		for _, b := range hosts {
			for _, g := range b {
				g.freeze()
			}
		}
	}
	return ix
}

func (g *group) add(r *rule) {
	if r.passthrough {
		g.opaque = append(g.opaque, r)
		return
	}
	deny := r.action == policy.Deny
	if deny && r.schemes&(schemeHTTPS|schemeWSS) != 0 {
		g.opaque = append(g.opaque, r)
	}
	g.rules = append(g.rules, r)
	if r.paths == nil {
		g.any = append(g.any, r)
		return
	}
	for _, pat := range r.paths {
		g.entries[exact] = append(g.entries[exact], entry{r, pat})
		if deny {
			for f, loose := range pat.loose() {
				g.entries[f] = append(g.entries[f], entry{r, loose})
			}
		}
	}
}

func (g *group) freeze() {
	if g == nil {
		return
	}
	g.approaches = approaches(g.rules)
	for f, entries := range g.entries {
		g.byForm[f] = newPaths(entries)
		g.entries[f] = nil
	}
}
