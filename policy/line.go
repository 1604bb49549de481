package policy

import (
	"net/netip"
	"strconv"
	"strings"
)

// MaxPattern is how long a path may be in a rule, in bytes.
const MaxPattern = 4096

// DefaultPort returns the port of a scheme where a URL names none, and 0 for a
// scheme that has none of its own.
func DefaultPort(scheme string) uint16 {
	switch scheme {
	case "http", "ws":
		return 80
	case "https", "wss":
		return 443
	default:
		return 0
	}
}

// Authority returns the request's host, bracketed where it is an IPv6 address,
// with its port where that is not the scheme's own.
func (r *Request) Authority() string {
	host := r.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if r.Port == DefaultPort(r.Scheme) {
		return host
	}
	return host + ":" + strconv.Itoa(int(r.Port))
}

// URL returns scheme, authority, canonical path and query, as one string.
func (r *Request) URL() string {
	u := r.Scheme + "://" + r.Authority() + r.Path
	if r.Query != "" {
		u += "?" + r.Query
	}
	return u
}

// Line returns the entry to put under `allow:` in a YAML policy so that this
// request is allowed: a package where a registered registry names one, else one
// method at one path, one TCP port, or for a CONNECT question one port of a host
// that is not decrypted. The query is left out, so no secret in it can reach a
// policy; learn.Proposer knows which requests are told by theirs. For a read to which another origin redirected,
// the entry is about that redirect: what it leads to has a path of its own the
// next time. Line is empty when no rule can name the request: for a method that is
// not in capitals, for a scheme unknown here, and for a path longer than MaxPattern.
//
// Nothing in the request can make the line mean anything else to YAML.
func (r *Request) Line() string {
	switch {
	case r.Method == "CONNECT" && r.Scheme == "https":
		return "- {host: " + yamlHost(r.Host) + ", ports: [" + r.port() + "], tls: passthrough" + r.networks() + "}"
	case r.Scheme == "tcp":
		return "- {host: " + yamlHost(r.Host) + ", ports: [" + r.port() + "], schemes: [tcp]" + r.networks() + "}"
	case DefaultPort(r.Scheme) == 0 || r.Method == "CONNECT" || !isMethod(r.Method):
		return ""
	case r.Registry != "" && r.Package != "" && (r.Method == "GET" || r.Method == "HEAD"):
		return "- " + yamlText(literalVersion(r.Package))
	case r.Redirector() != "" && (r.Method == "GET" || r.Method == "HEAD"):
		return "- {host: " + yamlHost(r.Host) + r.connection() + ", via: [" + strconv.Quote(r.Redirector()) + "]" + r.networks() + "}"
	case len(r.Path) > MaxPattern:
		return ""
	case r.networks() != "":
		return "- {host: " + yamlHost(r.Host) + ", methods: [" + r.Method + "], paths: [" + strconv.Quote(r.Path) +
			"], ports: [" + r.port() + "], schemes: [" + r.Scheme + "]" + r.networks() + "}"
	default:
		return "- " + yamlText(r.Method+" "+r.Scheme+"://"+r.Authority()+r.Path)
	}
}

// literalVersion encodes the one operator of version ranges that a canonical purl
// leaves plain: the line is about the version that was asked for.
func literalVersion(purl string) string { return strings.Replace(purl, "@~", "@%7E", 1) }

// Redirector returns the first URL of another origin that redirected to r.
func (r *Request) Redirector() string {
	own := r.Scheme + "://" + r.Authority() + "/"
	for _, url := range r.Via {
		if !strings.HasPrefix(url, own) {
			return url
		}
	}
	return ""
}

// connection returns what a rule must add for a port or a scheme that is not the
// one of rules that name none.
func (r *Request) connection() string {
	var s string
	if r.Port != DefaultPort(r.Scheme) {
		s = ", ports: [" + r.port() + "]"
	}
	if r.Scheme != "https" {
		s += ", schemes: [" + r.Scheme + "]"
	}
	return s
}

func (r *Request) port() string { return strconv.Itoa(int(r.Port)) }

// networks returns what a rule must add for an address that is not public: a
// rule that does not name its network lets nobody dial it.
func (r *Request) networks() string {
	own, isPrivate := PrivateAddress(r.Host)
	if !isPrivate {
		return ""
	}
	return ", networks: [" + strconv.Quote(own.String()) + "]"
}

// PrivateAddress returns the network of one address that host is, where that is
// one that a rule must name before it is dialled.
func PrivateAddress(host string) (netip.Prefix, bool) {
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.IsGlobalUnicast() && !addr.IsPrivate() && !sharedSpace().Contains(addr) {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, addr.BitLen()), true
}

// sharedSpace is the shared address space of RFC 6598, which IsPrivate leaves
// out.
func sharedSpace() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)
}

// isMethod reports whether a rule can name the method.
func isMethod(m string) bool {
	return m != "" && 'A' <= m[0] && m[0] <= 'Z' && strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// yamlHost quotes what YAML could take for an address's mapping, a number, a
// date or a word of its own.
func yamlHost(host string) string {
	if host != "" && 'a' <= host[0] && host[0] <= 'z' && strings.Contains(host, ".") && !strings.Contains(host, ":") {
		return host
	}
	return strconv.Quote(host)
}

// yamlText quotes what YAML would not read as the same text, where it stands
// behind "- " on a line of its own: a colon at the end makes a mapping, and so
// does one before a space, and " #" begins a comment.
func yamlText(s string) string {
	plain := s != "" && ('a' <= s[0] && s[0] <= 'z' || 'A' <= s[0] && s[0] <= 'Z') &&
		!strings.HasSuffix(s, ":") && !strings.HasSuffix(s, " ") && !strings.Contains(s, ": ") && !strings.Contains(s, " #")
	for i := range len(s) {
		plain = plain && s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	return strconv.QuoteToASCII(s)
}
