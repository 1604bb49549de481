package learn

import (
	_ "embed"
	"strings"
)

// The lists of hosts that no build needs and that are never learned. They are
// data, not proof: whoever wants to leak finds a host that stands on no list.
var (
	//go:embed exfiltration.txt
	exfiltrationText string
	//go:embed doh.txt
	dohText string
	//go:embed metadata.txt
	metadataText string
)

type lists struct{ exfiltration, doh, metadata list }

func newLists() *lists {
	return &lists{parseList(exfiltrationText), parseList(dohText), parseList(metadataText)}
}

// list maps a host to its entries.
type list map[string][]entry

type entry struct {
	path    string // a path prefix, or ""
	comment string
}

// parseList reads lines of the form "host[/path]  # what it is". An entry covers
// the host and what is below it; a path, what begins with it.
func parseList(text string) list {
	l := list{}
	for line := range strings.Lines(text) {
		target, comment, _ := strings.Cut(line, "#")
		target, comment = strings.TrimSpace(target), strings.TrimSpace(comment)
		if target == "" {
			continue
		}
		host, path := target, ""
		if i := strings.IndexByte(target, '/'); i >= 0 {
			host, path = target[:i], target[i:]
		}
		l[host] = append(l[host], entry{path, comment})
	}
	return l
}

// match returns what the list says about k, or "".
func (l list) match(k key) string {
	for host, more := k.host, true; more; _, host, more = strings.Cut(host, ".") {
		for _, e := range l[host] {
			// A connection that nobody can read may ask for any path.
			if strings.HasPrefix(k.path, e.path) || k.method == passthrough || k.scheme == "tcp" {
				return e.comment
			}
		}
	}
	return ""
}
