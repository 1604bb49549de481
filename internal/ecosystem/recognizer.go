package ecosystem

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// Registries maps a purl type (see Types) to the base URLs its packages may come
// from, such as "https://nexus.example.org/repository/npm-group/".
type Registries map[string][]string

// Recognizer names the package that a request reads. It is immutable and safe
// for concurrent use. A nil Recognizer knows no registry and only guesses.
type Recognizer struct {
	bases map[origin][]base
}

type origin struct {
	scheme, host string
	port         uint16
}

// base is one registered registry.
type base struct {
	grammar *grammar
	path    string // with a slash at its end
	url     string // as registered
}

// New returns a Recognizer for r. It returns an error for a type without a
// grammar and for a URL that is not an http or https origin with a canonical
// host, an unambiguous path, and no user, query or fragment.
func New(r Registries) (*Recognizer, error) {
	rec := &Recognizer{bases: make(map[origin][]base)}
	for typ, urls := range r {
		g := grammarOf(typ)
		if g == nil {
			return nil, fmt.Errorf("unknown ecosystem %q: want one of %s", typ, strings.Join(Types(), ", "))
		}
		for _, u := range urls {
			o, path, err := parseBase(u)
			if err != nil {
				return nil, fmt.Errorf("%s registry %q: %w", typ, u, err)
			}
			rec.bases[o] = append(rec.bases[o], base{g, path, u})
		}
	}
	for _, bases := range rec.bases {
		// The longest base first: it says most about what lies below it.
		slices.SortFunc(bases, func(a, b base) int {
			return cmp.Or(len(b.path)-len(a.path), cmp.Compare(a.grammar.typ, b.grammar.typ), cmp.Compare(a.url, b.url))
		})
	}
	return rec, nil
}

func parseBase(raw string) (origin, string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return origin{}, "", err
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return origin{}, "", fmt.Errorf("want an https or http URL")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return origin{}, "", fmt.Errorf("a user, a query or a fragment is no part of a registry")
	case !isCanonicalHost(u.Hostname()):
		return origin{}, "", fmt.Errorf("the host is not in canonical form")
	}
	o := origin{u.Scheme, u.Hostname(), policy.DefaultPort(u.Scheme)}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return origin{}, "", fmt.Errorf("bad port %q", p)
		}
		o.port = uint16(n)
	}
	path, err := policy.CanonicalPath(u.EscapedPath())
	if err != nil {
		return origin{}, "", err
	}
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return o, path, nil
}

// isCanonicalHost is a safeguard, not the rule: a host that is not in the form
// of policy.Request.Host would never match, silently.
func isCanonicalHost(host string) bool {
	if strings.Contains(host, ":") {
		a, err := netip.ParseAddr(host)
		return err == nil && a.String() == host
	}
	for i := range len(host) {
		c := host[i]
		if !('a' <= c && c <= 'z' || isDigit(c) || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return host != "" && !strings.HasSuffix(host, ".")
}

// Identify names the package that a request reads, by its purl, and the registry
// it reads it from, as registered. With registry "" the purl is a guess from the
// form of the URL alone and must not earn the request anything. Both are empty
// when the request is not a GET or HEAD of a package.
func (r *Recognizer) Identify(q Query) (purl, registry string) {
	if !q.reads() {
		return "", ""
	}
	if g, f, b := r.registered(&q); b != nil {
		if p := f.purl(g.typ); p != "" {
			return p, b.url
		}
	}
	if g, f, ok := guess(&q); ok {
		return f.purl(g.typ), ""
	}
	return "", ""
}

// registered reads the path below the bases at the request's origin. Where two
// ecosystems share a base, a file of one is preferred over metadata of another.
func (r *Recognizer) registered(q *Query) (*grammar, found, *base) {
	if r == nil {
		return nil, found{}, nil
	}
	var weak found
	var weakBase *base
	bases := r.bases[origin{q.Scheme, q.Host, q.Port}]
	for i := range bases {
		b := &bases[i]
		rest, ok := strings.CutPrefix(q.Path, b.path)
		if !ok || q.RawQuery != "" && b.grammar.elsewhere != nil && b.grammar.elsewhere(q.RawQuery) {
			continue
		}
		f, ok := b.grammar.read(b.path, rest)
		if !ok && q.RawQuery != "" && b.grammar.ask != nil {
			f, ok = b.grammar.ask(rest, q.RawQuery)
		}
		if ok && f.artifact {
			return b.grammar, f, b
		}
		if ok && weakBase == nil {
			weak, weakBase = f, b
		}
	}
	if weakBase == nil {
		return nil, found{}, nil
	}
	return weakBase.grammar, weak, weakBase
}

// Index returns a path pattern, in the form of a policy's `paths:`, that covers
// the request's file together with its kin, when that is a file of a registry as
// a whole whose name changes from day to day: the suites of a Debian archive,
// the tiles of a checksum database. Else it returns "".
func (r *Recognizer) Index(q Query) string {
	if r == nil || !q.reads() {
		return ""
	}
	for _, b := range r.bases[origin{q.Scheme, q.Host, q.Port}] {
		rest, ok := strings.CutPrefix(q.Path, b.path)
		if !ok || b.grammar.index == nil {
			continue
		}
		if pattern := b.grammar.index(rest); pattern != "" {
			return b.path + pattern
		}
	}
	return ""
}
