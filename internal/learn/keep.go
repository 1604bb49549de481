package learn

import (
	"net/netip"
	"strings"
)

// program notes who made the requests of f.
func (l *Learner) program(f *flow, name string) {
	if name == "" {
		return
	}
	alone := l.programs[name]
	if alone == nil {
		if l.keyBytes+len(name) > maxKeyBytes {
			l.overflow = true
			return
		}
		l.keyBytes += len(name)
		alone = []string{strings.Clone(name)}
		l.programs[alone[0]] = alone
	}
	if f.programs == nil {
		f.programs = alone
		return
	}
	f.programs = withProgram(f.programs, alone[0])
}

// flow returns what is known of k, or nil when there is no room for more.
func (l *Learner) flow(k key) *flow {
	if f := l.flows[k]; f != nil {
		return f
	}
	if len(l.folded) > 0 {
		if family, s, ok := l.family(k); ok && l.folded[family] != nil {
			f := l.folded[family]
			f.add(k.path, s)
			return &f.flow
		}
	}
	if l.overflow || !l.room(k) && (!l.fold(nil) || !l.room(k)) {
		l.overflow = true
		return nil
	}
	// The event's strings may be parts of larger ones.
	k.host, k.path = strings.Clone(k.host), strings.Clone(k.path)
	k.method, k.scheme = strings.Clone(k.method), strings.Clone(k.scheme)
	f := new(flow)
	l.flows[k] = f
	l.keyBytes += k.size()
	return f
}

// room reports whether k can be kept beside what is kept already.
func (l *Learner) room(k key) bool {
	return len(l.flows)+len(l.folded) < l.options.MaxRequests && l.keyBytes+k.size() <= maxKeyBytes
}

// address notes an address that was dialled, where a rule must name it.
func (l *Learner) address(e endpoint, dialled string) {
	if dialled == "" || dialled == l.public {
		return // nearly always, and looking it up is a third of Record
	}
	addr := parseAddress(dialled)
	if !addr.IsValid() || isPublic(addr) {
		l.public = strings.Clone(dialled)
		return
	}
	if _, seen := l.addresses[e][addr]; seen {
		return
	}
	if l.addrCount >= maxAddresses {
		l.overflow = true
		return
	}
	if l.addresses[e] == nil {
		e.host, e.scheme = strings.Clone(e.host), strings.Clone(e.scheme)
		l.addresses[e] = make(map[netip.Addr]struct{})
	}
	l.addresses[e][addr] = struct{}{}
	l.addrCount++
}

// parseAddress reads "ip:port" or "ip". The address is invalid when it is
// neither.
func parseAddress(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	addr, _ := netip.ParseAddr(s) // the zero Addr when s is none
	return addr.Unmap().WithZone("")
}
