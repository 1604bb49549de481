// Package capture makes an empty network namespace in which every address is
// local and every TCP connection, whatever its destination, arrives at one
// listener.
//
// It works on the network namespace of the calling thread, needs CAP_NET_ADMIN
// there, and must never be called in the host's. It must never leave a way for
// a packet to leave the namespace: there is no interface but the loopback.
package capture

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The addresses of the jail itself. Clients see them as their own address. They
// come from ranges that no public host has: RFC 2544 (198.18.0.0/15, kept for
// tests within one network) and RFC 4193 (a unique local prefix).
var (
	Self4 = netip.MustParseAddr("198.18.0.1")
	Self6 = netip.MustParseAddr("fd70:726f:7861::1")
)

// Kind is how TCP connections are brought to the listener.
type Kind string

// The kinds, best first.
const (
	// TProxy takes every port, and Accept's LocalAddr is the original
	// destination (Documentation/networking/tproxy.rst in the kernel).
	TProxy Kind = "tproxy"
	// Redirect takes every port; the original destination is asked for with
	// SO_ORIGINAL_DST.
	Redirect Kind = "redirect"
	// Ports takes FixedPorts only; connections to others are refused.
	Ports Kind = "ports"
)

// FixedPorts are listened on where the kernel has neither tproxy nor redirect.
var FixedPorts = []uint16{22, 80, 443, 3000, 3128, 5000, 5432, 8000, 8080, 8081, 8443, 9418}

// Set is what Begin and Listen made. The files are listening or bound sockets of the
// namespace; they are the caller's to close.
type Set struct {
	Kind Kind
	// Port is where the first of TCP listens: the explicit proxy's port.
	Port uint16
	// TCP are listeners for captured connections.
	TCP []*os.File
	// DNSTCP and DNSUDP are bound to port 53 of every address.
	DNSTCP, DNSUDP []*os.File
	// ICMP are raw sockets that see the refusals of UDP datagrams: IPv4, then
	// IPv6 where there is one.
	ICMP []*os.File
	// IPv6 is false where the kernel has no IPv6.
	IPv6 bool
}

// Files returns all files in the order that Unpack expects.
func (s *Set) Files() []*os.File {
	var all []*os.File
	for _, part := range [][]*os.File{s.TCP, s.DNSTCP, s.DNSUDP, s.ICMP} {
		all = append(all, part...)
	}
	return all
}

// Begin makes the namespace but for what takes connections, which Listen adds. It
// writes below /proc/sys.
func Begin() (*Set, error) {
	set := &Set{IPv6: enableIPv6()}
	if err := everythingIsLocal(set.IPv6); err != nil {
		return nil, err
	}
	if err := set.bindDNS(); err != nil {
		return nil, err
	}
	return set, set.openICMP()
}

// Listen takes connections from now on. The kinds are tried in order; without
// any, all.
func (s *Set) Listen(kinds ...Kind) error { return s.listen(kinds) }

// enableIPv6 turns IPv6 on in the namespace, where the host's settings turned it
// off, and reports whether there is any.
func enableIPv6() bool {
	data, err := os.ReadFile("/proc/sys/net/ipv6/conf/all/disable_ipv6")
	if err != nil {
		return false
	}
	if strings.TrimSpace(string(data)) == "0" {
		return true
	}
	return os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("0"), 0) == nil
}

// everythingIsLocal adds the "AnyIP" routes. They carry a source address: with
// none, the kernel takes the destination for the source as well, and a
// connection to a high port can connect to itself.
func everythingIsLocal(ipv6 bool) error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE) // one socket for all
	if err != nil {
		return fmt.Errorf("reach rtnetlink: %w", err)
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback interface: %w", err)
	}
	if err := h.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring the loopback interface up: %w", err)
	}
	if err := anyIP(h, lo, Self4, 32, "0.0.0.0/0"); err != nil {
		return err
	}
	if !ipv6 {
		return nil
	}
	return anyIP(h, lo, Self6, 128, "::/0")
}

func anyIP(h *netlink.Handle, lo netlink.Link, self netip.Addr, bits int, all string) error {
	own := &net.IPNet{IP: self.AsSlice(), Mask: net.CIDRMask(bits, self.BitLen())}
	addr := &netlink.Addr{IPNet: own, Flags: unix.IFA_F_NODAD}
	if err := h.AddrAdd(lo, addr); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add address %s: %w", self, err)
	}
	_, dst, err := net.ParseCIDR(all)
	if err != nil {
		return err
	}
	route := &netlink.Route{
		LinkIndex: lo.Attrs().Index, Dst: dst, Src: self.AsSlice(),
		Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST,
	}
	if err := h.RouteAdd(route); err != nil {
		return fmt.Errorf("make %s local: %w", all, err)
	}
	return nil
}
