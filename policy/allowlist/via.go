package allowlist

import (
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// redirector is where a redirect must come from: an origin, and the paths there.
type redirector struct {
	scheme   string // https or http
	host     string // as in a URL: an IPv6 address stands in brackets
	wildcard bool   // what is below host, not host itself
	port     uint16
	suffix   string   // the port as a URL has it: "" where it is the scheme's own
	path     *pattern // nil: any
}

func viaKey() ruleKey {
	return ruleKey{"via", "URLs, with a path pattern or any path, of which one must have redirected to exactly this URL before, in the same run: https://build.example.org/releases/**. Then paths may be left out, for the redirect names the path. Absent: however the request came about.", func(p *parser, r *rule, n *yaml.Node) {
		r.via = p.via(n)
	}}
}

// via reads a URL pattern, or a list of them.
func (p *parser) via(n *yaml.Node) []redirector {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = p.items(n, "via")
	}
	var out []redirector
	for _, item := range items {
		if p.full() {
			break
		}
		if from, ok := p.redirector(item); ok {
			out = append(out, from)
		}
	}
	return out
}

func (p *parser) redirector(n *yaml.Node) (redirector, bool) {
	const hint = "write a URL such as https://build.example.org/releases/**"
	text, ok := p.text(n, "a redirecting URL")
	if !ok {
		return redirector{}, false
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || strings.Contains(scheme, " ") {
		if _, url, spaced := strings.Cut(text, " "); spaced && ok {
			p.at(n, quoted(text)+" has a method: whatever is redirected counts", "write "+url)
			return redirector{}, false
		}
		p.at(n, quoted(text)+" is not a URL", hint)
		return redirector{}, false
	}
	set, ok := p.schemeName(n, scheme)
	if ok && set&(schemeHTTPS|schemeHTTP) == 0 {
		p.at(n, "nothing redirects over "+scheme, hint)
		ok = false
	}
	if !ok {
		return redirector{}, false
	}
	before, offset := len(p.mistakes), len(scheme)+3
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	from := redirector{scheme: scheme}
	from.host, from.port, from.wildcard, _ = p.authority(n, offset, authority)
	from.complete()
	if path != "" {
		if pat, ok := p.pathAt(n, offset+len(authority), path); ok {
			from.path = &pat
		}
	}
	return from, len(p.mistakes) == before
}

// complete sets what follows from what was read.
func (from *redirector) complete() {
	own := policy.DefaultPort(from.scheme)
	switch from.port {
	case 0, own:
		from.port = own
	default:
		from.suffix = ":" + strconv.Itoa(int(from.port))
	}
	if strings.Contains(from.host, ":") {
		from.host = "[" + from.host + "]"
	}
}

// matchesVia reports whether the request was redirected to from where the rule
// says. It is no condition of a deny rule, see consistent.
func (r *rule) matchesVia(q *question) bool {
	if r.via == nil {
		return true
	}
	for _, url := range q.Via {
		for i := range r.via {
			if r.via[i].matches(url) {
				return true
			}
		}
	}
	return false
}

// matches reports whether the URL of a request, as policy.Request.Via has it, is
// one that may redirect.
func (from *redirector) matches(url string) bool {
	rest, ok := strings.CutPrefix(url, from.scheme)
	if !ok {
		return false
	}
	if rest, ok = strings.CutPrefix(rest, "://"); !ok {
		return false
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return false
	}
	host, ok := strings.CutSuffix(rest[:slash], from.suffix)
	if !ok || !from.coversName(host) {
		return false
	}
	if from.path == nil {
		return true
	}
	matched, known := from.path.match(rest[slash:], true)
	return matched && known
}

// coversName reports whether the pattern's host is about a host as it stands in a
// URL. A port behind the host is part of it.
func (from *redirector) coversName(host string) bool {
	if !from.wildcard {
		return host == from.host
	}
	return len(host) > len(from.host) && strings.HasSuffix(host, from.host) && host[len(host)-len(from.host)-1] == '.'
}

// coversVia reports whether whatever redirects for a does for r.
func (r *rule) coversVia(a *rule) bool {
	switch {
	case r.via == nil:
		return true
	case a.via == nil:
		return false
	}
	for i := range a.via {
		if !slices.ContainsFunc(r.via, func(from redirector) bool { return from.covers(&a.via[i]) }) {
			return false
		}
	}
	return true
}

// covers reports whether every URL of a is certainly one of from.
func (from *redirector) covers(a *redirector) bool {
	switch {
	case from.scheme != a.scheme || from.port != a.port:
		return false
	case a.wildcard && !from.wildcard:
		return false
	case !(from.wildcard && a.wildcard && from.host == a.host) && !from.coversName(a.host):
		return false
	case from.path == nil:
		return true
	case a.path == nil:
		return from.path.covers(&pattern{prefix: "/", parts: []part{{kind: kindDeep}}})
	default:
		return from.path.covers(a.path)
	}
}

// String returns the pattern as it may be written.
func (from *redirector) String() string {
	s := from.scheme + "://"
	if from.wildcard {
		s += "*."
	}
	s += from.host + from.suffix
	if from.path != nil {
		s += from.path.String()
	}
	return s
}
