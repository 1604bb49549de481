package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// The rules that no policy file holds, as events and denials name them.
const (
	ruleIdentity = "proxaudit:identity" // names of one request that disagree
	rulePath     = "proxaudit:path"     // a path that can be read in two ways
	ruleAddress  = "proxaudit:address"  // an address that is not public
	ruleMessage  = "proxaudit:message"  // a request that is not well-formed HTTP
	ruleUpgrade  = "proxaudit:upgrade"  // a protocol that cannot be judged
)

// problem is why a request is refused without asking the policy.
type problem struct {
	rule   string
	status int // 400: it cannot be forwarded in any mode
	reason string
}

func refused(rule string, status int, format string, args ...any) *problem {
	return &problem{rule: rule, status: status, reason: fmt.Sprintf(format, args...)}
}

// identify fills x.request from r and makes r.URL absolute, so that what is
// judged is what is dialled. In a tunnel, the CONNECT target, the TLS server
// name and the request's authority must name the same host and port.
func (p *Proxy) identify(x *exchange, r *http.Request, t target) *problem {
	q := &x.request
	cc := connOf(r.Context())
	q.Method, q.Query, q.Header, q.Process = r.Method, r.URL.RawQuery, r.Header, p.who(cc)
	q.Scheme, q.Host, q.Port = cc.scheme, t.host, t.port
	absolute := r.URL.IsAbs()
	if absolute && t.host == "" {
		q.Scheme = strings.ToLower(r.URL.Scheme)
	}
	wanted := q.Scheme // of the connection; WebSocket changes the request's
	if isWebSocket(r) {
		q.Scheme = "ws" + strings.TrimPrefix(q.Scheme, "http")
	}
	bad := p.nameHost(q, r, t, wanted, absolute)
	if bad == nil {
		bad = wellFormed(r)
	}
	keepEscapes(r.URL)
	cutFlat(r.Method, r.URL)
	if q.Host != "" {
		r.URL.Scheme, r.URL.Host, r.URL.User = wanted, authority(q, t), nil
		q.Path = r.URL.EscapedPath()
		keepHost(r, q)
	} else {
		r.URL = &url.URL{Scheme: "invalid", Host: "invalid"}
	}
	if bad != nil {
		return bad
	}
	path, err := policy.CanonicalPath(q.Path)
	if err != nil {
		return refused(rulePath, http.StatusForbidden, "%v", err)
	}
	q.Path = path
	if bad := ambiguousQuery(q.Query); bad != nil {
		return bad
	}
	if p.Identify != nil {
		q.Package, q.Registry = p.Identify(q)
	}
	return nil
}

// nameHost finds the host and port that r names and compares all who name one.
func (p *Proxy) nameHost(q *policy.Request, r *http.Request, t target, scheme string, absolute bool) *problem {
	if scheme != "http" && scheme != "https" {
		return refused(ruleIdentity, http.StatusBadRequest, "scheme %q: only http and https can be proxied", scheme)
	}
	if r.URL.User != nil {
		return refused(ruleIdentity, http.StatusBadRequest, "user information in the URL (RFC 9110 section 4.2.4)")
	}
	if t.host != "" && (r.Host == t.full || r.Host == t.authority(scheme)) {
		// As nearly every request spells it: q has it from t.
	} else if r.Host != "" || t.host == "" {
		host, port, err := hostname.ParseAuthority(r.Host)
		if err != nil {
			q.Host = ""
			return refused(ruleIdentity, http.StatusBadRequest, "host %q: %v", r.Host, err)
		}
		if port == 0 {
			port = policy.DefaultPort(scheme)
		}
		q.Host, q.Port = host, port
	} // else HTTP/1.0 without Host: the tunnel says where it leads
	if t.host == "" {
		return nil
	}
	if absolute && !strings.EqualFold(r.URL.Scheme, scheme) {
		return refused(ruleIdentity, http.StatusForbidden, "scheme %q in a tunnel that holds %s", r.URL.Scheme, scheme)
	}
	if q.Host != t.host || q.Port != t.port {
		return refused(ruleIdentity, http.StatusForbidden, "the tunnel leads to %s port %d, the request names %s port %d", t.host, t.port, q.Host, q.Port)
	}
	if sni := connOf(r.Context()).serverName; sni != "" && sni != q.Host {
		if name, err := hostname.Canonical(sni); err != nil || name != q.Host {
			return refused(ruleIdentity, http.StatusForbidden, "the TLS server name is %q, the request names %s", sni, q.Host)
		}
	}
	return nil
}

// authority is what is dialled: what was decided about; while auditing, where
// the tunnel was asked to lead even when the request names something else.
func authority(q *policy.Request, t target) string {
	if t.host != "" {
		return t.authority(q.Scheme)
	}
	return q.Authority()
}

// keepHost leaves the Host field as the client spelled it where that spells
// what was decided, and canonical otherwise.
func keepHost(r *http.Request, q *policy.Request) {
	a := q.Authority()
	if !sameASCII(r.Host, a) && !sameASCII(r.Host, fmt.Sprintf("%s:%d", a, q.Port)) {
		r.Host = a
	}
}

// sameASCII compares without regard to the case of ASCII letters only: to Unicode
// the Kelvin sign is a k, and the transport would send it as an A-label.
func sameASCII(s, ascii string) bool {
	return len(s) == len(ascii) && strings.EqualFold(s, ascii) // what else folds to ASCII is longer
}
