package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// family is what differs between IPv4 and IPv6 in a rule.
type family struct {
	proto    byte
	offset   uint32 // of the destination address in the network header
	loopback netip.Prefix
	self     netip.Addr
}

func families(ipv6 bool) []family {
	all := []family{{unix.NFPROTO_IPV4, 16, netip.MustParsePrefix("127.0.0.0/8"), Self4}}
	if ipv6 {
		all = append(all, family{unix.NFPROTO_IPV6, 24, netip.MustParsePrefix("::1/128"), Self6})
	}
	return all
}

// tproxyRules is, in the words of nft(8):
//
//	table inet proxaudit { chain capture {
//	  type filter hook prerouting priority mangle;
//	  ip daddr { 127.0.0.0/8, SELF } accept     # what the command runs itself
//	  tcp dport 53 accept                       # the jail's own name server
//	  meta l4proto tcp tproxy to :PORT accept
//	} }
func tproxyRules(port uint16, ipv6 bool) error {
	return rules(ipv6, nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityMangle,
		func(f family) []expr.Any {
			return append(portRegister(port),
				&expr.TProxy{Family: f.proto, TableFamily: unix.NFPROTO_INET, RegPort: 1},
				&expr.Verdict{Kind: expr.VerdictAccept})
		})
}

// redirectRules does the same with `redirect to :PORT` in the nat output hook.
func redirectRules(port uint16, ipv6 bool) error {
	return rules(ipv6, nftables.ChainTypeNAT, nftables.ChainHookOutput, *nftables.ChainPriorityNATDest,
		func(family) []expr.Any {
			return append(portRegister(port), &expr.Redir{RegisterProtoMin: 1})
		})
}

func rules(ipv6 bool, kind nftables.ChainType, hook *nftables.ChainHook, priority nftables.ChainPriority,
	capture func(family) []expr.Any) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("reach nf_tables: %w", err)
	}
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "proxaudit"})
	chain := c.AddChain(&nftables.Chain{Name: "capture", Table: table, Type: kind, Hooknum: hook, Priority: &priority})
	add := func(exprs ...expr.Any) { c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: exprs}) }
	for _, f := range families(ipv6) {
		add(join(isFamily(f), toPrefix(f, f.loopback), accept())...)
		add(join(isFamily(f), toPrefix(f, netip.PrefixFrom(f.self, f.self.BitLen())), accept())...)
		add(join(isFamily(f), isTCP(), toPort(53), accept())...)
		add(join(isFamily(f), isTCP(), capture(f))...)
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("load the capture rules: %w", err)
	}
	return nil
}

func join(parts ...[]expr.Any) []expr.Any {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func accept() []expr.Any { return []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}} }

func isFamily(f family) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{f.proto}},
	}
}

func isTCP() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
	}
}

func toPort(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)},
	}
}

func toPrefix(f family, p netip.Prefix) []expr.Any {
	size := uint32(p.Addr().BitLen() / 8)
	mask := make([]byte, size)
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.offset, Len: size},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: size, Mask: mask, Xor: make([]byte, size)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}
}

func portRegister(port uint16) []expr.Any {
	return []expr.Any{&expr.Immediate{Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)}}
}
