package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/enforce/isolate"
	"github.com/juliendoutre/proxaudit/enforce/isolate/fakedns"
	"github.com/juliendoutre/proxaudit/enforce/isolate/icmp"
	"github.com/juliendoutre/proxaudit/enforce/proxy"
	"github.com/juliendoutre/proxaudit/internal/ca"
	"github.com/juliendoutre/proxaudit/policy"
)

// isolate makes the confinement that -isolation names. auto is the strongest;
// where that cannot be had, enforce stops, and audit and learn, which block
// nothing, go on with the environment and say so.
func (s *session) isolate(authority func() (*ca.Authority, error)) (isolate.Jail, error) {
	switch {
	case s.isolation == "env" || s.server && s.isolation == "auto":
		return s.isolateEnv(isolate.Env)
	case s.isolation == isolate.SeatbeltName && !s.server:
		return s.isolateEnv(isolate.Seatbelt)
	case s.isolation == isolate.NetnsName && !s.server, s.isolation == "auto":
	case s.isolation == isolate.NetnsName, s.isolation == isolate.SeatbeltName:
		return nil, fail("drop -isolation, or -server", errors.New("-server confines nothing"))
	default:
		return nil, fail("-isolation takes auto, netns, seatbelt (macOS) or env", fmt.Errorf("unknown isolation %q", s.isolation))
	}
	certificate := func() ([]byte, error) {
		a, err := authority()
		if err != nil {
			return nil, err
		}
		return a.CertificatePEM(), nil
	}
	n, err := isolate.NewNetns(context.Background(), isolate.NetnsOptions{
		CA: certificate, AllowSockets: s.allowSockets, UserNamespaces: s.allowUserNamespaces, Asked: s.asked, Refused: s.refused, Hidden: s.sockets.refused,
		NoNamespace: s.sockets.noNamespace,
	})
	if err == nil {
		s.netns = n
		// The thread that answers the jail's calls keeps one while it waits for the
		// next call. With none to spare the runtime takes it away, and has to find it
		// again while a process waits to be connected.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
		for _, w := range n.Warnings() {
			say(s.console.err, "warning", w)
		}
		return n, nil
	}
	if _, failed := authority(); failed != nil || s.mode == enforce.Enforce || s.isolation != "auto" || s.hole() != "" {
		return nil, err
	}
	say(s.console.err, "warning", err.Error()+"; going on without, as this blocks nothing: a program that ignores proxy variables is not seen (proxaudit doctor says more)")
	return s.isolateEnv(isolate.Env)
}

// hole returns a flag that was given and that only a confined command has a use
// for, "" for none.
func (s *session) hole() string {
	switch {
	case len(s.publish) > 0:
		return "-publish"
	case len(s.allowSockets) > 0:
		return "-allow-socket"
	case s.allowUserNamespaces:
		return "-allow-user-namespaces"
	default:
		return ""
	}
}

// isolationName is the confinement as events name it: with the flags that open it.
func (s *session) isolationName() string {
	name := s.jail.Name()
	if s.allowUserNamespaces {
		name += " -allow-user-namespaces"
	}
	for _, path := range s.allowSockets {
		name += " -allow-socket " + argument(path)
	}
	return name
}

// weaknesses say what the same flags mean.
func (s *session) weaknesses() []string {
	var all []string
	if s.allowUserNamespaces {
		all = append(all, "-allow-user-namespaces: the command can be root of namespaces of its own, which shows it more of the kernel to attack")
	}
	for _, path := range s.allowSockets {
		all = append(all, "-allow-socket "+argument(path)+": what serves it acts outside, around the proxy")
	}
	return all
}

// isolateEnv makes a jail in which the command reaches the proxy by variables.
func (s *session) isolateEnv(make func(isolate.EnvOptions) (isolate.Jail, error)) (isolate.Jail, error) {
	if flag := s.hole(); flag != "" {
		return nil, fail("drop it, or run where proxaudit doctor finds netns working", fmt.Errorf("%s needs a confined command; with -isolation=%s nothing is hidden", flag, s.isolation))
	}
	return make(isolate.EnvOptions{ListenAddr: net.JoinHostPort("127.0.0.1", strconv.Itoa(int(s.port)))})
}

// captureOf returns what the proxy must know of a jail that captures, and how it
// finds who asks.
func captureOf(j isolate.Jail) (proxy.Capture, func(client, server net.Addr) *policy.Process) {
	var capture proxy.Capture
	if t, ok := j.(isolate.Transparent); ok {
		capture = t
	}
	if a, ok := j.(isolate.Attributor); ok {
		return capture, a.Attribute
	}
	return capture, nil
}

// asked records a DNS question. It was answered in the jail, with an address
// made up for the name, so it decides nothing and nobody outside heard of it.
func (s *session) asked(q fakedns.Question) {
	d := policy.Decision{Action: policy.Log, Reason: "answered inside the jail; the question did not leave it"}
	if q.Refused != "" {
		d.Reason = "not answered: " + q.Refused
	}
	ev := enforce.Event{Stage: enforce.StageDNS, Method: q.Type, Host: q.Name, Port: q.Server.Port()}
	if q.Network == "tcp" {
		s.note(ev, d, net.TCPAddrFromAddrPort(q.Client), net.TCPAddrFromAddrPort(q.Server))
		return
	}
	s.note(ev, d, net.UDPAddrFromAddrPort(q.Client), net.UDPAddrFromAddrPort(q.Server))
}

// refused records a UDP datagram that was refused, such as QUIC's first.
func (s *session) refused(r icmp.Refused) {
	ev := enforce.Event{Stage: enforce.StageUDP, Scheme: "udp", Host: r.Destination.Addr().String(), Port: r.Destination.Port(), Blocked: true}
	d := policy.Decision{Action: policy.Deny, Rule: "proxaudit:udp", Reason: "only TCP is carried; clients of QUIC fall back to it"}
	if s.running.Load() == nil {
		return
	}
	if name, ok := s.netns.NameOf(r.Destination.Addr()); ok {
		ev.Host = name
	}
	s.note(ev, d, net.UDPAddrFromAddrPort(r.Source), net.UDPAddrFromAddrPort(r.Destination))
}

// note records what happened in the jail besides connections. Before the proxy
// is up that is only the jail's own test.
func (s *session) note(ev enforce.Event, d policy.Decision, client, server net.Addr) {
	p := s.running.Load()
	if p == nil {
		return
	}
	ev.Process = enforce.RedactProcess(s.netns.Attribute(client, server))
	p.Note(ev, d)
}

// publishPorts makes ports of the jail's loopback reachable on the host's.
func (s *session) publishPorts() error {
	for _, port := range s.publish {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
		if err != nil {
			return fail("-publish needs a port that is free outside", fmt.Errorf("publishing port %d: %w", port, err))
		}
		s.published = append(s.published, l)
		go func() { _ = s.netns.Publish(l, port) }()
	}
	return nil
}
