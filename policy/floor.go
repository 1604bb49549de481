package policy

import (
	"cmp"
	"context"
	"net/netip"
)

// Floor returns a policy that lets p narrow what floor allows, and nothing more:
// what floor denies stays denied, and what floor does not allow, p cannot allow.
// Both must allow or log; where one of them says log, the answer is log. What may
// pass unread must be so to both, and an address that is not public must be in
// the networks of both.
//
// A denial of floor is final and names floor's rule or, where none matched,
// name. An error of either is an error of the whole.
func Floor(name string, floor, p Policy) Policy {
	return Func(func(ctx context.Context, r *Request) (Decision, error) {
		f, err := floor.Decide(ctx, r)
		if err != nil {
			return Decision{Rule: cmp.Or(f.Rule, name), Reason: err.Error(), Final: true}, err
		}
		if f.Action != Allow && f.Action != Log {
			return Decision{Rule: cmp.Or(f.Rule, name), Reason: "the floor denies it: " + cmp.Or(f.Reason, "no reason is given"), Final: true}, nil
		}
		d, err := p.Decide(ctx, r)
		if err != nil {
			return Decision{Rule: d.Rule, Reason: err.Error()}, err
		}
		if d.Action != Allow && d.Action != Log {
			return d, nil
		}
		if f.Action < d.Action {
			d.Action, d.Rule, d.Reason, d.Default = f.Action, f.Rule, f.Reason, f.Default
		}
		d.Passthrough = d.Passthrough && f.Passthrough
		d.Networks = intersect(d.Networks, f.Networks)
		return d, nil
	})
}

// intersect returns the networks that are in both lists.
func intersect(a, b []netip.Prefix) []netip.Prefix {
	var both []netip.Prefix
	for _, x := range a {
		for _, y := range b {
			switch {
			case !x.Overlaps(y):
			case x.Bits() >= y.Bits():
				both = append(both, x)
			default:
				both = append(both, y)
			}
		}
	}
	return both
}
