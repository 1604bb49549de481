package learn

import (
	"strings"

	"github.com/juliendoutre/proxaudit/internal/hostlist"
)

// tenants says which segments of the paths of one host name whose something is.
// They are never written as a type: a rule that lets one tenant be read must not
// let another be, for anybody may become one.
type tenants struct {
	// leading is how many of the first segments do.
	leading int
}

// tenantList knows hosts of many tenants.
type tenantList struct{ shared, code hostlist.List }

// of returns the tenants of a host.
func (l tenantList) of(host string) tenants {
	var t tenants
	for rest, more := host, true; more; _, rest, more = strings.Cut(rest, ".") {
		for _, e := range l.shared[rest] {
			// The tenant's is the first segment behind the entry's path, /v0/b/.
			t.leading = max(t.leading, max(strings.Count(e.Path, "/"), 1))
		}
		if len(l.code[rest]) > 0 {
			t.leading = max(t.leading, 2) // owner and repository
		}
	}
	return t
}

// isCode reports whether a host is known to serve source code.
func (l tenantList) isCode(host string) bool { return l.code.Match(host, "", true) != "" }

// behind returns how many segments behind one that reads word name somebody, or
// something that anybody puts there.
func behind(word string) int {
	switch strings.ToLower(word) {
	case "project", "projects", "user", "users", "u", "org", "orgs", "organization", "organizations", "organisation", "organisations",
		"group", "groups", "team", "teams", "account", "accounts", "tenant", "tenants", "customer", "customers", "client", "clients",
		"owner", "owners", "workspace", "workspaces", "namespace", "namespaces", "subscription", "subscriptions",
		"bucket", "buckets", "b", "container", "containers", "app", "apps", "site", "sites", "space", "spaces",
		"channel", "channels", "room", "rooms", "guild", "guilds", "repo", "repository",
		"inbox", "inboxes", "bin", "bins", "share", "shares", "shared", "drop", "drops":
		return 1
	case "repos", "repositories", "gist", "gists", "snippet", "snippets", "paste", "pastes":
		return 2 // an owner before it, or a file behind it
	case "hook", "hooks", "webhook", "webhooks", "services", "attachment", "attachments", "user-attachments", "upload", "uploads":
		return 3
	default:
		return 0
	}
}

// in returns the set of segments, by their number, that name a tenant. The last
// bit stands for all from the 64th on.
func (t tenants) in(segments []string) uint64 {
	set := uint64(1)<<min(t.leading, 63) - 1
	for i, s := range segments {
		for n := behind(s); n > 0; n-- {
			set |= 1 << min(i+n, 63)
		}
	}
	return set
}
