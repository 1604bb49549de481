package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"go.uber.org/zap"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/enforce/isolate"
	"github.com/juliendoutre/proxaudit/enforce/proxy"
	"github.com/juliendoutre/proxaudit/internal/ca"
	"github.com/juliendoutre/proxaudit/internal/clientenv"
	"github.com/juliendoutre/proxaudit/internal/learn"
	"github.com/juliendoutre/proxaudit/internal/report"
)

// prepare puts everything in place that the command must not start without. The
// files are read while the jail is made, which takes longer, and once it has what
// it waits for: the certificate.
func (s *session) prepare() error {
	getAuthority := sync.OnceValues(s.authority)
	var roots func() *x509.CertPool
	read := sync.OnceValue(func() error {
		a, err := getAuthority()
		if err == nil {
			roots, err = s.readFiles(a.CertificatePEM())
		}
		return err
	})
	var err error
	s.jail, err = s.isolate(func() (*ca.Authority, error) {
		a, err := getAuthority()
		go func() { _ = read() }() // waited for below
		return a, err
	})
	if err := cmp.Or(read(), err); err != nil {
		return err
	}
	authority, err := getAuthority()
	if err != nil {
		return err
	}
	if err := s.publishPorts(); err != nil {
		return err
	}
	s.startProxy(authority, roots)
	return nil
}

// readFiles reads the policies, opens the log and writes what the command
// trusts. It returns what verifies the servers outside.
func (s *session) readFiles(authority []byte) (func() *x509.CertPool, error) {
	roots := clientenv.ReadRoots(os.Environ())
	for _, w := range roots.Warnings {
		say(s.console.err, "warning", w.Error())
	}
	upstream, err := upstreamRoots(roots.Pool, s.upstreamCA)
	if err != nil {
		return nil, err
	}
	if err := s.readPolicies(upstream); err != nil {
		return nil, err
	}
	if s.mode == enforce.Learn {
		if s.learning, err = s.learner(learn.Options{Command: s.command}); err != nil {
			return nil, err
		}
	}
	if s.output != "" {
		if s.log, err = createLog(s.output); err != nil {
			return nil, fail("events go to the file named by -output; free some space or name another", err)
		}
		if uid, gid, ok := sudoCaller(filepath.Dir(s.output)); ok {
			s.log.GiveTo(uid, gid)
		}
	} else if s.server {
		s.log = enforce.NewLog(s.console.out)
	}
	if s.trust, err = roots.Write(os.Environ(), authority); err != nil {
		return nil, err
	}
	if s.certs, err = clientCertificates(s.clientCerts); err != nil {
		return nil, err
	}
	return upstream, nil
}

// authority is a fresh one, unless the user names theirs.
func (s *session) authority() (*ca.Authority, error) {
	cert, key := s.caCert, s.caKey
	if s.mkcert {
		var err error
		if cert, key, err = ca.MkcertFiles(); err != nil {
			return nil, fail("mkcert -install makes one", err)
		}
	}
	if cert == "" {
		return ca.New()
	}
	return ca.Load(cert, key)
}

// startProxy wires the gate to its recorders and serves the jail's listener.
func (s *session) startProxy(authority *ca.Authority, roots func() *x509.CertPool) {
	policies := s.policies.current.Load()
	s.summary = &report.Summary{Mode: s.mode, Isolation: s.jail.Name(), Advisory: s.jail.Advisory(), Weaknesses: s.weaknesses(), PolicyName: policies.edit}
	recorders := []enforce.Recorder{s.summary}
	if s.learning != nil {
		recorders = append(recorders, s.learning.Learner)
	}
	if s.log != nil {
		recorders = append(recorders, s.log)
	}
	capture, attribute := captureOf(s.jail)
	log := s.diagnostics()
	zap.RedirectStdLog(log) // where net/http quotes what a server sent unasked
	s.proxy = proxy.New(proxy.Config{
		Gate:               &enforce.Gate{Mode: s.mode, Policy: s.decider(), Recorder: enforce.Tee(recorders...), Propose: s.policies.propose},
		Leaf:               authority.Leaf,
		Identify:           s.policies.identify,
		Capture:            capture,
		Attribute:          attribute,
		Roots:              roots,
		ClientCertificates: s.certs,
		Limits:             s.limits,
		OuterProxy:         clientenv.OuterProxy(os.Environ(), s.jail.Listener().Addr().String()),
		Isolation:          s.isolationName(),
		PolicyName:         policies.edit,
		Evidence:           s.log != nil,
		LogHeader:          s.logHeader,
		LogBody:            s.logBody,
		Log:                log,
	})
	s.running.Store(s.proxy)
	s.served = make(chan error, 1)
	go func() { s.served <- s.proxy.Serve(s.jail.Listener()) }()
}

// diagnostics is where the proxy's own troubles go: nowhere, unless asked for.
func (s *session) diagnostics() *zap.Logger {
	if !s.verbose {
		return zap.NewNop()
	}
	c := zap.NewDevelopmentConfig()
	c.DisableStacktrace = true
	log, err := c.Build()
	if err != nil {
		return zap.NewNop()
	}
	return log
}

// runCommand runs the command in the jail. Its exit code is kept in s.code.
func (s *session) runCommand() error {
	c := isolate.Command{
		Argv:   s.command,
		Env:    s.environ(),
		Stdin:  s.console.in,
		Stdout: s.console.out,
		Stderr: s.console.err,
	}
	if s.mode == enforce.Learn && s.learned == "" {
		c.Stdout = s.console.err // the policy alone goes to standard output
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		// The command must not outlive the proxy that watches it.
		if err := <-s.served; err != nil {
			cancel(fmt.Errorf("the proxy stopped: %w", err))
		}
	}()
	code, err := s.jail.Run(ctx, c)
	s.code = code
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// environ is the command's environment, without the tokens that are for this
// program. A confined command needs no proxy
// variables, and behaves more as it would without proxaudit when it has none.
func (s *session) environ() []string {
	outer := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, policyTokenVar+"=") || strings.HasPrefix(v, floorTokenVar+"=")
	})
	if s.netns != nil {
		return clientenv.Environ(outer, "", s.trust)
	}
	return clientenv.Environ(outer, s.jail.ProxyURL(), s.trust)
}

// serve runs the proxy alone, until a signal.
func (s *session) serve() error {
	// Whoever reads that it listens may send the signal at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	say(s.console.err, "listening", s.jail.ProxyURL())
	say(s.console.err, "trust", s.trust.Bundle)
	if len(s.all())+len(s.lockfiles) > 0 {
		go s.policies.watch(ctx, s.loader, serverPace(), s.changed)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.served:
		return errors.Join(errors.New("the proxy stopped"), err)
	}
}
