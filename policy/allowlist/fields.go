package allowlist

import (
	"net/netip"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

func (p *parser) method(n *yaml.Node) (string, bool) {
	s, ok := p.text(n, "a method")
	return s, ok && p.methodName(n, 0, s)
}

// methodName checks a method at offset of n. Methods are case-sensitive (RFC
// 9110 section 9.1) and every registered one is in capitals.
func (p *parser) methodName(n *yaml.Node, offset int, s string) bool {
	upper := strings.ToUpper(s)
	switch {
	case s == "CONNECT":
		p.within(n, offset, "CONNECT is not a method of a rule: it only opens a tunnel, and what is in it is decided",
			"to let a connection pass undecrypted write tls: passthrough")
	case isMethod(s):
		return true
	case isMethod(upper):
		p.within(n, offset, "method "+quoted(s)+" is not in capitals", "write "+upper)
	default:
		hint := "write a method such as GET or POST"
		if s == "*" {
			hint = "write each method: [GET, HEAD, POST]; under deny, leave methods out for any"
		}
		p.within(n, offset, "bad method "+quoted(s), hint)
	}
	return false
}

func isMethod(s string) bool {
	return s != "" && 'A' <= s[0] && s[0] <= 'Z' && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

func (p *parser) path(n *yaml.Node) (pattern, bool) {
	s, ok := p.text(n, "a path")
	if !ok {
		return pattern{}, false
	}
	return p.pathAt(n, 0, s)
}

func (p *parser) pathAt(n *yaml.Node, offset int, s string) (pattern, bool) {
	pat, fault := compile(s)
	if fault != nil {
		p.within(n, offset+fault.offset, fault.message, fault.hint)
		return pattern{}, false
	}
	return pat, true
}

func (p *parser) port(n *yaml.Node) (uint16, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
		p.at(n, "a port must be a number, not "+kind(n), portHint(n.Value))
		return 0, false
	}
	return p.portNumber(n, 0, n.Value)
}

func portHint(text string) string {
	from, to, _ := strings.Cut(text, "-")
	port := policy.DefaultPort(strings.ToLower(text))
	_, fromErr := strconv.ParseUint(from, 10, 16)
	_, toErr := strconv.ParseUint(to, 10, 16)
	plain := strings.TrimLeft(text, "0")
	_, err := strconv.ParseUint(plain, 10, 16)
	switch {
	case port != 0:
		return "write " + strconv.Itoa(int(port))
	case text == "*" || text == "any" || text == "all":
		return "write each port; under deny, leave ports out for any"
	case fromErr == nil && toErr == nil:
		return "write each port: there are no ranges of them"
	case err == nil && plain != text:
		return "write " + plain + ", without the zero in front of it"
	case err == nil && plain != "0":
		return "write " + plain + " without quotes"
	default:
		return "write a number from 1 to 65535"
	}
}

func (p *parser) portNumber(n *yaml.Node, offset int, digits string) (uint16, bool) {
	v, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || v == 0 || digits[0] == '0' || digits[0] == '+' {
		p.within(n, offset, "bad port "+quoted(digits), portHint(digits))
		return 0, false
	}
	return uint16(v), true
}

func (p *parser) scheme(n *yaml.Node) (schemes, bool) {
	s, ok := p.text(n, "a scheme")
	if !ok {
		return 0, false
	}
	return p.schemeName(n, s)
}

func (p *parser) schemeName(n *yaml.Node, s string) (schemes, bool) {
	v := schemeOf(s)
	if v == schemeOther {
		hint := suggestion(s, schemeNames())
		switch {
		case s == "ssh" || s == "git+ssh":
			hint = "SSH is raw tcp here, which nobody can read: write tcp://git.example.org:22"
		case s == "ftp" || s == "ftps" || s == "sftp":
			hint = "nobody reads FTP here: fetch it by https, or write tcp://files.example.org:21 and the ports of its data"
		case s == "udp" || s == "quic" || s == "h3" || s == "icmp" || s == "dns":
			hint = "only TCP is carried, so no rule is needed to deny it; clients of QUIC fall back to https"
		case strings.HasPrefix(s, "git+http"), strings.HasSuffix(s, "://"):
			hint = "write " + strings.TrimSuffix(strings.TrimPrefix(s, "git+"), "://")
		}
		p.at(n, "unknown scheme "+quoted(s), hint)
		return 0, false
	}
	return v, true
}

func (p *parser) network(n *yaml.Node) (netip.Prefix, bool) {
	s, ok := p.text(n, "a network")
	if !ok {
		return netip.Prefix{}, false
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		hint := "write an address and a length, such as 10.0.0.0/8"
		if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			hint = "write " + netip.PrefixFrom(addr, addr.BitLen()).String()
		} else if strings.Contains(s, ".") && strings.ContainsAny(s, "ghijklmnopqrstuvwxyz") {
			hint = "write the name as host, and the network of its address here, such as 10.1.2.0/24"
		}
		p.at(n, "bad network "+quoted(s), hint)
		return netip.Prefix{}, false
	}
	want := prefix.Masked()
	if a := want.Addr(); a.Is4In6() && want.Bits() >= 96 {
		want = netip.PrefixFrom(a.Unmap(), want.Bits()-96)
	}
	if want.String() != s {
		p.at(n, "network "+quoted(s)+" is not in canonical form", "write "+want.String())
		return netip.Prefix{}, false
	}
	return prefix, true
}

func (p *parser) passthrough(n *yaml.Node) bool {
	s, ok := p.text(n, "tls")
	if ok && s != "passthrough" {
		p.at(n, "unknown tls "+quoted(s), "write passthrough, or leave tls out to have it decrypted")
	}
	return ok && s == "passthrough"
}
