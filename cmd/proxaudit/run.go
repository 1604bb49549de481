package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/enforce/isolate"
	"github.com/juliendoutre/proxaudit/enforce/proxy"
	"github.com/juliendoutre/proxaudit/internal/child"
	"github.com/juliendoutre/proxaudit/internal/clientenv"
	"github.com/juliendoutre/proxaudit/internal/heap"
	"github.com/juliendoutre/proxaudit/internal/report"
)

// drainGrace is how long connections may take to end once the command has: it
// and all it started are gone by then, so only our own bookkeeping is left.
const drainGrace = 2 * time.Second

// session is one run and everything it holds. Each part is in place before the
// command starts.
type session struct {
	options
	mode    enforce.Mode
	console console

	loader   *policyLoader
	policies livePolicies
	log      *enforce.Log
	learning *learning
	summary  *report.Summary
	trust    clientenv.Trust
	certs    map[string]*tls.Certificate // for servers, by host:port
	jail     isolate.Jail
	netns    *isolate.Netns // the jail, when it is one of namespaces
	proxy    *proxy.Proxy
	running  atomic.Pointer[proxy.Proxy] // for what happens besides connections
	served   chan error
	code     int // of the command

	published []net.Listener
	sockets   hiddenSockets
}

// wrap runs audit, learn or enforce.
func wrap(verb string, args []string, con console) (int, error) {
	o, err := parse(verb, args)
	if errors.Is(err, errHelp) {
		return show(con.out, helpText([]string{verb})), nil
	}
	if err != nil {
		return 0, err
	}
	if len(o.from) > 0 || o.learnsFromLockfiles() {
		return learnFrom(o, con)
	}
	if len(o.command) == 0 && !o.server {
		if o.command, err = readCommand(con.in); err != nil {
			return 0, err
		}
	}
	heap.Bound()
	s := &session{options: *o, mode: modeOf(verb), console: con}
	defer s.close()
	if err := s.prepare(); err != nil {
		return 0, err
	}
	if s.server {
		err = s.serve()
	} else {
		err = s.runCommand()
	}
	return s.finish(err)
}

func modeOf(verb string) enforce.Mode {
	switch verb {
	case "audit":
		return enforce.Audit
	case "learn":
		return enforce.Learn
	default:
		return enforce.Enforce
	}
}

// finish stops the proxy, so that every event is recorded, writes what the run
// was for, and turns it all into an exit code. err is why the run failed.
func (s *session) finish(err error) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), drainGrace)
	defer cancel()
	s.proxy.Shutdown(ctx)
	if start := (*child.StartError)(nil); errors.As(err, &start) {
		return 0, err // the command did not run: there is nothing to report
	}
	drift := false
	if s.learning != nil {
		var lerr error
		drift, lerr = s.learning.write(s.console, err != nil || s.code != 0)
		err = errors.Join(err, lerr)
	}
	s.summary.CommandFailed = s.code != 0
	_, _ = s.summary.WriteTo(s.console.err)
	s.sayPolicies()
	s.saySockets()
	err = errors.Join(err, s.closeLog())
	switch {
	case err != nil:
		return 0, err
	case s.code == 0 && (drift || s.failOnDeny && s.summary.Blocked() > 0):
		return exitDenied, nil
	default:
		return s.code, nil
	}
}

// closeLog ends the recording and says how it can be known again. What a server
// records may be rotated meanwhile; what a command's run records, nobody else
// changes.
func (s *session) closeLog() error {
	if s.log == nil {
		return nil
	}
	var digest string
	var changed error
	if !s.server {
		digest, changed = s.log.Verify()
	}
	if err := s.log.Close(); err != nil {
		return fail("what is in the file is incomplete; nothing that could not be recorded was let through", fmt.Errorf("recording events: %w", err))
	}
	if changed != nil {
		return fail("it is no evidence of the run, only the summary is; name a file with -output that the command leaves alone", fmt.Errorf("recording events: %w", changed))
	}
	if digest != "" {
		say(s.console.err, "events", s.output+" sha256:"+digest)
	}
	return nil
}

// close releases what is left. The jail comes last: the kernel takes its
// namespaces apart meanwhile.
func (s *session) close() {
	for _, l := range s.published {
		_ = l.Close()
	}
	_ = s.trust.Remove()
	if s.jail != nil {
		_ = s.jail.Close()
	}
}
