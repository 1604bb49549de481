package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/replay"
	"github.com/juliendoutre/proxaudit/internal/report"
	"github.com/juliendoutre/proxaudit/policy"
)

// trial is a run of `proxaudit test`.
type trial struct {
	*aboutPolicies
	logs, against list
	con           console
	policies      *policies
	before        *policies // -against

	format string
	testReport
	replayed, own int
	malformed     int
	passed        int
	failed        int
}

// maxMalformed bounds how many lines that are none are shown.
const maxMalformed = 20

// test replays recorded requests against policies, and runs what is kept beside
// them to test them.
func test(args []string, con console) int {
	t := &trial{con: con, testReport: testReport{Malformed: []malformedPart{}, Failures: []failedTest{}}}
	var err error
	t.aboutPolicies, err = parseAbout("test", args, func(f *flag.FlagSet) {
		f.Var(&t.logs, "log", "")
		f.Var(&t.against, "against", "")
		f.StringVar(&t.format, "format", "text", "")
	})
	if err == nil && t.format != "text" && t.format != "json" {
		err = fail("write text or json", fmt.Errorf("unknown format %q", t.format))
	}
	if err == nil {
		err = t.run(context.Background())
	}
	if err != nil {
		return misused("test", err, con)
	}
	if err := t.write(con.out); err != nil {
		return unwritten(err, con)
	}
	say(con.err, "test", t.summary())
	if t.different.Count()+t.malformed+t.failed > 0 {
		return exitFindings
	}
	return exitOK
}

func (t *trial) run(ctx context.Context) error {
	l, err := t.loader("test", t.con)
	switch {
	case err != nil:
		return err
	case len(t.words) > 0:
		return fail("name it behind -policy, -log or -against", fmt.Errorf("what is %q?", t.words[0]))
	case len(t.against) > 0 && len(t.logs) == 0:
		return fail("name what to ask both about: -log events.jsonl", errors.New("-against compares two policies by a log"))
	}
	if t.policies, err = l.load(ctx); err != nil {
		return err
	}
	t.different.PolicyName = t.policies.edit
	if len(t.against) > 0 {
		other := *l
		other.policySources.policies = t.against
		if t.before, err = other.load(ctx); err != nil {
			return err
		}
	}
	if err := t.beside(ctx, l); err != nil {
		return err
	}
	for _, path := range t.logs {
		if err := t.replay(ctx, path); err != nil {
			return err
		}
	}
	if len(t.logs) == 0 && t.passed+t.failed == 0 {
		return fail("give a recording with -log, or keep "+besideYAML(slices.Concat(t.policySources.policies, list{"policy.yaml"})[0])+" beside the policy", errors.New("nothing to test"))
	}
	return nil
}

// replay asks about what is in one log. A log without a request is an error:
// whoever gave it meant something to be tested.
func (t *trial) replay(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fail("proxaudit -output events.jsonl -- COMMAND records one", fmt.Errorf("reading the log: %w", err))
	}
	defer f.Close()
	read, part := replay.Events, func(m *malformedPart) *int { return &m.Line }
	if strings.HasSuffix(strings.ToLower(path), ".har") {
		read, part = replay.HAR, func(m *malformedPart) *int { return &m.Entry }
	}
	before := t.replayed
	err = read(io.Reader(f), replay.Handler{
		Request: func(r replay.Recorded) { t.ask(ctx, r) },
		Malformed: func(place int, err error) {
			if t.malformed++; t.malformed <= maxMalformed {
				m := malformedPart{File: path, Message: enforce.RedactText(err.Error())}
				*part(&m) = place
				t.Malformed = append(t.Malformed, m)
			}
		},
	})
	if err != nil {
		return fail("-log takes events as -output writes them, or an HTTP archive whose name ends in .har", fmt.Errorf("%s: %w", path, err))
	}
	if t.replayed == before {
		return fail("record a run with -output, or look at what the log holds", fmt.Errorf("%s: no request to ask a policy about is in there", path))
	}
	return nil
}

// ask asks about one request and notes what is decided otherwise.
func (t *trial) ask(ctx context.Context, r replay.Recorded) {
	if r.Own != "" {
		t.own++
		return
	}
	t.replayed++
	now := t.policies.ask(ctx, r.Request)
	was := r.Action
	same := (was == policy.Deny) == (now.Action == policy.Deny)
	if t.before != nil {
		was = t.before.ask(ctx, r.Request).Action
		same = was == now.Action
	}
	if same {
		return
	}
	// The package is that of the policy's registries, as it is in a run.
	r.Request.Package, r.Request.Registry = t.policies.identify(r.Request)
	one := report.Difference{
		Request: requestLine(r.Request), Was: was, Now: now.Action, Rule: now.Rule, Reason: now.Reason,
	}
	if now.Action == policy.Deny && !now.Final {
		one.Allow = enforce.RedactURL(t.policies.propose(r.Request))
	}
	t.different.Add(one)
}

// requestLine shows a request, without secrets.
func requestLine(r *policy.Request) string {
	return enforce.RedactURL(strings.TrimSpace(r.Method + " " + r.URL()))
}

// ask is what a gate asks, and what it makes of the answer: an error denies, and
// so does an answer that lets a connection pass only if it is read, where it is
// not.
func (p *policies) ask(ctx context.Context, r *policy.Request) policy.Decision {
	again := *r
	if again.Registry == "" {
		again.Package, again.Registry = p.identify(r)
	}
	d, err := p.Decide(ctx, &again)
	switch {
	case err != nil:
		return policy.Decision{Rule: d.Rule, Reason: "the policy failed: " + err.Error(), Final: true}
	case d.Action != policy.Deny && !d.Passthrough && r.Method == "CONNECT":
		d.Action, d.Reason = policy.Deny, "not undecrypted: each request in it is decided by itself"
	case d.Action != policy.Deny && !d.Passthrough && r.Scheme == "tcp":
		d.Action, d.Reason = policy.Deny, "raw TCP passes only by a word of its own"
	}
	return d
}

func (t *trial) summary() string {
	var parts []string
	if len(t.logs) > 0 {
		parts = append(parts, fmt.Sprintf("%d requests asked about, %d decided otherwise", t.replayed, t.different.Count()))
	}
	if t.own > 0 {
		parts = append(parts, fmt.Sprintf("%d refused by proxaudit itself and not asked about", t.own))
	}
	if t.malformed > 0 {
		parts = append(parts, fmt.Sprintf("%d parts of the log are none", t.malformed))
	}
	if t.passed+t.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d tests passed, %d failed", t.passed, t.failed))
	}
	return strings.Join(parts, "; ")
}
