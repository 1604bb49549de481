package allowlist

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// covers reports whether every request that a matches is certainly matched by r
// as well, where r is in the same list or in one that wins. It says no where it cannot tell: of two patterns with stars, say.
func (r *rule) covers(a *rule) bool {
	if r.pkg != nil || a.pkg != nil {
		return r.pkg != nil && a.pkg != nil && r.pkg.covers(a.pkg, r.action == policy.Deny) && r.coversRest(a)
	}
	return r.coversHost(a) && r.coversConnection(a) && r.coversRest(a)
}

// coversRest compares what rules for packages and for hosts have in common.
func (r *rule) coversRest(a *rule) bool {
	for _, p := range a.processes {
		if r.processes != nil && !slices.Contains(r.processes, p) {
			return false
		}
	}
	if r.processes != nil && a.processes == nil {
		return false
	}
	// A deny rule does not end with its date, see expired.
	if r.action != policy.Deny && r.expires != nil && (a.expires == nil || a.expires.end > r.expires.end) {
		return false
	}
	return r.action != a.action || r.coversNetworks(a)
}

// coversNetworks matters among rules of one list: networks are joined.
func (r *rule) coversNetworks(a *rule) bool {
	for _, n := range a.networks {
		if !slices.ContainsFunc(r.networks, func(m netip.Prefix) bool { return m.Bits() <= n.Bits() && m.Contains(n.Addr()) }) {
			return false
		}
	}
	return true
}

func (r *rule) coversHost(a *rule) bool {
	if r.wildcard {
		return a.wildcard && a.host == r.host || strings.HasSuffix(a.host, "."+r.host)
	}
	return !a.wildcard && a.host == r.host
}

func (r *rule) coversConnection(a *rule) bool {
	if a.passthrough || r.passthrough {
		return r.coversOpaque(a)
	}
	switch {
	case a.schemes&^r.schemes != 0:
		return false
	case a.schemes == schemeTCP:
		return r.coversPorts(a)
	}
	return r.coversPaths(a) && r.coversPorts(a) && r.coversMethods(a) &&
		(r.query == nil && (r.action == policy.Deny || !a.listsMethod()) || r.action == a.action && reflect.DeepEqual(a.query, r.query)) &&
		r.coversVia(a) &&
		(r.headers == nil || r.action == a.action && reflect.DeepEqual(a.headers, r.headers))
}

// coversOpaque is for rules of which one lets connections pass undecrypted: any
// deny rule for the host keeps them from it, see decideOpaque.
func (r *rule) coversOpaque(a *rule) bool {
	if r.action == policy.Deny && a.passthrough {
		return r.schemes&(schemeHTTPS|schemeWSS) != 0 && r.coversPorts(a)
	}
	return a.passthrough && r.passthrough && r.coversPorts(a)
}

func (r *rule) coversPorts(a *rule) bool {
	if r.ports == nil && r.action == policy.Deny {
		// Of raw bytes, it denies those to its own ports alone, see deniesRaw.
		return a.action != policy.Deny || a.ports == nil || r.schemes&schemeTCP != 0
	}
	if a.ports == nil && a.action == policy.Deny {
		return false
	}
	for _, name := range schemeNames() {
		own := policy.DefaultPort(name)
		if a.schemes&schemeOf(name) == 0 {
			continue
		}
		for _, port := range portsOr(a.ports, own) {
			if !slices.Contains(portsOr(r.ports, own), port) {
				return false
			}
		}
	}
	return true
}

func portsOr(ports []uint16, own uint16) []uint16 {
	if ports == nil {
		return []uint16{own}
	}
	return ports
}

func (r *rule) coversMethods(a *rule) bool {
	if r.methods == nil && r.action == policy.Deny {
		return true
	}
	if a.methods == nil && a.action == policy.Deny {
		return false
	}
	for _, m := range methodsOr(a.methods) {
		// Without methods, HEAD is no part of a WebSocket's, see isRead.
		socket := m == "HEAD" && r.methods == nil && a.methods != nil && a.schemes&(schemeWS|schemeWSS) != 0
		if socket || !slices.Contains(methodsOr(r.methods), m) {
			return false
		}
	}
	return true
}

func methodsOr(methods []string) []string {
	if methods == nil {
		return []string{"GET", "HEAD"}
	}
	return methods
}

func (r *rule) coversPaths(a *rule) bool {
	if r.paths == nil {
		return true
	}
	paths := a.paths
	if paths == nil {
		paths = []pattern{{prefix: "/", parts: []part{{kind: kindDeep}}}}
	}
	for i := range paths {
		if !r.coversPath(&paths[i]) {
			return false
		}
	}
	return true
}

func (r *rule) coversPath(a *pattern) bool {
	for i := range r.paths {
		if r.paths[i].covers(a) {
			return true
		}
	}
	return false
}

// covers reports whether every path of a is certainly one of r.
func (pat *pattern) covers(a *pattern) bool {
	if len(pat.parts) == 0 {
		return len(a.parts) == 0 && pat.prefix == a.prefix
	}
	if pat.prefix == a.prefix && slices.Equal(pat.parts, a.parts) {
		return true
	}
	if len(pat.parts) == 1 && pat.parts[0] == (part{kind: kindDeep}) {
		return strings.HasPrefix(a.prefix, pat.prefix)
	}
	// A byte that no literal has stands for each star of a: where pat takes it by a
	// star, it takes whatever the star of a stands for. So for typed parts, which a
	// part of the same kind takes as well. A ** may hold slashes, and is not looked
	// into.
	text := a.prefix
	for _, p := range a.parts {
		if p.kind == kindDeep {
			return false
		}
		text += string(rune(p.kind.stand())) + p.literal
	}
	matched, known := pat.compare(matcher{text: text, encoded: true, stands: true})
	return matched && known
}

// covers reports whether every package of a is one of r. A deny rule for a
// version does not deny what is about all versions; that much is left aside.
func (pat *packagePattern) covers(a *packagePattern, deny bool) bool {
	switch {
	case pat.name == nil && (a.name != nil || pat.key != a.key):
		return false
	case pat.name != nil && !pat.coversName(a):
		return false
	}
	for _, q := range pat.qualifiers {
		if !slices.Contains(a.qualifiers, q) {
			return false
		}
	}
	switch {
	case pat.version == nil && pat.versions == nil:
		return true
	case a.version != nil && len(a.version.rest) == 0:
		return pat.matchesVersion(a.version.first, deny)
	case a.version != nil && pat.version != nil:
		return reflect.DeepEqual(a.version, pat.version)
	default:
		return false
	}
}

func (pat *packagePattern) coversName(a *packagePattern) bool {
	if a.name != nil {
		return pat.key == a.key && (reflect.DeepEqual(pat.name, a.name) || reflect.DeepEqual(pat.name, newGlob(star)))
	}
	parts := newParts(a.key, "", "")
	return pat.key == a.key[:parts.slash] && pat.name.match(parts.name())
}
