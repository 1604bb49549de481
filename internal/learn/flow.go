package learn

import (
	"fmt"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
)

// endpoint is where a request goes.
type endpoint struct {
	scheme, host string
	port         uint16
}

// key is a request, as far as a rule can tell requests apart.
type key struct {
	endpoint
	method, path string
	service      string // what git asks for; see serviceOf
	via          string // the URL that redirected here; see redirectedTo
}

// passthrough marks a connection that was not decrypted, in key.method.
const passthrough = "CONNECT"

// npmAccept is the media type by which npm clients ask for a package's metadata.
const npmAccept = "application/vnd.npm.install-v1+json"

// keyOf returns what ev is about, or false for what no rule could be about.
func keyOf(ev *enforce.Event) (key, bool) {
	k := key{endpoint{ev.Scheme, ev.Host, ev.Port}, ev.Method, ev.Path, serviceOf(ev), ""}
	switch {
	case ev.Host == "" || ev.Stage == enforce.StageDNS:
		// A name that is looked up is judged by the request that follows.
		return key{}, false
	case ev.Rule == enforce.RuleSilence && ev.Stage != enforce.StageResponse:
		// So is a connection on which nothing was said.
		return key{}, false
	case ev.Stage == enforce.StageUDP:
		k = key{endpoint: endpoint{"udp", ev.Host, ev.Port}}
	case ev.Stage == enforce.StageTCP || ev.Scheme == "tcp":
		k = key{endpoint: endpoint{"tcp", ev.Host, ev.Port}}
	case ev.Method == passthrough:
		k = key{endpoint{"https", ev.Host, ev.Port}, passthrough, "", "", ""}
	}
	if k.port == 0 {
		k.port = policy.DefaultPort(k.scheme)
	}
	return k, true
}

// size is what k takes to keep, in bytes.
func (k key) size() int { return len(k.host) + len(k.path) + len(k.method) + len(k.via) }

// query is what the recognizer is asked about k.
func (k key) query(f *flow) ecosystem.Query {
	q := ecosystem.Query{Method: k.method, Scheme: k.scheme, Host: k.host, Port: k.port, Path: k.path}
	if f.npm {
		q.Header = map[string][]string{"Accept": {npmAccept}}
	}
	return q
}

// authority is k's host, with its port where that is not the scheme's own.
func (e endpoint) authority() string {
	r := policy.Request{Scheme: e.scheme, Host: e.host, Port: e.port}
	return r.Authority()
}

// flow counts what came of the requests with one key.
type flow struct {
	evidence
	answers
	ok      int // an answer below 400, or an end without an error
	cut     int // such an answer, broken off
	auth    int // 401, 403, 407
	missing int // 404, 410
	failed  int // any other answer, or none
	denied  int
	ruled   int // of these, by a rule rather than for want of one
	npm     bool
	why     string // the least of the reasons for failed and denied
}

// take adds ev, which is part of the given run, to f.
func (f *flow) take(ev *enforce.Event, run int) {
	f.runs.add(run)
	f.first = earlier(f.first, dayOf(ev.Time))
	if strings.Contains(first(ev.RequestHeader["Accept"]), npmAccept) {
		f.npm = true
	}
	if opens(ev) {
		f.requests++
	}
	switch {
	case isDenied(ev):
		f.denied++
		if ev.Rule != "" {
			f.ruled++
		}
		f.reason(ev.Reason)
	case ev.Stage != enforce.StageResponse && ev.Error != "":
		f.failed++
		f.reason(ev.Error)
	case ev.Stage == enforce.StageResponse:
		f.answer(ev)
	}
}

// join adds what came of other requests.
func (f *flow) join(o *flow) {
	f.evidence.add(&o.evidence)
	f.answers.join(&o.answers)
	f.ok += o.ok
	f.cut += o.cut
	f.auth += o.auth
	f.missing += o.missing
	f.failed += o.failed
	f.denied += o.denied
	f.ruled += o.ruled
	f.npm = f.npm || o.npm
	if o.why != "" {
		f.reason(o.why)
	}
}

// isDenied reports whether ev was refused: really, or by a rule while nothing is
// blocked. A default that denies while learning only says that nothing was
// learned yet.
func isDenied(ev *enforce.Event) bool {
	return ev.Blocked || ev.Action == policy.Deny && ev.Rule != ""
}

func (f *flow) answer(ev *enforce.Event) {
	switch s := ev.Status; {
	case s == 401 || s == 403 || s == 407:
		f.auth++
	case s == 404 || s == 410:
		f.missing++
	case s >= 400 || s == 0 && ev.Error != "":
		f.failed++
		if ev.Error != "" {
			f.reason(ev.Error)
		} else {
			f.reason(fmt.Sprintf("answered %d", s))
		}
	case ev.Error != "":
		f.cut++
	default:
		f.ok++
	}
}

// reason keeps the least reason, so that their order does not matter.
func (f *flow) reason(why string) {
	if why == "" {
		why = "no reason recorded"
	}
	if len(why) > 200 {
		why = strings.ToValidUTF8(why[:200], "") + "..."
	}
	if f.why == "" || why < f.why {
		f.why = strings.Clone(why)
	}
}

func isRead(method string) bool { return method == "GET" || method == "HEAD" }

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
