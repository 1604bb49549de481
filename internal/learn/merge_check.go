package learn

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/juliendoutre/proxaudit/policy"
)

// verify checks that the merged policy permits whatever would be learned, and
// notes what it denies.
func (l *Learner) verify(m *Merged, d *draft, decide func(*policy.Request) policy.Decision) error {
	forbidden := map[string]string{}
	var err error
	l.each(func(k, shown key, f *flow) {
		if !l.verdict(d, k, f).learned {
			return
		}
		a := askedOf(decide, k, f)
		switch before, now := l.existing(k, f), a.standing(l.networks(k.endpoint)); {
		case now == denied:
			forbidden[shown.line()] = a.deniedBy
		case before == denied:
			forbidden[shown.line()] = f.deniedBy
		case now != permitted && before != permitted:
			err = fmt.Errorf("the merged policy would not permit %s, which it was made to", shown.line())
		}
	})
	for _, line := range slices.Sorted(maps.Keys(forbidden)) {
		m.Denied = append(m.Denied, Denied{line, forbidden[line]})
	}
	return err
}

// withLeft puts the block of what was not learned into a merged policy: what it
// permits or denies by a rule is not left to anybody.
func (l *Learner) withLeft(ruled []byte, d *draft, decide func(*policy.Request) policy.Decision) ([]byte, error) {
	d.left = [kinds][]*leftLine{kindElsewhere: d.left[kindElsewhere]}
	lines := map[string]*leftLine{}
	l.each(func(k, shown key, f *flow) {
		v := l.verdict(d, k, f)
		if v.learned || l.existing(k, f) != undecided {
			return
		}
		if a := askedOf(decide, k, f); a.standing(l.networks(k.endpoint)) == undecided {
			d.leave(lines, shown, f, v)
		}
	})
	d.sortLeft()
	block := printer{runs: d.runs}
	block.left(d)
	p, err := newPolicyText(ruled)
	if err != nil {
		return nil, err
	}
	if err := p.replaceLeft(block.String()); err != nil {
		return nil, err
	}
	return p.apply(), nil
}

// compare checks the merged policy against the one that it was made from.
func (l *Learner) compare(before *policyText, merged []byte, e *Existing) error {
	if bytes.Equal(before.data, merged) {
		return nil
	}
	if _, err := e.Load(merged); err != nil {
		return fmt.Errorf("reading the merged policy again: %w", err)
	}
	after, err := newPolicyText(merged)
	if err != nil {
		return err
	}
	return kept(before, after)
}
