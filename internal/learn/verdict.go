package learn

import (
	"errors"
	"net/netip"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/dialguard"
	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// The kinds of what is not learned, in the order in which they are listed.
const (
	kindMetadata = iota
	kindExfiltration
	kindDNS
	kindDenied
	kindFailed
	kindUDP
	kindOdd
	kindElsewhere
	kindSdist
	kinds
)

// verdict is what becomes of one flow.
type verdict struct {
	learned bool
	// kind and why are set for what is not learned.
	kind int
	why  string
	// review is why a person should look at what is learned; it may be empty.
	review string
	// gone is true when nothing was ever there: then the request may be repeated,
	// and what somebody puts there tomorrow must not be let in with it.
	gone bool
}

// judge decides about one flow. What goes somewhere that no build needs is left
// out whatever came of it.
func (l *Learner) judge(k key, f *flow) verdict {
	if kind, why := l.suspect(k); why != "" {
		return verdict{kind: kind, why: why}
	}
	if k.scheme == "udp" {
		return verdict{kind: kindUDP, why: "no rule lets UDP through"}
	}
	if why := unwritable(k); why != "" {
		return verdict{kind: kindOdd, why: why}
	}
	read := isRead(k.method)
	switch {
	case f.ruled > 0:
		// What passed in a run without that rule is no reason to lift it.
		return verdict{kind: kindDenied, why: f.why}
	case f.ok > 0 && f.denied > 0:
		return verdict{learned: true, review: "denied at another time"}
	case f.ok > 0 && isAddress(k.host):
		return verdict{learned: true, review: "an address, not a name"}
	case f.ok > 0:
		return verdict{learned: true}
	case f.cut > 0:
		return verdict{learned: true, review: "the answer broke off"}
	case f.denied > 0:
		return verdict{kind: kindDenied, why: f.why}
	case f.missing > 0 && read:
		return verdict{learned: true, gone: true, review: "not found (404)"}
	case f.auth > 0 && read:
		return verdict{learned: true, gone: true, review: "only refused by the server (401 or 403)"}
	case f.missing > 0:
		return verdict{kind: kindFailed, why: "answered 404"}
	case f.auth > 0:
		return verdict{kind: kindFailed, why: "answered 401 or 403"}
	case f.failed > 0:
		return verdict{kind: kindFailed, why: f.why}
	default:
		return verdict{learned: true, review: "no answer was seen"}
	}
}

// suspect returns why k must not be learned, whatever came of it.
func (l *Learner) suspect(k key) (kind int, why string) {
	if kind, why := l.listed(k); why != "" {
		return kind, why
	}
	for addr := range l.addresses[k.endpoint] {
		if isMetadata(addr) {
			return kindMetadata, "the name leads to the address of a cloud metadata service"
		}
	}
	return 0, ""
}

// listed is suspect for what stands in k itself.
func (l *Learner) listed(k key) (kind int, why string) {
	if entry := l.lists.metadata.match(k); entry != "" {
		return kindMetadata, entry
	}
	if addr, err := netip.ParseAddr(k.host); err == nil && isMetadata(addr) {
		return kindMetadata, "the address of a cloud metadata service"
	}
	if entry := l.lists.exfiltration.match(k); entry != "" {
		return kindExfiltration, entry
	}
	if entry := l.lists.doh.match(k); entry != "" {
		return kindDNS, entry
	}
	if strings.HasSuffix(strings.TrimSuffix(k.path, "/"), "/dns-query") {
		return kindDNS, "the path of DNS over HTTPS (RFC 8484)"
	}
	if k.scheme == "tcp" && k.port == 853 || k.method == passthrough && k.port == 853 {
		return kindDNS, "the port of DNS over TLS (RFC 7858)"
	}
	return 0, ""
}

// unwritable returns why no rule can name k. Nothing that passes it needs
// escaping in YAML beyond quotes.
func unwritable(k key) string {
	if canonical, err := hostname.Canonical(k.host); err != nil || canonical != k.host {
		return "the host is not in canonical form"
	}
	if k.port == 0 {
		return "no port was recorded"
	}
	switch k.scheme {
	case "tcp":
		return ""
	case "https", "http", "ws", "wss":
	default:
		return "no rule knows this scheme"
	}
	if k.method == passthrough {
		return ""
	}
	if !isMethod(k.method) {
		return "no rule knows this method"
	}
	if k.service == oddService {
		return "its query asks git for a service that is neither a fetch nor a push"
	}
	return unwritablePath(k.path)
}

// unwritablePath returns why no pattern of a policy can name path.
func unwritablePath(path string) string {
	const maxMasked = 6
	if canonical, err := policy.CanonicalPath(path); err != nil || canonical != path {
		return "the path can be read in two ways"
	}
	switch {
	case len(path) > policy.MaxPattern:
		return "the path is too long"
	case strings.Contains(path, "%EE%80%8"):
		return "the path holds a private-use character"
	}
	if strings.Count(path, "/") > maxMasked {
		if masked, _ := mask(path); strings.Count(masked, "*") > maxMasked {
			return "too much of the path looks like secrets"
		}
	}
	return ""
}

// isMethod is what a policy takes for a method.
func isMethod(s string) bool {
	return s != "" && len(s) <= 32 && 'A' <= s[0] && s[0] <= 'Z' &&
		strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// isPublic reports whether addr may be dialled without a rule that names it.
func isPublic(addr netip.Addr) bool { return dialguard.Check(addr, nil) == nil }

func isMetadata(addr netip.Addr) bool {
	var refused *dialguard.Refused
	return errors.As(dialguard.Check(addr, nil), &refused) && refused.Range == "cloud metadata"
}
