package proxy

import (
	"net"
	"net/netip"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// arrive takes in a connection: one to the proxy itself is served as to a
// proxy, any other one as to the server that the command meant to reach.
func (p *Proxy) arrive(c net.Conn, s *slot) {
	p.work.begin()
	defer p.work.end()
	cc := &clientConn{Conn: c, scheme: "http", slot: s, set: &p.open}
	if !p.open.add(cc) {
		return
	}
	local, ok := addrPort(c.LocalAddr())
	if p.Capture == nil || ok && p.Capture.Own(local.Addr()) {
		p.clients.push(p.guard(cc, cc))
		return
	}
	cc.captured = true
	p.who(cc)
	host, why := p.meant(local)
	if why != "" {
		p.refuseCaptured(cc, local, why)
		return
	}
	cc.target = newTarget(host, local.Port())
	if !p.passRaw(p.life, cc, false) {
		p.look(p.life, cc)
	}
}

// refuseCaptured closes a connection that was meant for nobody. It is no part of
// arrive, whose stack would have to grow for it with every connection.
func (p *Proxy) refuseCaptured(cc *clientConn, dst netip.AddrPort, why string) {
	defer cc.Close()
	ev := p.newEvent(enforce.StageTCP, &policy.Request{Scheme: "tcp", Host: dst.Addr().String(), Port: dst.Port()}, cc.shown)
	p.Gate.Settle(ev, policy.Decision{Rule: ruleIdentity, Reason: why})
}

// meant returns the host that a captured connection was meant for: the name
// that its address was made up for, else the address; or why there is none.
func (p *Proxy) meant(dst netip.AddrPort) (host, why string) {
	addr := dst.Addr().Unmap().WithZone("")
	if name, ok := p.Capture.NameOf(addr); ok {
		host, err := hostname.Canonical(name)
		if err != nil {
			return "", err.Error()
		}
		return host, ""
	}
	if !addr.IsValid() || p.Capture.Synthetic(addr) {
		return "", "the address stands for no name that was asked for in this run"
	}
	return addr.String(), ""
}

func addrPort(a net.Addr) (netip.AddrPort, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	return tcp.AddrPort(), true
}
