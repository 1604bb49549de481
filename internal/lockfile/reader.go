package lockfile

import (
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// reader is a lockfile that is being read.
type reader struct {
	*Lockfile
	data    []byte
	entries map[string]bool // what of is in Entries
	bases   map[string]int  // URL → its place in Registries
	// fixed is true where the client reads the addresses that the file records,
	// whatever registry it is set up to use.
	fixed bool
	// fromSource are the purls without version that pip may not take wheels of; ""
	// is any.
	fromSource []string

	// The address of a registry that was seen last; see registryBase.
	address, addressBase string
	addressOK            bool

	// line is the number of the line at offset; see lineAt.
	offset, line int
}

// fail returns the error about the byte at offset.
func (r *reader) fail(offset int, format string, args ...any) *Error {
	e := &Error{File: r.Path, Message: fmt.Sprintf(format, args...)}
	if offset >= 0 && len(r.data) <= maxSize {
		before := r.data[:min(offset, len(r.data))]
		start := bytes.LastIndexByte(before, '\n') + 1
		e.Line = bytes.Count(before, []byte("\n")) + 1
		e.Column = utf8.RuneCount(before[start:]) + 1
	}
	return e
}

// failLine returns the error about a line, beginning at column.
func (r *reader) failLine(line, column int, format string, args ...any) *Error {
	return &Error{File: r.Path, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}

// lineAt returns the number of the line that has the byte at offset. Offsets that
// grow cost little.
func (r *reader) lineAt(offset int) int {
	if offset < r.offset || r.line == 0 {
		r.offset, r.line = 0, 1
	}
	offset = min(offset, len(r.data))
	r.line += bytes.Count(r.data[r.offset:offset], []byte("\n"))
	r.offset = offset
	return r.line
}

// add notes the package of that name, or that no package can have it.
func (r *reader) add(name, version string, e Entry) error {
	e.Package = ecosystem.Purl(r.Type, name, version)
	if e.Package == "" {
		r.elsewhere(e.Line, "odd", name+" "+version)
		return nil
	}
	return r.addEntry(e)
}

func (r *reader) addEntry(e Entry) error {
	key := cmp.Or(e.ModFile, e.Package) // paths of Go modules have capitals, purls have none
	if r.entries[key] {
		return nil
	}
	if len(r.Entries) >= maxEntries {
		return r.failLine(e.Line, 0, "it names more than %d packages", maxEntries)
	}
	r.entries[key] = true
	r.Entries = append(r.Entries, e)
	if e.URL != "" {
		r.file(e.URL, e.Line, e.Package, r.fixed)
	}
	return nil
}

// elsewhere notes what is no package of a registry.
func (r *reader) elsewhere(line int, kind, text string) {
	if len(r.Elsewhere) < maxElsewhere {
		r.Elsewhere = append(r.Elsewhere, Elsewhere{line, kind, text})
	}
}

// file notes the registry that an address shows whose form names that package.
func (r *reader) file(address string, line int, purl string, fixed bool) {
	if q, ok := query(address); ok {
		r.shown(q, guess(q), line, purl, fixed)
	}
}

// shown is file for an address of which the form is known.
func (r *reader) shown(q ecosystem.Query, s ecosystem.Shape, line int, purl string, fixed bool) {
	if s.Type == r.Type && s.BaseSure && s.Package == purl && !strings.ContainsAny(s.Base, "?#@*") {
		r.base(origin(q)+s.Base, line, fixed)
	}
}

// registry notes a base URL. What is none, a path on this machine or a variable
// that a client would replace, is left out.
func (r *reader) registry(address string, line int) {
	if base, ok := r.registryBase(address); ok && base != "" {
		r.base(base, line, false)
	}
}

// registryBase returns the base URL that an address is, "" where it cannot be one.
// It is false for what is no address. Most packages have the same, so the last is
// remembered.
func (r *reader) registryBase(address string) (base string, ok bool) {
	if address == r.address {
		return r.addressBase, r.addressOK
	}
	q, ok := query(address)
	if ok && !strings.ContainsAny(q.Path, "?#@*$") {
		base = origin(q) + strings.TrimSuffix(q.Path, "/") + "/"
	}
	r.address, r.addressBase, r.addressOK = address, base, ok
	return base, ok
}

// base notes a base URL in its canonical form.
func (r *reader) base(base string, line int, fixed bool) {
	i, known := r.bases[base]
	if !known {
		if len(r.Registries) >= maxElsewhere {
			return
		}
		i = len(r.Registries)
		r.bases[base] = i
		r.Registries = append(r.Registries, Registry{URL: base, Line: line})
	}
	r.Registries[i].Packages++
	r.Registries[i].Fixed = r.Registries[i].Fixed || fixed
}

// query returns what a GET of an http or https address would ask, without its
// user, query and fragment.
func query(address string) (ecosystem.Query, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || strings.Contains(u.Host, "$") {
		return ecosystem.Query{}, false
	}
	host, port, err := hostname.ParseAuthority(u.Host)
	if err != nil {
		return ecosystem.Query{}, false
	}
	path, err := policy.CanonicalPath(u.EscapedPath())
	if err != nil {
		return ecosystem.Query{}, false
	}
	if port == 0 {
		port = policy.DefaultPort(u.Scheme)
	}
	return ecosystem.Query{Method: "GET", Scheme: u.Scheme, Host: host, Port: port, Path: path}, true
}

func origin(q ecosystem.Query) string {
	r := policy.Request{Scheme: q.Scheme, Host: q.Host, Port: q.Port}
	return q.Scheme + "://" + r.Authority()
}

// kindOf says what kind of place, other than a registry, an address or a
// version is of. local is for places on this machine, of which nothing is told.
func kindOf(reference string) (kind string, local bool) {
	lower := strings.ToLower(reference)
	for _, prefix := range []string{"file:", "link:", "portal:", "workspace:", "patch:", "./", "../", "/"} {
		if strings.HasPrefix(lower, prefix) {
			return "", true
		}
	}
	for _, prefix := range []string{"git+", "git:", "git@", "ssh:", "github:", "gitlab:", "bitbucket:", "gist:", "hg+", "svn+", "bzr+"} {
		if strings.HasPrefix(lower, prefix) {
			return "git", false
		}
	}
	bare, _, _ := strings.Cut(lower, "#")
	switch {
	case strings.HasSuffix(bare, ".git"):
		return "git", false
	case strings.HasPrefix(lower, "https:"), strings.HasPrefix(lower, "http:"):
		return "url", false
	}
	return "", false
}

// printable keeps what a file holds from acting on a terminal, and from filling
// it.
func printable(s string) string {
	const most = 400
	var b strings.Builder
	for _, c := range s {
		switch {
		case b.Len() > most:
			return b.String() + "…"
		case unicode.IsPrint(c):
			b.WriteRune(c)
		default:
			fmt.Fprintf(&b, "%U", c)
		}
	}
	return b.String()
}
