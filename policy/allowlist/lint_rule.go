package allowlist

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/hostlist"
	"github.com/juliendoutre/proxaudit/policy"
)

// rule looks at one rule by itself.
func (w *linting) rule(r placed) {
	w.date(r)
	w.slips(r)
	if r.action == policy.Deny {
		return
	}
	w.networks(r)
	w.unreachable(r)
	if r.pkg != nil {
		w.registry(r)
		return
	}
	w.unread(r)
	w.tenants(r)
	w.codeHost(r)
}

func (w *linting) date(r placed) {
	if r.expires == nil {
		return
	}
	ends := r.expires.end - w.Now.Unix()
	switch {
	case ends > int64(soon.Seconds()):
	case ends > 0:
		w.at(r, policy.Warning, "expires-soon", "the rule expires on "+r.expires.day, "review it: give it a later date, or remove it in time", "expires")
	case r.action == policy.Deny:
		w.at(r, policy.Error, "expired", "the rule expired on "+r.expires.day+" and still denies: time alone opens nothing", "review it: remove the rule, or its date", "expires")
	default:
		w.at(r, policy.Error, "expired", "the rule expired on "+r.expires.day+" and matches nothing any more", "review it: give it a later date, or remove it", "expires")
	}
}

// networks points at networks that hold more than one service would need: more
// than 65,536 IPv4 addresses or 65,536 IPv6 networks (a /48 is one site, RFC 6177).
func (w *linting) networks(r placed) {
	for _, n := range r.rule.networks {
		least := 16
		if n.Addr().Is6() {
			least = 48
		}
		switch {
		case n.Contains(netip.AddrFrom4([4]byte{169, 254, 169, 254})):
			w.at(r, policy.Warning, "wide-network", n.String()+" holds the metadata service of clouds, which gives out credentials", "name the network of the host alone", "networks", "host")
		case n.Bits() < least && !n.Addr().IsLoopback():
			w.at(r, policy.Warning, "wide-network", n.String()+" is wide: whatever name the host is given there can be dialled", "name the network of the host alone, such as "+netip.PrefixFrom(n.Addr(), least+8).String(), "networks", "host")
		}
	}
}

func (w *linting) registry(r placed) {
	typ, _, _ := strings.Cut(strings.TrimPrefix(r.pkg.key, "pkg:"), "/")
	if !w.registries[typ] {
		w.at(r, policy.Warning, "package-without-registry", "the rule matches nothing: no registry of "+typ+" is named",
			"add it under registries:, such as "+typ+": https://"+typ+".example.org/", "package")
	}
}

// unread points at what nobody reads or can trust on its way.
func (w *linting) unread(r placed) {
	if r.passthrough {
		w.at(r, policy.Note, "tls-passthrough", "connections to "+r.pattern()+" pass undecrypted: what is asked of it is not seen", "remove tls: passthrough where the client accepts the run's authority", "tls")
	}
	if r.schemes&schemeTCP != 0 {
		w.at(r, policy.Note, "raw-tcp", "raw tcp to "+r.pattern()+" passes unread, whatever it is", "keep to one port, and to a host of your own", "schemes")
		if len(r.ports) > 8 {
			w.at(r, policy.Warning, "many-ports", "raw tcp to "+strconv.Itoa(len(r.ports))+" ports: nearly any service there can be reached", "name the one port that is needed", "ports")
		}
	}
	if addr, err := netip.ParseAddr(r.host); r.schemes&(schemeHTTP|schemeWS) != 0 && (err != nil || !addr.IsLoopback()) {
		w.plainHTTP(r.file, keyOf(r.node, []string{"schemes"}), "plain http to "+r.pattern())
	}
}

// pattern returns the host as the rule has it.
func (r *rule) pattern() string {
	if r.wildcard {
		return "*." + r.host
	}
	return r.host
}

// tenants points at hosts where anyone can put something, or take something in.
func (w *linting) tenants(r placed) {
	const mend = "name what is yours there: the host, or the first segments of the path"
	// Where a redirect must have led, it says whose place there is meant.
	if r.via != nil {
	} else if r.wildcard {
		if host, what := w.shared.Below(r.host); host != "" {
			w.at(r, policy.Warning, "wildcard-shared-domain", r.pattern()+" covers "+host+" ("+what+"), where anyone can have a name", mend, "host")
		}
	} else if e := slices.IndexFunc(w.shared[r.host], func(e hostlist.Entry) bool { return !r.namesTenant(e.Path) }); e >= 0 {
		w.at(r, policy.Warning, "shared-host", r.host+" serves "+w.shared[r.host][e].Comment+": anyone can have a place there, and no path says whose is meant", mend, "host")
	}
	if what := r.listed(w.exfiltration); what != "" {
		w.at(r, policy.Warning, "exfiltration-host", r.pattern()+": "+what+", which takes in what anyone sends", "remove the rule; a build has no use for it", "host")
	}
	if what := r.listed(w.metadata); what != "" {
		w.at(r, policy.Warning, "metadata-host", r.pattern()+" is a metadata service ("+what+"), which gives out credentials", "remove the rule, or name the one path that is needed", "host")
	}
}

// namesTenant reports whether each path of the rule that is below prefix has a
// literal segment behind it.
func (r *rule) namesTenant(prefix string) bool {
	if r.paths == nil {
		return false
	}
	if prefix == "" {
		prefix = "/"
	}
	for _, p := range r.paths {
		rest, below := strings.CutPrefix(p.prefix, prefix)
		switch {
		case !below:
			if len(p.parts) > 0 && strings.HasPrefix(prefix, p.prefix) {
				return false
			}
		case len(p.parts) > 0 && strings.IndexByte(rest, '/') < 1:
			return false
		}
	}
	return true
}

// listed returns what a list says about what the rule covers, or "".
func (r *rule) listed(l hostlist.List) string {
	if r.wildcard {
		if _, what := l.Below(r.host); what != "" {
			return what
		}
	}
	if r.paths == nil {
		return l.Match(r.host, "", true)
	}
	for _, p := range r.paths {
		if what := l.Match(r.host, p.prefix, false); what != "" {
			return what
		}
	}
	return ""
}

func (w *linting) codeHost(r placed) {
	what := w.codeHosts.Match(r.host, "", true)
	if r.wildcard && what == "" {
		_, what = w.codeHosts.Below(r.host)
	}
	write := slices.IndexFunc(r.methods, func(m string) bool { return m != "GET" && m != "HEAD" && m != "OPTIONS" })
	if what == "" || write < 0 || r.schemes&schemeTCP != 0 {
		return
	}
	if r.paths == nil || slices.ContainsFunc(r.paths, func(p pattern) bool { return !p.namesAny() }) {
		w.at(r, policy.Warning, "code-host-write", r.methods[write]+" to any path of "+r.pattern()+" ("+what+"): secrets can be published there",
			"name the paths, with the owner in them: paths: [/example/app/**]", "methods", "host")
	}
}

// namesAny reports whether a pattern has a literal segment.
func (pat *pattern) namesAny() bool {
	if len(pat.parts) == 0 || strings.Trim(pat.prefix, "/") != "" {
		return true
	}
	return slices.ContainsFunc(pat.parts, func(p part) bool { return strings.Trim(p.literal, "/") != "" })
}
