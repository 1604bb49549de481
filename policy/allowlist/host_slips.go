package allowlist

import (
	"net/netip"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/hostname"
)

// hostSlip says what a text is that somebody took for a host, and what to write,
// "" where it is no such thing. A password in it is not repeated.
func hostSlip(text string) (message, hint string) {
	is := "host " + quoted(text)
	host, path, hasPath := strings.Cut(text, "/")
	_, bare, isURL := strings.Cut(text, "://")
	trimmed, err := hostname.Canonical(strings.TrimSpace(text))
	switch {
	case strings.Contains(text, "@"):
		return "a user or a password has no place in a policy", "write the host alone: what is behind the @"
	case strings.ContainsAny(text, "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"):
		return is + " holds a typographic quote", "write a straight quote, \" or ', or none"
	case strings.ContainsAny(text, `\^|()`):
		return is + " looks like a regular expression, and is compared as it stands", "write the name, or *.example.org for what is below example.org"
	case strings.ContainsAny(text, "${}"):
		return is + " holds a variable, and none is replaced in a policy", "write the name itself"
	case isURL:
		host, path, hasPath = strings.Cut(bare, "/")
		return is + " is a URL", hostAnd(host, path, hasPath) + "; or write the rule as that URL alone"
	case hasPath:
		if network, err := netip.ParsePrefix(text); err == nil {
			return is + " is a network", "write the host that is meant, and networks: [" + network.Masked().String() + "]"
		}
		return is + " holds a path", hostAnd(host, path, true)
	case text == "*":
		return "a wildcard over everything", "what no rule is about is for default:; write *.example.org, or name the hosts"
	case strings.HasSuffix(text, ",") || strings.HasSuffix(text, ";"):
		return is + " has a " + text[len(text)-1:] + " at its end", "write " + strings.TrimRight(text, ",; ") + ": a comma stands only between what is in brackets or braces"
	case strings.HasPrefix(text, "."):
		return is + " begins with a dot", "write \"*" + text + "\" for what is below " + text[1:] + ", and a rule for " + text[1:] + " itself"
	case err == nil && strings.TrimSpace(text) != text:
		return is + " has a blank at its end or front", "write " + trimmed
	}
	if _, port, err := hostname.ParseAuthority(text); err == nil && port != 0 {
		return is + " holds a port", hostAnd(text, "", false)
	}
	return "", ""
}

// hostAnd says how host, which may have a port, and path are written in a rule.
func hostAnd(host, path string, hasPath bool) string {
	s := "write host: " + host
	if name, port, err := hostname.ParseAuthority(host); err == nil && port != 0 {
		s = "write host: " + name + " and ports: [" + host[strings.LastIndexByte(host, ':')+1:] + "]"
	}
	if hasPath && path != "" {
		s += " and paths: [/" + path + "]"
	}
	return s
}
