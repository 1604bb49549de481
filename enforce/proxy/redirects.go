package proxy

import (
	"container/list"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// redirects remembers which URLs responses of this run redirected the command to,
// so that a policy can let pass what it was led to and nothing else. It is
// bounded, and the oldest are forgotten first: whoever follows a redirect does so
// at once, and what is forgotten is not led to.
//
// It is safe for concurrent use. The zero value has nothing to remember.
type redirects struct {
	some  atomic.Bool // anything was ever remembered
	mu    sync.Mutex
	led   map[destination]*list.Element // of *redirect
	order list.List                     // the one that was redirected to last is last
	bytes int
	now   func() time.Time // time.Now, but for a test
}

// redirect is what led to one URL.
type redirect struct {
	to   destination
	from []redirector // the last one is last
}

// redirector is a request that was answered by a redirect.
type redirector struct {
	url     string // without its query
	allowed bool   // by the policy, whatever the mode
	at      time.Time
}

const (
	maxRedirects     = 8192
	maxRedirectBytes = 8 << 20
	// maxRedirectors bounds what is remembered of one URL.
	maxRedirectors = 8
	// longestRedirect is how long a redirect counts: signed URLs last as long, and
	// a large download may be resumed.
	longestRedirect = time.Hour
)

// remember notes that a response to a request for the URL from, which has no
// query, leads to to. allowed says that a policy let that request pass.
func (rs *redirects) remember(to destination, from string, allowed bool) {
	if len(from) > maxLocation {
		return
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.led == nil {
		rs.led = map[destination]*list.Element{}
		if rs.now == nil {
			rs.now = time.Now
		}
	}
	now := rs.now()
	e := rs.led[to]
	if e == nil {
		e = rs.order.PushBack(&redirect{to: to})
		rs.led[to] = e
		rs.bytes += to.size()
	}
	rs.order.MoveToBack(e)
	rs.bytes += e.Value.(*redirect).add(redirector{from, allowed, now})
	for rs.order.Len() > maxRedirects || rs.bytes > maxRedirectBytes || rs.order.Front().Value.(*redirect).since(now) > longestRedirect {
		rs.forget(rs.order.Front())
	}
	rs.some.Store(true)
}

// ledTo returns the URLs of requests that were let pass and redirected to d, and
// that of the one of all that did so last, "" for none.
func (rs *redirects) ledTo(d destination) (via []string, last string) {
	if !rs.some.Load() {
		return nil, ""
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	e := rs.led[d]
	if e == nil {
		return nil, ""
	}
	now := rs.now()
	for _, from := range e.Value.(*redirect).from {
		if now.Sub(from.at) > longestRedirect {
			continue
		}
		if last = from.url; from.allowed {
			via = append(via, from.url)
		}
	}
	return via, last
}

func (rs *redirects) forget(e *list.Element) {
	r := rs.order.Remove(e).(*redirect)
	delete(rs.led, r.to)
	rs.bytes -= r.to.size()
	for _, from := range r.from {
		rs.bytes -= from.size()
	}
}

// add puts from at the end, and returns by how many bytes r grew.
func (r *redirect) add(from redirector) (grown int) {
	drop := slices.IndexFunc(r.from, func(known redirector) bool { return known.url == from.url })
	if drop < 0 && len(r.from) == maxRedirectors {
		drop = 0
	}
	if drop >= 0 {
		grown = -r.from[drop].size()
		r.from = slices.Delete(r.from, drop, drop+1)
	}
	r.from = append(r.from, from)
	return grown + from.size()
}

// since returns how long ago r was redirected to last.
func (r *redirect) since(now time.Time) time.Duration {
	return now.Sub(r.from[len(r.from)-1].at)
}

// size is about what a destination takes, its places in the map and the list
// included.
func (d *destination) size() int { return len(d.host) + len(d.path) + len(d.query) + 300 }

func (from *redirector) size() int { return len(from.url) + 50 }
