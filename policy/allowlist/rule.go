package allowlist

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// rule is one entry of a list, compiled. It is either about a package or about
// a host.
type rule struct {
	action policy.Action
	line   int
	order  int    // among the rules of the file
	name   string // file:line
	reason string

	pkg *packagePattern

	host     string
	wildcard bool // what is below host, not host itself
	schemes  schemes
	// methods nil means any under deny, and reads only elsewhere.
	methods []string
	// ports nil means any under deny, and the scheme's own elsewhere.
	ports       []uint16
	paths       []pattern // nil means any
	networks    []netip.Prefix
	passthrough bool
	// processes nil means any.
	processes []string
	// query nil means any, and empty none at all.
	query   []condition
	headers []condition // nil means any
	// via nil means however the request came about.
	via     []redirector
	expires *expiry // nil means never

	// node is where the rule is written, kept for who points at it; see
	// parser.places.
	node *yaml.Node
}

// newRule returns a rule with the defaults of its list.
func newRule(file string, line int, a policy.Action) *rule {
	r := &rule{action: a, line: line, name: file + ":" + strconv.Itoa(line)}
	switch a {
	case policy.Allow:
		r.reason, r.schemes = "allowed by rule", schemeHTTPS
	case policy.Log:
		r.reason, r.schemes = "logged by rule", schemeHTTPS
	default:
		r.reason, r.schemes = "denied by rule", schemeAny
	}
	return r
}

// schemes is a set of schemes.
type schemes uint8

const (
	schemeHTTP schemes = 1 << iota
	schemeHTTPS
	schemeWS
	schemeWSS
	schemeTCP
	schemeOther
	schemeAny schemes = 1<<iota - 1
)

func schemeNames() []string { return []string{"https", "http", "wss", "ws", "tcp"} }

func schemeOf(name string) schemes {
	switch name {
	case "http":
		return schemeHTTP
	case "https":
		return schemeHTTPS
	case "ws":
		return schemeWS
	case "wss":
		return schemeWSS
	case "tcp":
		return schemeTCP
	default:
		return schemeOther
	}
}

// matchesPort reports whether the rule covers the request's port.
func (r *rule) matchesPort(q *question) bool {
	if r.ports == nil {
		return r.action == policy.Deny || q.Port == policy.DefaultPort(q.Scheme)
	}
	return slices.Contains(r.ports, q.Port)
}

// matchesMethod reports whether the rule covers the request's method. Raw TCP
// has none.
func (r *rule) matchesMethod(q *question) bool {
	switch {
	case r.action == policy.Deny:
		return r.methods == nil || q.overridden()&overridesMethod != 0 || q.methodInQuery() ||
			slices.ContainsFunc(r.methods, func(m string) bool { return strings.EqualFold(m, q.Method) })
	case q.scheme == schemeTCP:
		return true
	case r.methods == nil:
		return isRead(q)
	default:
		return slices.Contains(r.methods, q.Method)
	}
}

// matches reports whether the rule covers everything but host and path.
func (r *rule) matches(q *question) bool {
	return r.schemes&q.scheme != 0 && r.matchesPort(q) && r.matchesMethod(q) && r.matchesProcess(q) &&
		r.matchesHeaders(q) && r.matchesQuery(q) && r.matchesVia(q) && !r.expired(q)
}

// isRead reports whether the request only reads: GET, and HEAD, which a
// WebSocket handshake cannot be.
func isRead(q *question) bool {
	return q.Method == "GET" || q.Method == "HEAD" && q.scheme&(schemeHTTP|schemeHTTPS) != 0
}
