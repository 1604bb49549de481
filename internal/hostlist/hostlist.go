// Package hostlist holds lists of hosts of which something is known: that nobody
// needs them to build, or that anyone can put content there.
//
// It is data, not proof: whoever wants to leak finds a host that stands on no
// list. It must never decide a request; learn and check tell people with it.
package hostlist

import (
	_ "embed"
	"strings"
)

var (
	//go:embed exfiltration.txt
	exfiltration string
	//go:embed doh.txt
	doh string
	//go:embed metadata.txt
	metadata string
	//go:embed shared.txt
	shared string
	//go:embed codehosts.txt
	codeHosts string
)

// Exfiltration lists hosts that take in whatever is sent to them.
func Exfiltration() List { return parse(exfiltration) }

// DoH lists resolvers that answer over HTTPS.
func DoH() List { return parse(doh) }

// Metadata lists the metadata services of clouds.
func Metadata() List { return parse(metadata) }

// Shared lists hosts where anyone can have a place of their own: in the path
// where the entry has one or is a host that is asked for itself, else in a name
// below it.
func Shared() List { return parse(shared) }

// CodeHosts lists hosts of other people's source code, where a write may publish.
func CodeHosts() List { return parse(codeHosts) }

// List maps a host to what is listed there. The zero value lists nothing.
type List map[string][]Entry

// Entry is one line of a list.
type Entry struct {
	Path    string // a path prefix, or ""
	Comment string // what it is, in a few words
}

// parse reads lines of the form "host[/path]  # what it is". An entry covers the
// host and what is below it; a path, what begins with it.
func parse(text string) List {
	l := List{}
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
		l[host] = append(l[host], Entry{path, comment})
	}
	return l
}

// Match returns what the list says about a path at host, or "". Where whole is
// true, every path is meant.
func (l List) Match(host, path string, whole bool) string {
	for more := true; more; _, host, more = strings.Cut(host, ".") {
		for _, e := range l[host] {
			if whole || strings.HasPrefix(path, e.Path) {
				return e.Comment
			}
		}
	}
	return ""
}

// Below returns a host of the list that is name or stands below it, the first in
// the order of the alphabet, and what it is; or "".
func (l List) Below(name string) (host, comment string) {
	for h, entries := range l {
		if h != name && !strings.HasSuffix(h, "."+name) || host != "" && h >= host {
			continue
		}
		host, comment = h, entries[0].Comment
	}
	return host, comment
}
