// Package replay reads requests that were made before, so that a policy can be
// asked about them: this program's own events, and HTTP archives of others.
//
// What it reads may be large, and may have been written by whoever was recorded:
// it holds one request at a time, and passes over nothing in silence. It must
// never decide, and never make a request.
package replay

import (
	"fmt"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// Recorded is one request that was made.
type Recorded struct {
	Request *policy.Request
	// Action is what was decided then. Who records without a policy forwarded
	// everything.
	Action policy.Action
	// Own is the name of the rule by which proxaudit itself refused what no
	// policy is asked about, such as a path that can be read in two ways.
	Own string
}

// Handler takes what is read. Both are called in the order of the log.
type Handler struct {
	Request func(Recorded)
	// Malformed is called for what is none of a log's parts. Place is the number
	// of the line, or of the entry, from 1.
	Malformed func(place int, err error)
}

// NewRequest returns the request of a method and an absolute URL, in the form in
// which policies are asked: scheme, host and path canonical. The URL of raw TCP
// is tcp://host:port, and its method is left out; that of CONNECT, which asks
// whether a connection may pass undecrypted, has no path.
func NewRequest(method, url string) (*policy.Request, error) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return nil, fmt.Errorf("%q is not an absolute URL: write https://host/path", url)
	}
	rest, _, _ = strings.Cut(rest, "#")
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	path, query, _ := strings.Cut(path, "?")
	r := &policy.Request{Method: method, Scheme: strings.ToLower(scheme), Query: query}
	own := policy.DefaultPort(r.Scheme)
	if own == 0 && r.Scheme != "tcp" {
		return nil, fmt.Errorf("unknown scheme %q: want https, http, wss, ws or tcp", scheme)
	}
	host, port, err := hostname.ParseAuthority(authority)
	if err != nil {
		return nil, fmt.Errorf("the host of %q: %w", url, err)
	}
	if r.Host, r.Port = host, port; port == 0 {
		r.Port = own
	}
	return r, complete(r, path)
}

// complete sets the path and finds what is missing.
func complete(r *policy.Request, path string) error {
	switch {
	case r.Scheme == "tcp" && (r.Port == 0 || r.Method != "" || path != "" || r.Query != ""):
		return fmt.Errorf("raw TCP has a host and a port, and no method and no path: write tcp://host:port")
	case r.Scheme == "tcp":
		return nil
	case r.Method == "":
		return fmt.Errorf("the method is missing: write GET %s://…", r.Scheme)
	case r.Method == "CONNECT":
		if path != "" || r.Query != "" {
			return fmt.Errorf("CONNECT asks about a connection, and has no path")
		}
		return nil
	}
	var err error
	r.Path, err = policy.CanonicalPath(path)
	return err
}
