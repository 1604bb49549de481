package learn

import "github.com/juliendoutre/proxaudit/internal/hostlist"

// lists are the hosts that no build needs and that are never learned, and those
// of many tenants.
type lists struct {
	exfiltration, doh, metadata list
	tenants                     tenantList
}

func newLists() *lists {
	return &lists{
		list{hostlist.Exfiltration()}, list{hostlist.DoH()}, list{hostlist.Metadata()},
		tenantList{hostlist.Shared(), hostlist.CodeHosts()},
	}
}

type list struct{ hosts hostlist.List }

// match returns what the list says about k, or "". A connection that nobody can
// read may ask for any path.
func (l list) match(k key) string {
	return l.hosts.Match(k.host, k.path, k.method == passthrough || k.scheme == "tcp")
}
