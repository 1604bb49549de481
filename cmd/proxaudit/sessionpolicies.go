package main

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"

	"go.uber.org/zap"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/bundle"
	"github.com/juliendoutre/proxaudit/internal/clientenv"
	"github.com/juliendoutre/proxaudit/policy"
)

// readPolicies reads the policies, those from servers by the way that this
// program reaches servers.
func (s *session) readPolicies(roots func() *x509.CertPool) error {
	var err error
	s.loader, err = newPolicyLoader(s.policySources, s.printed(), newRemotes(func() *http.Client {
		self := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(s.port)))
		return bundle.NewClient(roots(), clientenv.OuterProxy(os.Environ(), self))
	}, func(text string) { say(s.console.err, "warning", text) }))
	if err != nil {
		return err
	}
	p, err := s.loader.load(context.Background())
	if err != nil {
		return err
	}
	for _, w := range p.warnings {
		say(s.console.err, "warning", w)
	}
	s.policies.current.Store(p)
	return nil
}

// decider is what the gate asks: of a wrapped command the policies as they were
// read, once and for all.
func (s *session) decider() policy.Policy {
	if s.server {
		return &s.policies
	}
	return s.policies.current.Load()
}

// printed is where what a policy prints goes: to the diagnostics.
func (s *session) printed() io.Writer {
	if !s.verbose {
		return nil
	}
	return zap.NewStdLog(s.diagnostics()).Writer()
}

// changed tells the person who watches the server, and the log.
func (s *session) changed(c change) {
	ev := enforce.Event{Stage: enforce.StagePolicy}
	d := policy.Decision{Action: policy.Log, Policy: c.inForce.hash, Reason: "the policy changed and is in force"}
	if c.err != nil {
		ev.Error = enforce.RedactText(c.err.Error())
		d.Reason = "the policy changed and cannot be used; the one before it stays in force"
		say(s.console.err, "warning", d.Reason+": "+c.inForce.hash+"\n"+c.err.Error())
	} else {
		say(s.console.err, "policy", d.Reason+": "+c.inForce.hash)
	}
	s.proxy.Note(ev, d)
}

// sayPolicies says what was asked, and by which digest events call it.
func (s *session) sayPolicies() {
	p := s.policies.current.Load()
	if !s.verbose || p.hash == "" {
		return
	}
	for _, one := range p.read {
		say(s.console.err, "policy", one.hash+"  "+one.source)
	}
	if len(p.read) > 1 {
		say(s.console.err, "policy", p.hash+"  all of them")
	}
}
