package proxy

import (
	"net/http"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// destination is exactly one URL, in the form in which requests are judged.
type destination struct {
	scheme, host string
	port         uint16
	path         string
	query        string // as sent
	hasQuery     bool   // a question mark with nothing behind it makes another URL
}

// destinationOf returns the URL that q asks for.
func destinationOf(q *policy.Request, hasQuery bool) destination {
	return destination{q.Scheme, q.Host, q.Port, q.Path, q.Query, hasQuery}
}

// shown returns d for an event, its secrets redacted.
func (d *destination) shown() string {
	q := policy.Request{Scheme: d.scheme, Host: d.host, Port: d.port, Path: d.path, Query: d.query}
	return enforce.RedactURL(q.URL())
}

// namesAnotherOrigin reports whether a request has a field from which a server
// behind a reverse proxy takes its own scheme, host or path (RFC 7239 and what
// came before it). Where such a request is redirected to is the client's word: it
// is its own proxy here.
func namesAnotherOrigin(h http.Header) bool {
	for name := range h {
		lower := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		for _, prefix := range [...]string{"forwarded", "x-forwarded", "x-original-", "x-rewrite-", "x-host", "x-http-host", "x-proxy-host", "x-override-url"} {
			if strings.HasPrefix(lower, prefix) {
				return true
			}
		}
	}
	return false
}

// maxLocation bounds the Location that is read, in bytes. Signed URLs take up to
// two thousand.
const maxLocation = 8 << 10

// redirection returns where a response to q leads the client. It returns false
// where there may be two opinions about that: see resolve.
func redirection(q *policy.Request, status int, h http.Header) (destination, bool) {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return destination{}, false
	}
	// Of several fields, one client takes the first and another the last.
	if locations := h["Location"]; len(locations) == 1 && (q.Scheme == "http" || q.Scheme == "https") {
		return resolve(q, locations[0])
	}
	return destination{}, false
}

// resolve returns the URL that a Location field stands for in a response to q
// (RFC 9110 section 10.2.2, RFC 3986 section 5.2). It knows the forms that every
// client reads alike. Whatever is no URI reference (a backslash, a blank, a byte
// that is not ASCII), has user information or no canonical form, as the host and
// path of a request must have one, is none.
func resolve(q *policy.Request, ref string) (destination, bool) {
	if ref == "" || len(ref) > maxLocation || strings.IndexFunc(ref, notInURI) >= 0 {
		return destination{}, false
	}
	ref, _, _ = strings.Cut(ref, "#")
	rest, query, hasQuery := strings.Cut(ref, "?")
	d := destination{q.Scheme, q.Host, q.Port, "", query, hasQuery}
	scheme, hierarchy, absolute := cutScheme(rest)
	if absolute {
		if d.scheme, rest = scheme, hierarchy; scheme != "http" && scheme != "https" || !strings.HasPrefix(rest, "//") {
			return destination{}, false // to browsers, https:/a and https:a lead to a host
		}
	}
	path := rest
	switch {
	case strings.HasPrefix(rest, "//"):
		if path = d.authority(rest[2:]); d.host == "" {
			return destination{}, false
		}
	case strings.HasPrefix(rest, "/"):
	case rest == "" && !hasQuery:
		return destination{}, false // the same document
	case rest == "":
		path = q.Path
	default:
		path = below(q.Path, rest)
	}
	var err error
	d.path, err = policy.CanonicalPath(path)
	return d, err == nil
}

// authority sets the host and the port from what is behind two slashes and
// returns the path. Where they have no canonical form, the host is empty.
func (d *destination) authority(rest string) (path string) {
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		rest, path = rest[:i], rest[i:]
	}
	host, port, err := hostname.ParseAuthority(rest)
	if err != nil {
		d.host = ""
		return ""
	}
	if port == 0 {
		port = policy.DefaultPort(d.scheme)
	}
	d.host, d.port = host, port
	return path
}

// cutScheme cuts the scheme off a reference without its query. A colon behind a
// slash belongs to a path.
func cutScheme(ref string) (scheme, rest string, ok bool) {
	i := strings.IndexAny(ref, ":/")
	if i < 0 || ref[i] != ':' {
		return "", ref, false
	}
	return strings.ToLower(ref[:i]), ref[i+1:], true
}

// below returns the path that ref, which does not begin with a slash, names from
// base on, without its dot segments. One that climbs above the root it leaves as
// it is, and so without canonical form; and one that climbs to the root and goes on
// with an empty segment, from which net/url does not make the two slashes of RFC
// 3986 section 5.2.4.
func below(base, ref string) string {
	whole := ref
	dir := base[:strings.LastIndexByte(base, '/')]
	for {
		segment, rest, more := strings.Cut(ref, "/")
		switch {
		case segment == ".." && dir == "", segment == "" && more && dir == "":
			return "/" + whole
		case segment != "." && segment != "..":
			return dir + "/" + ref
		case segment == "..":
			dir = dir[:strings.LastIndexByte(dir, '/')]
		}
		if ref = rest; !more {
			return dir + "/"
		}
	}
}

// notInURI reports whether c may not stand in a URI reference (RFC 3986 appendix
// A): clients send such characters as they are, or encode them, or end there.
func notInURI(c rune) bool {
	return (c < 'a' || 'z' < c) && (c < 'A' || 'Z' < c) && (c < '0' || '9' < c) && !strings.ContainsRune("-._~:/?#[]@!$&'()*+,;=%", c)
}
