package policy

import (
	"net/netip"
	"strconv"
	"strings"
)

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

// Line returns the entry to put under `allow:` in a YAML policy so that exactly
// this request is allowed: a package where a registered registry names one,
// else one method at one path. The query is not part of a rule and is left out,
// so no secret in it can reach a policy.
func (r *Request) Line() string {
	switch {
	case r.Registry != "" && r.Package != "" && (r.Method == "GET" || r.Method == "HEAD"):
		return "- " + r.Package
	case r.Scheme == "tcp":
		return "- {host: " + yamlHost(r.Host) + ", ports: [" + strconv.Itoa(int(r.Port)) + "], schemes: [tcp]}"
	default:
		return "- " + r.Method + " " + r.Scheme + "://" + r.Authority() + r.Path
	}
}

// yamlHost quotes an address, whose colons YAML would take for a mapping.
func yamlHost(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return strconv.Quote(host)
	}
	return host
}
