package isolate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/juliendoutre/proxaudit/enforce/isolate/capture"
	"github.com/juliendoutre/proxaudit/enforce/isolate/control"
	"github.com/juliendoutre/proxaudit/enforce/isolate/fakedns"
	"github.com/juliendoutre/proxaudit/enforce/isolate/icmp"
	"github.com/juliendoutre/proxaudit/enforce/isolate/launch"
	"github.com/juliendoutre/proxaudit/enforce/isolate/privilege"
	"github.com/juliendoutre/proxaudit/enforce/isolate/sockowner"
	"github.com/juliendoutre/proxaudit/enforce/isolate/supervisor"
	"github.com/juliendoutre/proxaudit/policy"
)

// makeTimeout bounds the making of a jail, which takes some ten milliseconds. A
// machine that is busy with other things must not refuse a run for that.
const makeTimeout = time.Minute

// Netns confines the command in namespaces of its own (namespaces(7)): a network
// whose every address is this program, a name server that never asks anyone, a
// file tree without the sockets of host services, and no privileges.
//
// It promises that no process started by the command opens an IP connection or
// sends a DNS query except through the listener, or connects to a unix socket
// that is not the jail's own or one that was allowed, whoever binds it, where and
// when.
//
// It does not promise anything about helpers outside that the command reaches
// by other means: sockets that were allowed, and files and named pipes that it
// leaves for others to read. Run by root, files that root owns and that a program
// of the host reads later are among those, though not /proc/sys, /sys, devices or
// cron's tables.
//
// It takes from the command: unix datagram sockets; and a server in the jail sees
// no process behind a connection (SO_PEERCRED has PID 0, the user and group are
// right).
type Netns struct {
	first    *launch.Process
	ctl      *control.Conn
	kind     capture.Kind
	port     uint16
	listener net.Listener
	names    *fakedns.Names
	dns      *fakedns.Server
	icmp     *icmp.Watcher
	owners   *sockowner.Finder
	watch    *supervisor.Supervisor
	dials    *requests
	pairs    *requests
	ended    chan struct{} // closed when the run is over
	grace    time.Duration // stopGrace, but in tests
	warnings []string
}

var (
	_ Transparent = (*Netns)(nil)
	_ Attributor  = (*Netns)(nil)
)

// NewNetns makes a jail and proves it tight, without starting the command. An
// error is a *Refusal where the system does not allow it.
func NewNetns(ctx context.Context, o NetnsOptions) (*Netns, error) {
	return newNetns(ctx, o)
}

func newNetns(ctx context.Context, o NetnsOptions, kinds ...capture.Kind) (*Netns, error) {
	first, err := launch.First(o.KeepRoot)
	if err != nil {
		return nil, refused("make the namespaces", err)
	}
	if first.As.Root && o.UserNamespaces {
		first.As.Keep |= privilege.RootNamespaces
	}
	ctl, err := control.FromFile(first.Control)
	if err != nil {
		return nil, refused("make the namespaces", first.Explain(err))
	}
	ended := make(chan struct{})
	n := &Netns{first: first, ctl: ctl, names: &fakedns.Names{}, ended: ended, grace: stopGrace,
		dials: newRequests(ctl, ended), pairs: newRequests(ctl, ended)}
	// Whoever waits for the jail's first process gets an end of file when that
	// is killed.
	stop := context.AfterFunc(ctx, first.Kill)
	timeout := time.AfterFunc(makeTimeout, first.Kill)
	err = n.make(o, kinds)
	timeout.Stop()
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// make has the first process build the jail, takes over what it hands out, and
// has it tested. While that process starts, which takes milliseconds, the plan is
// made.
func (n *Netns) make(o NetnsOptions, kinds []capture.Kind) error {
	plan, err := planFor(o, n.first.As)
	if err != nil {
		if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
			return refusal
		}
		return &Refusal{Step: "look at what must be hidden", Err: err}
	}
	blob, err := control.Blob(setup{Plan: plan, Kinds: kinds, Keep: n.first.As.Keep})
	if err != nil {
		return err
	}
	err = n.ctl.Send(message{}, blob)
	blob.Close()
	if err != nil {
		return refused("hand over the plan", n.first.Explain(err))
	}
	trial, err := n.newTrial()
	if err != nil {
		return err
	}
	defer trial.close()
	var made message
	files, err := n.ctl.Receive(&made)
	if err != nil {
		return refused("make the jail", n.first.Explain(err))
	}
	if made.Failed != nil {
		return refused(made.Failed.Step, made.Failed)
	}
	n.kind, n.port, n.warnings = made.Kind, made.Port, made.Warnings
	h, err := unpack(made, files)
	if err != nil {
		closeFiles(files)
		return err
	}
	if err := n.serve(o, h); err != nil {
		return err
	}
	if trial.Probe, err = n.supervise(o, plan); err != nil {
		return err
	}
	if err := trial.avoid(n.port); err != nil {
		return err
	}
	return n.selfTest(&trial.selfTest)
}

