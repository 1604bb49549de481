package dialguard

import "net/netip"

// block is a range that may be dialled only where a rule names it, or one that is
// open inside of such a range.
type block struct {
	prefix   netip.Prefix
	name     string
	source   string
	metadata bool
	open     bool
}

// blocks are the ranges that can lead inside, the first match counting, so the
// single addresses stand before the ranges around them. They follow the IANA IPv4
// and IPv6 Special-Purpose Address Registries (RFC 6890): what is not globally
// reachable there is here, but for the documentation ranges (RFC 5737, RFC 3849,
// RFC 9637), which lead nowhere.
//
// Of IPv6 only 2000::/3 is given out for use across the Internet (RFC 4291 section
// 2.4); whatever answers elsewhere is somebody's own network. Of IPv4 everything
// is given out that is not here.
var blocks = [...]block{
	metadata("169.254.169.254", "AWS, Google Cloud, Azure, Oracle, OpenStack and others, instance metadata"),
	metadata("fd00:ec2::254", "AWS, EC2 instance metadata over IPv6"),
	metadata("169.254.169.252", "Google Cloud, GKE metadata server"),
	metadata("169.254.170.2", "AWS, ECS task credentials"),
	metadata("169.254.170.23", "AWS, EKS pod identity"),
	metadata("fd00:ec2::23", "AWS, EKS pod identity over IPv6"),
	metadata("fd20:ce::254", "Google Cloud, metadata server over IPv6"),
	metadata("168.63.129.16", "Azure, wire server; a public address that never leaves the host"),
	metadata("100.100.100.200", "Alibaba Cloud, ECS instance metadata"),
	metadata("169.254.0.23", "Tencent Cloud, CVM instance metadata"),
	metadata("192.0.0.192", "Oracle Cloud Classic, instance metadata"),
	metadata("fd00:c1::a9fe:a9fe", "Oracle Cloud, instance metadata over IPv6"),
	metadata("169.254.42.42", "Scaleway, instance metadata"),
	metadata("fd00:42::42", "Scaleway, instance metadata over IPv6"),
	metadata("fd00:a9fe:a9fe::1", "Akamai (Linode), instance metadata over IPv6"),
	metadata("fe80::a9fe:a9fe", "OpenStack, instance metadata over IPv6"),

	rfc("0.0.0.0/8", "this host on this network", "RFC 1122 section 3.2.1.3"),
	rfc("10.0.0.0/8", "private network", "RFC 1918 section 3"),
	rfc("100.64.0.0/10", "carrier-grade NAT", "RFC 6598 section 7"),
	rfc("127.0.0.0/8", "loopback", "RFC 1122 section 3.2.1.3"),
	rfc("169.254.0.0/16", "link-local", "RFC 3927 section 2.1"),
	rfc("172.16.0.0/12", "private network", "RFC 1918 section 3"),
	rfc("192.0.0.0/24", "protocol assignments", "RFC 6890 section 2.2.2"),
	rfc("192.88.99.0/24", "6to4 relay", "RFC 7526 section 4"),
	rfc("192.168.0.0/16", "private network", "RFC 1918 section 3"),
	rfc("198.18.0.0/15", "benchmarking", "RFC 2544 appendix C.2.2"),
	rfc("224.0.0.0/4", "multicast", "RFC 1112 section 4"),
	rfc("255.255.255.255/32", "broadcast", "RFC 919 section 7"),
	rfc("240.0.0.0/4", "reserved", "RFC 1112 section 4"),

	rfc("::/128", "unspecified", "RFC 4291 section 2.5.2"),
	rfc("::1/128", "loopback", "RFC 4291 section 2.5.3"),
	rfc("64:ff9b:1::/48", "local NAT64", "RFC 8215 section 4"),
	rfc("100::/64", "discard", "RFC 6666 section 4"),
	rfc("100:0:0:1::/64", "dummy prefix", "RFC 9780"),
	rfc("2001:2::/48", "benchmarking", "RFC 5180 section 8"),
	rfc("2001:10::/28", "cryptographic hash identifiers", "RFC 4843 section 2"),
	rfc("2001:20::/28", "cryptographic hash identifiers", "RFC 7343 section 2"),
	rfc("2001:30::/28", "drone remote identifiers", "RFC 9374 section 8.2"),
	open("2001::/32", "Teredo, judged by what is inside", "RFC 4380 section 4"),
	open("2001:3::/32", "automatic multicast tunneling", "RFC 7450 section 7.1"),
	open("2001:4:112::/48", "AS112", "RFC 7535 section 5.1"),
	rfc("2001::/23", "protocol assignments", "RFC 2928 section 2"), // among them the nearest port control and TURN server
	rfc("5f00::/16", "segment routing", "RFC 9602"),
	rfc("fc00::/7", "private network", "RFC 4193 section 3.1"),
	rfc("fe80::/10", "link-local", "RFC 4291 section 2.5.6"),
	rfc("fec0::/10", "site-local", "RFC 3879 section 4"),
	rfc("ff00::/8", "multicast", "RFC 4291 section 2.7"),

	open("::/96", "IPv4-compatible, judged by what is inside", "RFC 4291 section 2.5.5.1"),
	open("::ffff:0:0:0/96", "IPv4-translated, judged by what is inside", "RFC 2765 section 2.1"),
	open("64:ff9b::/96", "NAT64, judged by what is inside", "RFC 6052 section 2.1"),
	open("2000::/3", "global unicast", "RFC 4291 section 2.4"),
	rfc("::/0", "reserved", "RFC 4291 section 2.4"),
}

func rfc(prefix, name, source string) block {
	return block{prefix: netip.MustParsePrefix(prefix), name: name, source: source}
}

func metadata(addr, source string) block {
	a := netip.MustParseAddr(addr)
	return block{prefix: netip.PrefixFrom(a, a.BitLen()), name: "cloud metadata", source: source, metadata: true}
}

func open(prefix, name, source string) block {
	return block{prefix: netip.MustParsePrefix(prefix), name: name, source: source, open: true}
}
