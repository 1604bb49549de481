package dialguard

import "net/netip"

// embedded returns the IPv4 addresses that addr, which is not v4-mapped, carries
// inside and that a translator or a tunnel may lead it to. For IPv4 and for most
// IPv6 addresses there is none.
func embedded(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	b := addr.As16()
	at := func(i, j, k, l int) netip.Addr { return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}) }
	last := at(12, 13, 14, 15)
	switch {
	case compatible.Contains(addr), translated.Contains(addr), nat64.Contains(addr):
		return []netip.Addr{last}
	case localNAT64.Contains(addr):
		// The network chose how long its prefix is: RFC 6052 section 2.2, for
		// 96, 64, 56 and 48 bits.
		return []netip.Addr{last, at(9, 10, 11, 12), at(7, 9, 10, 11), at(6, 7, 9, 10)}
	case sixToFour.Contains(addr):
		return []netip.Addr{at(2, 3, 4, 5)}
	case teredo.Contains(addr):
		// The server in clear, the client's address with its bits inverted.
		client := netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
		return []netip.Addr{at(4, 5, 6, 7), client}
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		// ISATAP, under any prefix: RFC 5214 section 6.1.
		return []netip.Addr{last}
	default:
		return nil
	}
}

var (
	compatible = netip.MustParsePrefix("::/96")           // RFC 4291 section 2.5.5.1
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // RFC 2765 section 2.1
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052 section 2.1
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")  // RFC 8215 section 4
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056 section 2
	teredo     = netip.MustParsePrefix("2001::/32")       // RFC 4380 section 4
)
