package policy

import (
	"context"
	"slices"
)

// Combine returns a policy that asks every p and lets the strictest word win:
// deny over allow over log over default, as the lists of one file do. Where
// only defaults answer, the strictest default wins. An error of any p is an
// error of the whole, and with no p at all everything is denied.
//
// Passthrough and Networks come from the decision that won. Where several rules
// of the winning action answer, the first policy's rule is named and what the
// others permit counts too, since the order of rules never matters. An action
// that is none of the three is a denial.
func Combine(ps ...Policy) Policy {
	return combined(append([]Policy(nil), ps...))
}

type combined []Policy

// Decide implements Policy.
func (c combined) Decide(ctx context.Context, r *Request) (Decision, error) {
	if len(c) == 0 {
		return Decision{Reason: "no policy"}, nil
	}
	best := Decision{}
	bestRank := -1
	for _, p := range c {
		d, err := p.Decide(ctx, r)
		if err != nil {
			return Decision{Reason: err.Error()}, err
		}
		if d.Action > Allow {
			d.Action = Deny
		}
		switch k := rank(d); {
		case k > bestRank:
			best, bestRank = d, k
		case k == bestRank && !d.Default:
			best = join(best, d)
		}
	}
	return best, nil
}

// join adds to a what b permits.
func join(a, b Decision) Decision {
	a.Passthrough = a.Passthrough || b.Passthrough
	if len(a.Networks) == 0 {
		a.Networks = b.Networks
	} else if len(b.Networks) > 0 {
		a.Networks = slices.Concat(a.Networks, b.Networks)
	}
	return a
}

// rank orders decisions: the higher one wins.
func rank(d Decision) int {
	if !d.Default {
		switch d.Action {
		case Deny:
			return 5
		case Allow:
			return 4
		default:
			return 3
		}
	}
	switch d.Action {
	case Deny:
		return 2
	case Log:
		return 1
	default:
		return 0
	}
}
