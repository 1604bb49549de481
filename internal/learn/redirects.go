package learn

import (
	"maps"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// What another host redirected to is learned by that: its path is signed, or names
// a file by its digest, and is another one the next time. So such a read has no
// path in its key, but the URL that redirected; and its rule has the pattern that
// this URL was learned by. Whatever is not redirected from there stays denied.
//
// A redirect within one host is none here, nor is one from http to https: what it
// leads to is a path like any. A write stays as it was made.

// redirectedTo makes k the key of what via redirected to, where that is learned by
// the redirect.
func (l *Learner) redirectedTo(k key, ev *enforce.Event) key {
	if ev.Via == "" || !isRead(k.method) || k.scheme != "https" && k.scheme != "http" {
		return k
	}
	from, path, ok := cutURL(ev.Via)
	if !ok || from.host == k.host && (from.port == k.port || from.ownPort() && k.ownPort()) {
		return k
	}
	if _, why := l.listed(k); why != "" {
		return k // the lists are about paths too
	}
	k.path, k.service, k.via = "/", "", l.foldedURL(from, path)
	return k
}

// foldedURL returns a URL that redirected, and where its path was folded with
// others, what they have in common.
func (l *Learner) foldedURL(from endpoint, path string) string {
	if len(l.folded) > 0 {
		for _, method := range []string{"GET", "HEAD"} {
			family, _, ok := l.family(key{endpoint: from, method: method, path: path})
			if ok && l.folded[family] != nil {
				return from.url(family.path)
			}
		}
	}
	return from.url(path)
}

// foldRedirects joins what was redirected to from paths that were folded.
func (l *Learner) foldRedirects() {
	for k, f := range l.flows {
		if k.via == "" {
			continue
		}
		to := k
		from, path, _ := cutURL(k.via)
		if to.via = l.foldedURL(from, path); to == k {
			continue
		}
		delete(l.flows, k)
		l.keyBytes -= k.size()
		if l.flows[to] == nil {
			l.flows[to] = new(flow)
			l.keyBytes += to.size()
		}
		l.flows[to].join(f)
	}
}

// cutURL takes apart a URL as policy.Request.Via has it.
func cutURL(url string) (e endpoint, path string, ok bool) {
	scheme, rest, ok := strings.Cut(url, "://")
	slash := strings.IndexByte(rest, '/')
	if !ok || slash < 0 || scheme != "https" && scheme != "http" {
		return endpoint{}, "", false
	}
	host, port, err := hostname.ParseAuthority(rest[:slash])
	if port == 0 {
		port = policy.DefaultPort(scheme)
	}
	path, _, _ = strings.Cut(rest[slash:], "?")
	return endpoint{scheme, host, port}, path, err == nil && unwritablePath(path) == ""
}

func (e endpoint) url(path string) string { return e.scheme + "://" + e.authority() + path }

func (e endpoint) ownPort() bool { return e.port == policy.DefaultPort(e.scheme) }

// apart splits off what was redirected to.
func apart(seen []sighting) (rest, redirected []sighting) {
	for _, s := range seen {
		if s.via != "" {
			redirected = append(redirected, s)
			continue
		}
		rest = append(rest, s)
	}
	return rest, redirected
}

// writtenAs has, for each URL that was learned, the pattern that it is learned by.
type writtenAs map[string]string

// note notes the pattern of a URL. Where several rules are about it, it keeps the
// least, whatever their order.
func (w writtenAs) note(url, pattern string) {
	if known, ok := w[url]; !ok || pattern < known {
		w[url] = pattern
	}
}

// astray is the verdict on what was redirected to from where nothing is learned.
var astray = verdict{kind: kindFailed, why: "what redirected there was not learned"}

// redirects makes rules of what was redirected to. What redirected to it must be
// learned itself, or it is left out: nothing could redirect there.
func (l *Learner) redirects(d *draft, redirected []sighting, written writtenAs, hops map[endpoint]bool, left map[string]*leftLine) {
	rules := map[endpoint]*rule{}
	for more := true; more; { // a chain is learned hop by hop
		more = false
		redirected = slices.DeleteFunc(redirected, func(s sighting) bool {
			pattern := l.redirector(s.via, written, hops)
			if pattern == "" {
				return false
			}
			r := rules[s.endpoint]
			if r == nil {
				r = &rule{endpoint: s.endpoint, networks: l.networks(s.endpoint)}
				rules[s.endpoint] = r
				hops[s.endpoint] = true
			}
			r.via = addWord(r.via, pattern)
			r.methods = addWord(r.methods, s.method)
			r.evidence.add(&s.evidence)
			r.reviews = addWord(r.reviews, s.review)
			more = true
			return true
		})
	}
	for _, s := range redirected {
		d.requests -= s.requests
		d.astray[s.key] = true
		d.leave(left, s.key, s.flow, astray)
	}
	for _, r := range rules {
		r.methods = ruleMethods(place{endpoint: r.endpoint}, r.methods)
	}
	d.rules = append(d.rules, slices.Collect(maps.Values(rules))...)
}

// redirector returns the pattern of a URL that redirected, or "".
func (l *Learner) redirector(via string, written writtenAs, hops map[endpoint]bool) string {
	if pattern, ok := written[via]; ok {
		return pattern
	}
	from, path, _ := cutURL(via)
	if hops[from] {
		return strings.TrimSuffix(from.url(""), "/") // all that may be asked of it was redirected to
	}
	for _, method := range []string{"GET", "HEAD"} {
		family := key{endpoint: from, method: method, path: path}
		if f := l.folded[family]; f != nil {
			family.path = f.least
			if l.judge(family, &f.flow).learned {
				return from.url(f.pattern())
			}
		}
	}
	return ""
}
