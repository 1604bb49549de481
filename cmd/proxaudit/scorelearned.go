package main

import (
	"cmp"
	"context"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// maxScoredSize is how large a policy may be, in bytes, to be scored without being
// asked to. It is read twice and asked about thousands of requests, some tenths of a
// second at this size: nobody waits seconds for a line.
const maxScoredSize = 1 << 20

// sayScore tells who learned a policy, in a line or two, what it would let
// through. Path is where it goes, "" for standard output.
func sayScore(path string, text []byte, con console) {
	verb := "proxaudit score -policy " + cmp.Or(path, "policy.yaml")
	if len(text) > maxScoredSize {
		say(con.err, "score", "the policy is large: "+verb)
		return
	}
	yaml, err := allowlist.Parse(cmp.Or(path, "policy.yaml"), text)
	if err != nil {
		say(con.err, "warning", "the policy cannot be scored: "+err.Error())
		return
	}
	recognizer, err := ecosystem.New(yaml.Registries())
	if err != nil {
		say(con.err, "warning", "the policy cannot be scored: "+err.Error())
		return
	}
	read := readings{{cmp.Or(path, "policy.yaml"), yaml.Hash(), yaml}}
	s := scorePolicies(context.Background(), &policies{policy: yaml, recognizer: recognizer, read: read}, read, nil)
	line := s.figure()
	if r := s.Rules; s.attacks().Permitted+len(r.SingleSightings)+len(r.Reviews)+len(r.Writes)+len(r.Breadth) > 0 {
		line += "\nwhich ones: " + verb
	}
	say(con.err, "score", line)
}
