package dialguard

import (
	"errors"
	"net/netip"
	"testing"
)

// FuzzCheck takes an IPv4 address through every spelling that hides it in an
// IPv6 address: all must be judged at least as strictly as the address itself.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "8.8.8.8", "169.254.169.254", "10.0.0.1", "0.0.0.0"} {
		a := netip.MustParseAddr(s).As4()
		f.Add(a[:], []byte(nil))
	}
	f.Add([]byte{1, 2, 3, 4}, []byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, v4, any []byte) {
		if a, ok := netip.AddrFromSlice(any); ok {
			var refused *Refused
			if err := Check(a, nil); err != nil && (!errors.As(err, &refused) || err.Error() == "") {
				t.Errorf("odd error %v", err)
			}
		}
		if len(v4) != 4 {
			return
		}
		addr := netip.AddrFrom4([4]byte(v4))
		err := Check(addr, nil)
		for name, carrier := range carriers([4]byte(v4)) {
			got := Check(carrier, nil)
			if err != nil && got == nil {
				t.Errorf("%v is refused, and open as %s %v", addr, name, carrier)
			}
			if name == "mapped" && (err == nil) != (got == nil) {
				t.Errorf("%v: %v, mapped: %v", addr, err, got)
			}
			exact := []netip.Prefix{netip.PrefixFrom(addr, 32)}
			if err := Check(carrier, exact); name != "local NAT64" && err != nil {
				t.Errorf("%v is opened, and refused as %s: %v", addr, name, err)
			}
		}
	})
}

func carriers(v4 [4]byte) map[string]netip.Addr {
	last := func(prefix string) netip.Addr {
		b := netip.MustParseAddr(prefix).As16()
		copy(b[12:], v4[:])
		return netip.AddrFrom16(b)
	}
	sixToFour := netip.MustParseAddr("2002::1").As16()
	copy(sixToFour[2:], v4[:])
	server := netip.MustParseAddr("2001:0::f7f7:f7f7").As16()
	copy(server[4:], v4[:])
	client := netip.MustParseAddr("2001:0:808:808::").As16()
	for i, c := range v4 {
		client[12+i] = ^c
	}
	return map[string]netip.Addr{
		"mapped": last("::ffff:0:0"), "translated": last("::ffff:0:0:0"),
		"NAT64": last("64:ff9b::"), "local NAT64": last("64:ff9b:1::"),
		"ISATAP": last("2606:2800::5efe:0:0"), "6to4": netip.AddrFrom16(sixToFour),
		"Teredo server": netip.AddrFrom16(server), "Teredo client": netip.AddrFrom16(client),
	}
}
