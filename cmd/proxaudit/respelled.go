package main

import (
	"context"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
)

// respelled asks p, about a request that it lets pass, once more for each package
// that the request's path names to a server that reads it otherwise, and denies
// what p denies then. Without it a rule that denies a package at a host that is
// allowed would be stepped around by a second slash.
func respelled(recognizer *ecosystem.Recognizer, p policy.Policy) policy.Policy {
	return policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
		d, err := p.Decide(ctx, r)
		if err != nil || d.Action == policy.Deny {
			return d, err
		}
		for purl, registry := range recognizer.Respelled(query(r)) {
			again := *r
			again.Package, again.Registry = purl, registry
			other, err := p.Decide(ctx, &again)
			if err != nil {
				return other, err
			}
			if other.Action == policy.Deny {
				other.Reason += " (" + purl + ", in another spelling)"
				return other, nil
			}
		}
		return d, nil
	})
}
