package allowlist

import (
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/internal/hostname"
)

// authority reads the host and the port of a URL that begins at offset of n.
// The port is 0 when none is written.
func (p *parser) authority(n *yaml.Node, offset int, text string) (host string, port uint16, wildcard, ok bool) {
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		p.within(n, offset, "a user or a password has no place in a policy", "remove what is before the @: "+text[i+1:])
		return "", 0, false, false
	}
	name, digits, hasPort := text, "", false
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		name, digits, hasPort = text[:i], text[i+1:], true
	}
	if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") && strings.Contains(name, ":") {
		offset, name = offset+1, name[1:len(name)-1]
	} else if strings.Contains(name, ":") {
		p.within(n, offset, "an IPv6 address in a URL needs brackets", "write ["+text+"]")
		return "", 0, false, false
	}
	host, wildcard, ok = p.host(n, offset, name)
	if hasPort {
		p2, good := p.portNumber(n, offset+len(text)-len(digits), digits)
		port, ok = p2, ok && good
	}
	return host, port, wildcard, ok
}

// host reads an exact host or *.name that begins at offset of n.
func (p *parser) host(n *yaml.Node, offset int, text string) (name string, wildcard, ok bool) {
	rest, wildcard := strings.CutPrefix(text, "*.")
	name, err := hostname.Canonical(rest)
	if err != nil || name != rest {
		if message, hint := hostSlip(text); message != "" {
			p.within(n, offset, message, hint)
			return "", false, false
		}
	}
	if i := strings.IndexByte(rest, '*'); i >= 0 {
		p.within(n, offset+len(text)-len(rest)+i, "a wildcard stands for whole labels at the front of a host, once",
			"write *.example.org, or name the hosts")
		return "", false, false
	}
	switch {
	case err != nil:
		p.within(n, offset, err.Error(), "write a name such as build.example.org, or an address")
	case name != rest:
		if wildcard {
			name = "*." + name
		}
		p.within(n, offset, "host "+quoted(text)+" is not in canonical form", "write "+name)
	case wildcard && hostname.IsIP(name):
		p.within(n, offset, "a wildcard over an address", "write the address, or a rule for each")
	case wildcard && hostname.IsPublicSuffix(name):
		p.within(n, offset, quoted(text)+" is a wildcard over a public suffix: anyone may own a name below it",
			"name the hosts, or the domain below "+name+" that is meant")
	default:
		return name, wildcard, true
	}
	return "", false, false
}
