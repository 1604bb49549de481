package learn

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// Base is a policy that what is learned is merged into. It is safe for concurrent
// use.
type Base interface {
	// Decide answers by the policy alone. It sets the request's package and
	// registry to what the policy makes of them.
	Decide(*policy.Request) policy.Decision
	// Match calls each with the line on which a rule begins, from 1, for every rule
	// that matches a request whose package and registry are set, hidden by another
	// rule or not. Versions is true of rules for some versions of a package.
	Match(r *policy.Request, each func(line int, versions bool))
	// Hosts returns those that its rules and registries forward to, as they name
	// them: *.example.org, too.
	Hosts() []string
}

// answers is what a policy that is merged into says about the requests of a flow,
// each asked as it was made: with its query, its header and its process.
type answers struct {
	undecided bool // no rule decides one of them
	permitted bool // a rule permits one of them
	// deniedBy is the first rule, in the order of names, that denies one of them.
	deniedBy string
	// networks are those that may be dialled for all that is permitted.
	networks []netip.Prefix
}

// standing is what a policy makes of a flow.
type standing uint8

const (
	undecided standing = iota // by any rule; what a default forwards is no rule's
	permitted
	denied
)

// add takes what was decided about a request.
func (a *answers) add(d policy.Decision) {
	var one answers
	switch {
	case d.Default:
		one.undecided = true
	case d.Action == policy.Deny:
		one.deniedBy = d.Rule
	default:
		one.permitted, one.networks = true, d.Networks
	}
	a.join(&one)
}

// join takes what was answered about other requests.
func (a *answers) join(o *answers) {
	a.undecided = a.undecided || o.undecided
	if a.deniedBy == "" || o.deniedBy != "" && o.deniedBy < a.deniedBy {
		a.deniedBy = o.deniedBy
	}
	switch {
	case !o.permitted:
	case !a.permitted:
		a.permitted, a.networks = true, o.networks
	case !slices.Equal(a.networks, o.networks):
		a.networks = slices.DeleteFunc(slices.Clone(a.networks), func(n netip.Prefix) bool { return !slices.Contains(o.networks, n) })
	}
}

// standing returns what was answered about requests to addresses: one that no
// rule names is not dialled, whatever rule permits the request.
func (a *answers) standing(addresses []netip.Prefix) standing {
	switch {
	case a.undecided:
		return undecided
	case a.deniedBy != "":
		return denied
	case !a.permitted:
		return undecided
	}
	for _, addr := range addresses {
		if !slices.ContainsFunc(a.networks, func(n netip.Prefix) bool { return n.Contains(addr.Addr()) }) {
			return undecided
		}
	}
	return permitted
}

// opens reports whether ev is the first about a request, on which a policy is asked.
func opens(ev *enforce.Event) bool {
	return ev.Stage != enforce.StageResponse && (ev.Stage != enforce.StageConnect || ev.Method == passthrough)
}

// request is k as a policy is asked about it, with what only ev knows.
func (k key) request(ev *enforce.Event) *policy.Request {
	r := &policy.Request{Method: k.method, Scheme: k.scheme, Host: k.host, Port: k.port, Path: k.path}
	if ev != nil {
		_, r.Query, _ = strings.Cut(ev.URL, "?")
		r.Query, _, _ = strings.Cut(r.Query, "#")
		r.Header, r.Process = ev.RequestHeader, ev.Process
		if via, _, _ := strings.Cut(ev.Via, "?"); via != "" {
			r.Via = []string{via}
		}
	}
	return r
}

// existing returns what the policy that is merged into makes of a flow.
func (l *Learner) existing(k key, f *flow) standing {
	if l.options.Existing == nil {
		return undecided
	}
	a := f.answers
	if f.requests == 0 { // only what came of it was recorded
		a = askedOf(l.options.Existing.Decide, k, f)
	}
	return a.standing(l.networks(k.endpoint))
}

// covered notes how what the policy permits already would be written, for what it
// redirects to, and returns where itself only redirects lead.
func (l *Learner) covered(seen []sighting, code codeHosts, written writtenAs) (hops map[endpoint]bool, err error) {
	hops = map[endpoint]bool{}
	if len(seen) == 0 {
		return hops, nil
	}
	slices.SortFunc(seen, func(a, b sighting) int { return a.compare(b.key) })
	seen, redirected := apart(seen)
	for _, s := range redirected {
		hops[s.endpoint] = true
	}
	rest, err := l.packages(new(draft), seen, written)
	if err != nil {
		return nil, err
	}
	l.rules(rest, code, written)
	return hops, nil
}

// verdict is what becomes of a flow of d.
func (l *Learner) verdict(d *draft, k key, f *flow) verdict {
	if d.astray[k] {
		return astray
	}
	return l.judge(k, f)
}

// each visits every flow. One that stands for many is asked about as the least of
// them, and shown as what they have in common.
func (l *Learner) each(visit func(k, shown key, f *flow)) {
	for k, f := range l.flows {
		visit(k, k, f)
	}
	for k, f := range l.folded {
		shown := k
		k.path, shown.path = f.least, f.pattern()
		visit(k, shown, &f.flow)
	}
}

// askedOf asks about a flow as a whole.
func askedOf(decide func(*policy.Request) policy.Decision, k key, f *flow) (a answers) {
	r := f.request(k)
	a.add(decide(r))
	return a
}

// request is a flow as a policy is asked about it as a whole.
func (f *flow) request(k key) *policy.Request {
	r := k.request(nil)
	if k.via != "" {
		r.Via = []string{k.via}
	}
	if k.service != "" {
		r.Query = "service=" + k.service
	}
	if f.npm {
		r.Header = map[string][]string{"Accept": {npmAccept}}
	}
	return r
}
