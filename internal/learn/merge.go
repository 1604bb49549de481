package learn

import (
	"fmt"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// Existing is the text of the policy that is Options.Existing, and what its reader
// knows.
type Existing struct {
	// Source is its text, without mistakes.
	Source []byte
	// Registries are those it names, in canonical form, by ecosystem.
	Registries map[string][]string
	// KnowsHost reports whether it forwards anything to a host.
	KnowsHost func(host string) bool
	// Partial is true of runs that broke off: what they did not reach may still be
	// needed, and no rule is marked as no longer seen.
	Partial bool
	// Load reads a merged policy as enforce would, and returns how it decides, as
	// Base.Decide does.
	Load func([]byte) (func(*policy.Request) policy.Decision, error)
}

// Merged is a policy with what was learned in it, and what is new.
type Merged struct {
	Policy []byte
	// Requests are distinct, and no rule says anything of them; NotLearned are
	// those of them for which no rule was added either. Those that the policy's
	// block of what was not learned lists already are left out: a reviewer saw them.
	Requests, NotLearned int
	// Locked are rules that were added for what lockfiles name.
	Locked int
	// Hosts and Packages are what of them the policy did not know.
	Hosts, Packages int
	// Unseen and Again are learned rules that are marked now, or no longer.
	Unseen, Again int
	// Denied are the requests that would have been learned, were there no rule of
	// the policy that denies them.
	Denied []Denied
}

// Denied is a request, without secrets, and the rule that denies it.
type Denied struct{ Request, Rule string }

// Drift reports whether anything was recorded, or is named by a lockfile, that the
// policy has no word about.
// A rule that was merely not seen is none: not every run does everything.
func (m *Merged) Drift() bool { return m.Requests+m.Locked > 0 }

// Mergeable returns what keeps anything from being merged into a policy that has
// no mistakes, whatever is learned.
func Mergeable(source []byte) error {
	p, err := newPolicyText(source)
	if err == nil {
		_, _, err = p.leftBlock()
	}
	return err
}

// Merge adds what was recorded to a policy, which keeps all that is in it, to the
// byte: rules for what no rule of it decides, and the registries that packages
// were read from. Learned rules that were not seen are marked, and those that were
// are no longer; the block of what was not learned is replaced. What comes out is
// read again and compared: it is an error when it does not permit what it was made
// for, or lacks anything of e. Merging the same recording again changes nothing.
func (l *Learner) Merge(e Existing) (*Merged, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.overflow {
		return nil, l.tooMuch()
	}
	d, err := l.draft()
	if err != nil {
		return nil, fmt.Errorf("learning a policy: %w", err)
	}
	before, err := newPolicyText(e.Source)
	if err != nil {
		return nil, err
	}
	m := new(Merged)
	l.count(m, d, before.leftLines(), e.KnowsHost)
	m.Packages, m.Locked = len(d.packages), d.locked()
	if err := before.addRegistries(d, e.Registries); err != nil {
		return nil, err
	}
	if err := before.addRules(d.entries()); err != nil {
		return nil, err
	}
	decide, err := e.Load(before.apply())
	if err != nil {
		return nil, fmt.Errorf("reading the merged policy again: %w", err)
	}
	if err := l.verify(m, d, decide); err != nil {
		return nil, err
	}
	l.mark(before, m, decide, e.Partial)
	ruled := before.apply()
	if m.Policy, err = l.withLeft(ruled, d, decide); err != nil {
		return nil, err
	}
	if len(m.Policy) > l.maxPolicy {
		return nil, l.tooMuch()
	}
	return m, l.compare(before, m.Policy, &e)
}

// mark marks the rules that are no longer seen. A rule for a package may match by
// a registry that was added just now.
func (l *Learner) mark(p *policyText, m *Merged, decide func(*policy.Request) policy.Decision, partial bool) {
	l.each(func(k, _ key, f *flow) {
		if f.requests > 0 {
			r := f.request(k)
			decide(r)
			l.usage.add(l.options.Existing, r, f.first)
		}
	})
	marks := marking{traffic: l.last != 0 && !partial, today: l.last}
	for _, f := range l.options.Lockfiles {
		marks.lockfiles = append(marks.lockfiles, f.Name)
	}
	if l.last == 0 {
		marks.today = dayOf(time.Now()) // lockfiles have no day
	}
	for _, name := range []string{"allow", "log"} {
		_, list := field(p.root, name)
		unseen, again := p.mark(p.learned(list), &l.usage, &marks)
		m.Unseen += unseen
		m.Again += again
	}
}

// count says how much is new.
func (l *Learner) count(m *Merged, d *draft, listed map[string]bool, knows func(string) bool) {
	hosts := map[string]bool{}
	l.each(func(k, shown key, f *flow) {
		if f.requests == 0 || k.scheme == "udp" || l.existing(k, f) != undecided {
			return // UDP passes by no rule, and its clients do without
		}
		if !l.verdict(d, k, f).learned {
			if listed[leftText(shown.line())] {
				return
			}
			m.NotLearned++
		}
		m.Requests++
		if !knows(k.host) {
			hosts[k.host] = true
		}
	})
	m.Hosts = len(hosts)
}
