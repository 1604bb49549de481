package learn

import (
	"fmt"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
)

// foldAt is how many paths of one family are kept as they are. Of more, nobody
// reads one by one.
const foldAt = 1000

// folded stands for more than foldAt reads whose paths differ in nothing but the
// values of typed parts, or of what looked like secrets. Whether a family is
// folded does not depend on the order of events, for all of that size are, at
// the latest when a policy is written.
type folded struct {
	flow
	kin
	least string // of its paths, unmasked
}

func (f *folded) add(path string, s skeleton) {
	f.kin.add(path, s)
	if f.least == "" || path < f.least {
		f.least = path
	}
}

// note says how many paths the pattern stands for.
func (f *folded) note() string { return fmt.Sprintf("over %d paths", foldAt) }

// fold folds what can be, save on hosts of source code, where nothing is
// generalised. It reports whether that made much room.
func (l *Learner) fold(code codeHosts) bool {
	families := map[key][]key{}
	for k := range l.flows {
		if family, _, ok := l.family(k); ok && !code[k.endpoint] {
			families[family] = append(families[family], k)
		}
	}
	before := len(l.flows)
	for family, members := range families {
		if len(members) <= foldAt && l.folded[family] == nil {
			continue
		}
		into := l.folded[family]
		if into == nil {
			into = new(folded)
			l.folded[family] = into
			l.keyBytes += family.size()
		}
		for _, k := range members {
			_, s, _ := l.family(k)
			into.add(k.path, s)
			into.flow.join(l.flows[k])
			delete(l.flows, k)
			l.keyBytes -= k.size()
		}
	}
	if len(l.folded) > 0 {
		l.foldRedirects()
	}
	return before-len(l.flows) > before/4
}

// family returns the key of k's family, in which the path is a skeleton. There is
// none for what stays as it is: writes, packages, hosts of source code.
func (l *Learner) family(k key) (key, skeleton, bool) {
	if !isRead(k.method) || k.service != "" || unwritable(k) != "" || l.lists.tenants.isCode(k.host) {
		return key{}, skeleton{}, false
	}
	path, masked := mask(k.path)
	s := skeletonOf(path, l.lists.tenants.of(k.host))
	if !masked && len(s.values) == 0 {
		return key{}, skeleton{}, false
	}
	if _, ok := ecosystem.Guess(k.query(new(flow))); ok {
		return key{}, skeleton{}, false
	}
	k.path = s.text
	return k, s, true
}

// foldedSightings returns what was folded as far as it is learned.
func (l *Learner) foldedSightings(d *draft, code codeHosts, left map[string]*leftLine) ([]sighting, error) {
	var seen []sighting
	for k, f := range l.folded {
		k.path = f.least
		if code[k.endpoint] {
			return nil, l.tooMuch()
		}
		if l.existing(k, &f.flow) != undecided {
			continue
		}
		v := l.judge(k, &f.flow)
		if !v.learned {
			k.path = f.pattern()
			d.leave(left, k, &f.flow, v)
			continue
		}
		seen = append(seen, sighting{key: k, flow: &f.flow, verdict: v, folded: f})
		d.requests += f.requests
	}
	return seen, nil
}