// serve takes over the sockets of the jail.
func (n *Netns) serve(o NetnsOptions, h *handout) error {
	n.owners = sockowner.New(h.diag, h.proc)
	n.dns = &fakedns.Server{Names: n.names, IPv6: h.ipv6, Asked: o.Asked}
	var errs []error
	for _, f := range h.dnsUDP {
		errs = append(errs, n.dns.ServeUDP(f))
	}
	for _, f := range h.dnsTCP {
		errs = append(errs, n.dns.ServeTCP(f))
	}
	report := o.Refused
	if report == nil {
		report = func(icmp.Refused) {}
	}
	var err error
	n.icmp, err = icmp.Watch(h.icmp, report)
	errs = append(errs, err)
	n.listener, err = listen(n.kind, h.tcp)
	return errors.Join(append(errs, err)...)
}

// Name implements Jail.
func (n *Netns) Name() string { return NetnsName }

// Advisory implements Jail: the command cannot go around the proxy.
func (n *Netns) Advisory() bool { return false }

// Listener implements Jail.
func (n *Netns) Listener() net.Listener { return n.listener }

// ProxyURL implements Jail. Clients that take no proxy are captured as well.
func (n *Netns) ProxyURL() string { return fmt.Sprintf("http://127.0.0.1:%d", n.port) }

// Capture is how connections are taken: tproxy, redirect or ports.
func (n *Netns) Capture() string { return string(n.kind) }

// Warnings says what a tool in the jail may miss.
func (n *Netns) Warnings() []string { return n.warnings }

// NameOf implements Transparent.
func (n *Netns) NameOf(a netip.Addr) (string, bool) { return n.names.NameOf(a) }

// Synthetic implements Transparent.
func (n *Netns) Synthetic(a netip.Addr) bool { return fakedns.Synthetic(a) }

// Own implements Transparent.
func (n *Netns) Own(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsUnspecified() || a == capture.Self4 || a == capture.Self6
}

// Attribute implements Attributor; it takes UDP addresses as well.
func (n *Netns) Attribute(client, server net.Addr) *policy.Process {
	var p *policy.Process
	var err error
	switch from := client.(type) {
	case *net.TCPAddr:
		if to, ok := server.(*net.TCPAddr); ok {
			p, err = n.attributeTCP(from.AddrPort(), to.AddrPort())
		}
	case *net.UDPAddr:
		if to, ok := server.(*net.UDPAddr); ok {
			p, err = n.owners.UDP(from.AddrPort(), to.AddrPort())
		}
	}
	if err != nil {
		return nil // it has closed the connection, or has ended
	}
	return p
}

// attributeTCP asks who connected, and looks for who has the socket open where
// that process has ended or nobody saw it.
func (n *Netns) attributeTCP(client, server netip.AddrPort) (*policy.Process, error) {
	if n.watch == nil {
		return nil, errors.New("the jail is still being made")
	}
	if owner, ok := n.watch.Owner(client, server); ok {
		if p := n.owners.Process(owner.PID, owner.Start); p != nil {
			return p, nil
		}
	}
	return n.owners.TCP(client, server)
}

// Close implements Jail: whatever still runs in the jail is killed. The kernel
// takes the namespaces apart while the rest is closed; whoever still asks for
// something in there is refused.
func (n *Netns) Close() error {
	n.first.Kill()
	defer n.first.Wait()
	if n.watch != nil {
		n.watch.Close()
	}
	n.ctl.Close()
	if n.listener != nil {
		n.listener.Close()
	}
	if n.dns != nil {
		n.dns.Close()
	}
	if n.icmp != nil {
		n.icmp.Close()
	}
	if n.owners != nil {
		n.owners.Close()
	}
	return nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
