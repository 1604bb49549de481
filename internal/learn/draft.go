package learn

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// draft is a policy before it is written. Everything in it is sorted.
type draft struct {
	registries []*registry
	packages   []*packageLine
	rules      []*rule
	beside     []*besideLine
	left       [kinds][]*leftLine
	requests   int // that are covered
	runs       int // in all
	// astray is what was redirected to from where nothing is learned.
	astray map[key]bool
}

// sighting is a flow that is learned.
type sighting struct {
	key
	*flow
	verdict
	folded *folded // nil for one path
	// index is true when path was replaced by a pattern for its kin, asked is what
	// it was before.
	index bool
	asked string
}

// draft sorts everything that was seen into what is learned and what is not.
func (l *Learner) draft() (*draft, error) {
	d := &draft{runs: l.run + 1, astray: map[key]bool{}}
	left := map[string]*leftLine{}
	code := l.codeHosts()
	l.fold(code)
	seen, err := l.foldedSightings(d, code, left)
	if err != nil {
		return nil, err
	}
	var covered []sighting
	for k, f := range l.flows {
		v, known := l.judge(k, f), l.existing(k, f)
		s := sighting{key: k, flow: f, verdict: v, asked: k.path}
		switch {
		case known == undecided && v.learned:
			seen = append(seen, s)
			d.requests += f.requests
		case known == undecided:
			d.leave(left, k, f, v)
		case known == permitted && v.learned:
			covered = append(covered, s)
		}
	}
	slices.SortFunc(seen, func(a, b sighting) int { return a.compare(b.key) })
	seen, redirected := apart(seen)
	written := writtenAs{}
	hops, err := l.covered(covered, code, written)
	if err != nil {
		return nil, err
	}
	rest, err := l.packages(d, seen, written)
	if err != nil {
		return nil, err
	}
	d.rules = l.rules(rest, code, written)
	l.redirects(d, redirected, written, hops, left)
	slices.SortFunc(d.rules, (*rule).compareRule)
	d.sortLeft()
	if err := l.lock(d); err != nil {
		return nil, err
	}
	l.lookalikes(d)
	return d, nil
}

// compare orders keys by host, as a reader looks for them.
func (k key) compare(o key) int {
	return cmp.Or(k.endpoint.compare(o.endpoint), cmp.Compare(k.path, o.path), cmp.Compare(k.method, o.method), cmp.Compare(k.service, o.service), cmp.Compare(k.via, o.via))
}

func (e endpoint) compare(o endpoint) int {
	return cmp.Or(cmp.Compare(e.host, o.host), cmp.Compare(e.scheme, o.scheme), cmp.Compare(e.port, o.port))
}

// networks returns the addresses of e that a rule must name.
func (l *Learner) networks(e endpoint) []netip.Prefix {
	var out []netip.Prefix
	for addr := range l.addresses[e] {
		out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
	}
	if addr, err := netip.ParseAddr(e.host); err == nil && !isPublic(addr) {
		out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
	}
	return sortedNetworks(out)
}

func sortedNetworks(ps []netip.Prefix) []netip.Prefix {
	ps = slices.Clone(ps)
	slices.SortFunc(ps, netip.Prefix.Compare)
	return slices.Compact(ps)
}

// leftLine is something that was seen and is not learned.
type leftLine struct {
	text     string
	why      string
	requests int
	proposed []string // rules that would let it in, each with its comment
}

func (d *draft) leave(known map[string]*leftLine, k key, f *flow, v verdict) {
	text := k.line()
	line := known[text]
	if line == nil {
		line = &leftLine{text: text, why: v.why}
		known[text] = line
		d.left[v.kind] = append(d.left[v.kind], line)
	}
	line.why = min(line.why, v.why)
	line.requests += max(f.requests, 1)
}

func (d *draft) sortLeft() {
	for _, lines := range d.left {
		slices.SortFunc(lines, func(a, b *leftLine) int { return cmp.Or(cmp.Compare(a.text, b.text), cmp.Compare(a.why, b.why)) })
	}
}

// line shows k, without secrets.
func (k key) line() string {
	path, _ := mask(k.path)
	text := strings.TrimSpace(k.method + " " + k.scheme + "://" + k.authority() + path)
	if k.service != "" {
		text += "?service=" + k.service
	}
	if k.via != "" {
		via, _ := mask(k.via)
		text = k.method + " " + k.url("") + " after a redirect from " + via
	}
	return text
}
