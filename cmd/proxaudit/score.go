package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"

	"github.com/juliendoutre/proxaudit/internal/attack"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// score says how much of what attackers asked for a policy would let through, and
// what in it deserves a reviewer. Nothing is sent.
func score(args []string, con console) int {
	var format string
	a, err := parseAbout("score", args, func(f *flag.FlagSet) { f.StringVar(&format, "format", "text", "") })
	if err != nil {
		return misused("score", err, con)
	}
	a.policies = append(a.policies, a.words...)
	if format != "text" && format != "json" {
		return misused("score", fail("write text or json", fmt.Errorf("unknown format %q", format)), con)
	}
	l, err := a.loader("score", con)
	if err != nil {
		return misused("score", err, con)
	}
	if i, twice := repeated(a.policies); twice {
		return misused("score", fail("name each policy once", errors.New(a.policies[i]+" is given twice")), con)
	}
	p, err := l.load(context.Background())
	if err != nil {
		return misused("score", err, con)
	}
	s := scorePolicies(context.Background(), p, p.read[:len(l.policies)+len(l.lockfiles)], l.registries)
	if err := s.write(con.out, format); err != nil {
		return unwritten(err, con)
	}
	if s.attacks().Permitted > 0 {
		return exitFindings
	}
	return exitOK
}

// scored is what was counted about policies.
type scored struct {
	Policies  []string `json:"policies"`
	Corpus    tallies  `json:"corpus"`
	Mutations tallies  `json:"mutations"`
	// Permitted are the requests that pass, and the rule by which each does.
	Permitted []passed `json:"permitted"`
	// Unseen are incidents of which the network shows nothing.
	Unseen []attack.Request `json:"unseen"`
	// HostOnly is what an allowlist of the same hosts and ports would permit, nil
	// where the hosts are not known.
	HostOnly *tallies `json:"host_only"`
	// Rules is nil where no policy lists its rules.
	Rules *ruleCounts `json:"rules"`
	// Unknown are the policies whose rules cannot be listed.
	Unknown []string `json:"unknown"`
}

// passed is one request that a policy permits.
type passed struct {
	attack.Request
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// tally is how many requests there were and how many are permitted.
type tally struct {
	Asked     int `json:"asked"`
	Permitted int `json:"permitted"`
}

// tallies has one for each class.
type tallies struct {
	A tally `json:"a"`
	B tally `json:"b"`
	C tally `json:"c"`
}

func (t *tallies) add(c attack.Class, permitted bool) {
	one := &t.C
	switch c {
	case attack.Unknown:
		one = &t.A
	case attack.Misuse:
		one = &t.B
	}
	one.Asked++
	if permitted {
		one.Permitted++
	}
}

// attacks is what a policy is there to refuse: classes a and b.
func (t *tallies) attacks() tally {
	return tally{t.A.Asked + t.B.Asked, t.A.Permitted + t.B.Permitted}
}

func (s *scored) attacks() tally {
	c, m := s.Corpus.attacks(), s.Mutations.attacks()
	return tally{c.Asked + m.Asked, c.Permitted + m.Permitted}
}

// scorePolicies asks p about every request. Read are the sources of p that say
// what is permitted, for floors only narrow it; registries are known besides those
// that they name.
func scorePolicies(ctx context.Context, p *policies, read readings, registries map[string][]string) *scored {
	s := &scored{Permitted: []passed{}, Unseen: []attack.Request{}, Unknown: []string{}}
	var facts []allowlist.Fact
	scope := attack.Scope{Registries: map[string][]string{}}
	known := func(registries map[string][]string) {
		for typ, urls := range registries {
			for _, url := range urls {
				if !slices.Contains(scope.Registries[typ], url) {
					scope.Registries[typ] = append(scope.Registries[typ], url)
				}
			}
		}
	}
	known(registries)
	open := false
	for _, one := range read {
		s.Policies = append(s.Policies, one.source)
		yaml, ok := one.policy.(*allowlist.Policy)
		if !ok {
			s.Unknown = append(s.Unknown, one.source)
			continue
		}
		facts = append(facts, yaml.Facts()...)
		open = open || yaml.Default() != policy.Deny
		known(yaml.Registries())
	}
	for _, f := range facts {
		if f.Action != policy.Deny {
			scope.Rules = append(scope.Rules, attackRule(f))
		}
	}
	asker := attacker{policies: p, disguises: disguises(facts)}
	var hosts *hostOnly
	if len(s.Unknown) == 0 {
		hosts, s.HostOnly = newHostOnly(facts, scope.Registries, open), &tallies{}
	}
	if len(s.Unknown) < len(read) {
		s.Rules = countRules(facts, open)
	}
	s.ask(ctx, &asker, hosts, attack.Corpus(scope), &s.Corpus)
	s.ask(ctx, &asker, hosts, attack.Mutations(scope), &s.Mutations)
	return s
}

func attackRule(f allowlist.Fact) attack.Rule {
	return attack.Rule{
		Name: f.Rule, Package: f.Package, Host: f.Host, Schemes: f.Schemes, Methods: f.Methods,
		Ports: f.Ports, Paths: f.Paths, Passthrough: f.Passthrough,
	}
}

func (s *scored) ask(ctx context.Context, a *attacker, hosts *hostOnly, requests []attack.Request, t *tallies) {
	for _, r := range requests {
		switch {
		case r.URL == "":
			s.Unseen = append(s.Unseen, r)
			continue
		case r.Wire != nil:
			continue // there is no question to a policy in it
		}
		d := a.ask(ctx, r)
		t.add(r.Class, d.Action != policy.Deny)
		if hosts != nil {
			s.HostOnly.add(r.Class, hosts.permits(r.URL))
		}
		if d.Action != policy.Deny {
			s.Permitted = append(s.Permitted, passed{r, d.Rule, d.Reason})
		}
	}
}

// permittedAttacks are those of classes a and b.
func (s *scored) permittedAttacks() []passed {
	return slices.DeleteFunc(slices.Clone(s.Permitted), func(p passed) bool { return p.Class == attack.Unseen })
}
