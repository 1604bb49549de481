package allowlist

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/juliendoutre/proxaudit/internal/spelling"
	"github.com/juliendoutre/proxaudit/policy"
)

// slips points at what can be read and is likely not what was meant.
func (w *linting) slips(r placed) {
	for _, m := range r.methods {
		if !slices.Contains(knownMethods(), m) {
			w.at(r, policy.Warning, "unknown-method", m+" is no method that is registered or in wide use", methodMend(m), "methods")
		}
	}
	for _, p := range r.pathsWritten() {
		if likeRegexp().MatchString(p) {
			w.at(r, policy.Warning, "regular-expression", "the path "+quoted(p)+" looks like a regular expression, and is compared as a pattern",
				"write * for any run in a segment, ** across segments, {int} or {version} for a part that is one", "paths")
		}
	}
	for _, p := range r.processes {
		if strings.Contains(path.Base(p), " ") || strings.Contains(p, " -") {
			program, _, _ := strings.Cut(p, " ")
			w.at(r, policy.Warning, "process-arguments", "a process is named by its program, and no program is called "+quoted(p), "write "+program, "processes")
		}
	}
	if r.action == policy.Deny && r.pkg != nil && r.pkg.name != nil && r.pkg.key == namespaced(r.pkg.key) {
		w.at(r, policy.Warning, "without-namespace", "the rule is about packages without a scope or namespace alone: "+r.pkg.key+"scope/name is not denied",
			"deny the host of the registry, or write a rule for each: "+r.pkg.key+"scope/*", "package")
	}
}

// namespaced returns key where it has no namespace and packages of its type may.
func namespaced(key string) string {
	typ, rest, _ := strings.Cut(strings.TrimPrefix(key, "pkg:"), "/")
	switch typ {
	case packageurl.TypePyPi, packageurl.TypeCargo, packageurl.TypeGem, packageurl.TypeNuget:
		return ""
	}
	if rest != "" {
		return ""
	}
	return key
}

// likeRegexp is what is rarely meant in a path: ".*" or ".+" for a segment, groups
// that are repeated or hold alternatives, anchors. A bar and a caret stand in no path as they are
// (RFC 3986 section 3.3).
var likeRegexp = lazily(`/\.[*+]|\)[*+?]|[|^]|[*+)]\$$`)

// knownMethods are those of the HTTP Method Registry of IANA, and what caches and
// stores of secrets use beside them.
func knownMethods() []string {
	return []string{
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY",
		"ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK", "LOCK", "MERGE",
		"MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH", "PROPFIND",
		"PROPPATCH", "REBIND", "REPORT", "SEARCH", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE",
		"UPDATEREDIRECTREF", "VERSION-CONTROL", "PURGE", "BAN", "LIST",
	}
}

func methodMend(m string) string {
	if m == "ANY" || m == "ALL" {
		return "write each method that is meant: [GET, HEAD, POST]; under deny, none for any"
	}
	known := knownMethods()
	for i := range known {
		known[i] = strings.ToLower(known[i])
	}
	best := strings.ToUpper(spelling.Nearest(m, known))
	if best == "" {
		return "correct it, or say why it is right with # proxaudit:ignore unknown-method REASON"
	}
	return "did you mean " + best + "?"
}

// unreachable points at an address that would be allowed and not be dialled, for no
// network of the rule holds it. The name localhost is one (RFC 6761 section 6.3).
func (w *linting) unreachable(r placed) {
	host := r.host
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	own, isPrivate := policy.PrivateAddress(host)
	if !isPrivate || slices.ContainsFunc(r.rule.networks, func(n netip.Prefix) bool { return n.Contains(own.Addr()) }) {
		return
	}
	if host != r.host && slices.ContainsFunc(r.rule.networks, func(n netip.Prefix) bool { return n.Addr().IsLoopback() }) {
		return
	}
	w.at(r, policy.Warning, "private-address", r.pattern()+" is not a public address, and no network of the rule holds it: it is never dialled", "add networks: ["+own.String()+"]", "host")
}
