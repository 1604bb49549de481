// Package fakedns answers the jail's DNS questions with addresses of its own
// making, and remembers which name each stands for.
//
// It must never forward a question: a question that leaves the machine is a way
// out (DNS tunnelling), and the real address is looked up only after a decision.
package fakedns

import (
	"net/netip"
	"strings"
	"sync"
)

// prefix4 is RFC 2544's range, which no public host has.
var prefix4 = netip.MustParsePrefix("198.18.0.0/15")

// prefix6 lies in the unique local range (RFC 4193).
var prefix6 = netip.MustParsePrefix("fd70:726f:7861:1::/96")

const (
	firstIndex = 2         // .0 is the network, .1 the jail itself
	lastIndex  = 1<<17 - 2 // .255.255 would be its broadcast address
)

// Names is the two-way map between names and addresses. The zero value is empty
// and ready; it is safe for concurrent use. A name keeps its addresses for as
// long as the map lives.
type Names struct {
	mu    sync.RWMutex
	index map[string]uint32
	byIdx []string
}

// Addr4 and Addr6 return the addresses of a canonical name, and false when the
// range is used up.
func (n *Names) Addr4(name string) (netip.Addr, bool) {
	i, ok := n.indexOf(name)
	return addr4(i), ok
}

// Addr6 is Addr4 for IPv6.
func (n *Names) Addr6(name string) (netip.Addr, bool) {
	i, ok := n.indexOf(name)
	return addr6(i), ok
}

// NameOf returns the name that an address was made for. An IPv4 address may
// come mapped into IPv6.
func (n *Names) NameOf(a netip.Addr) (string, bool) {
	a = a.Unmap()
	var i uint32
	switch {
	case prefix4.Contains(a):
		b := a.As4()
		i = uint32(b[1]&1)<<16 | uint32(b[2])<<8 | uint32(b[3])
	case prefix6.Contains(a):
		b := a.As16()
		i = uint32(b[12])<<24 | uint32(b[13])<<16 | uint32(b[14])<<8 | uint32(b[15])
	default:
		return "", false
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	if i < firstIndex || int(i-firstIndex) >= len(n.byIdx) {
		return "", false
	}
	return n.byIdx[i-firstIndex], true
}

// Synthetic reports whether an address is of the ranges that names are given,
// whether or not one has it: nothing outside may be dialled by it.
func Synthetic(a netip.Addr) bool {
	a = a.Unmap()
	return prefix4.Contains(a) || prefix6.Contains(a)
}

func (n *Names) indexOf(name string) (uint32, bool) {
	n.mu.RLock()
	i, ok := n.index[name]
	n.mu.RUnlock()
	if ok {
		return i, true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if i, ok := n.index[name]; ok {
		return i, true
	}
	if firstIndex+len(n.byIdx) > lastIndex {
		return 0, false
	}
	if n.index == nil {
		n.index = map[string]uint32{}
	}
	i = uint32(firstIndex + len(n.byIdx))
	n.byIdx = append(n.byIdx, name)
	n.index[name] = i
	return i, true
}

func addr4(i uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18 | byte(i>>16)&1, byte(i >> 8), byte(i)})
}

func addr6(i uint32) netip.Addr {
	b := prefix6.Addr().As16()
	b[12], b[13], b[14], b[15] = byte(i>>24), byte(i>>16), byte(i>>8), byte(i)
	return netip.AddrFrom16(b)
}

// canonical returns a name in lower case without its trailing dot, and false
// for one that no host can have: labels are letters, digits, hyphens and
// underscores (RFC 1123 section 2.1; underscores stand in service names).
func canonical(name string) (string, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" || len(name) > 253 {
		return name, false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return name, false
		}
		for i := range len(label) {
			c := label[i]
			if ('a' > c || c > 'z') && ('0' > c || c > '9') && c != '-' && c != '_' {
				return name, false
			}
		}
	}
	return name, true
}
