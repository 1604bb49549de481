package main

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/attack"
	"github.com/juliendoutre/proxaudit/internal/replay"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// attacker asks policies about attacks, knowing what their rules ask for.
type attacker struct {
	policies  *policies
	disguises []disguise
}

// disguise is what meets the conditions of one rule on anything but host, method
// and path: whoever knows the rule sends the header fields that it wants, by the
// program that it trusts.
type disguise struct {
	host    string // a rule's; empty for a package's
	header  http.Header
	query   string
	process *policy.Process
}

// maxDisguises bounds how often one request is asked about.
const maxDisguises = 20

func disguises(facts []allowlist.Fact) []disguise {
	var out []disguise
	for _, f := range facts {
		if f.Action == policy.Deny || len(f.Headers)+len(f.Query)+len(f.Processes) == 0 {
			continue
		}
		d := disguise{host: f.Host, header: http.Header{}}
		for name, value := range f.Headers {
			d.header.Set(name, value)
		}
		query := url.Values{}
		for name, value := range f.Query {
			query.Set(name, value)
		}
		d.query = strings.ReplaceAll(query.Encode(), "+", "%20")
		if len(f.Processes) > 0 {
			exe := f.Processes[0]
			if !path.IsAbs(exe) {
				exe = "/usr/bin/" + exe
			}
			d.process = &policy.Process{PID: 1, Exe: exe, Argv: []string{exe}}
		}
		out = append(out, d)
	}
	return out
}

// fits reports whether the rule could be about a host.
func (d *disguise) fits(host string) bool {
	if below, ok := strings.CutPrefix(d.host, "*"); ok {
		return strings.HasSuffix(host, below)
	}
	return d.host == "" || d.host == host
}

// ask asks as the proxy would: whether the connection passes undecrypted comes
// before any request in it, and what can be read in two ways is refused without a
// question. The answer is the weakest one that the attacker can get.
func (a *attacker) ask(ctx context.Context, r attack.Request) policy.Decision {
	request, err := replay.NewRequest(r.Method, withoutUser(r.URL))
	if err != nil {
		return policy.Decision{Reason: err.Error(), Final: true}
	}
	request.Header = r.Header
	d := a.askOnce(ctx, request)
	asked := 0
	for i := range a.disguises {
		if d.Action != policy.Deny || asked == maxDisguises {
			return d
		}
		if a.disguises[i].fits(request.Host) {
			asked++
			d = a.askOnce(ctx, a.disguises[i].on(request))
		}
	}
	return d
}

func (a *attacker) askOnce(ctx context.Context, r *policy.Request) policy.Decision {
	if r.Method != "CONNECT" && (r.Scheme == "https" || r.Scheme == "wss") {
		tunnel := &policy.Request{Method: "CONNECT", Scheme: "https", Host: r.Host, Port: r.Port, Process: r.Process}
		if d := a.policies.ask(ctx, tunnel); d.Action != policy.Deny {
			return d
		}
	}
	return a.policies.ask(ctx, r)
}

// on returns the request in the disguise.
func (d *disguise) on(r *policy.Request) *policy.Request {
	again := *r
	again.Process = d.process
	if d.query != "" {
		again.Query = strings.TrimPrefix(again.Query+"&"+d.query, "&")
	}
	header := http.Header(r.Header).Clone()
	if header == nil {
		header = http.Header{}
	}
	for name, values := range d.header {
		header[name] = slices.Clone(values)
	}
	again.Header = header
	return &again
}

// withoutUser drops userinfo from a URL, as a client does before it asks.
func withoutUser(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	return scheme + "://" + authority[strings.LastIndexByte(authority, '@')+1:] + path
}
