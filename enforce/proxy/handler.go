package proxy

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// exchange is one request and what becomes of it. It belongs to the goroutine
// that serves the request.
type exchange struct {
	request policy.Request
	problem *problem // why no policy is asked
	event   enforce.Event
	verdict enforce.Verdict
	start   time.Time
	sent    *countingBody // the request's body, nil when it has none
	address string        // dialled
	failed  error         // the response's body ended before its end
	upgrade *upgrade      // to a WebSocket; nil for none
	// location is where the response redirects to, for events; "" for nowhere.
	location string
	turn     bool // it is counted among those under way
	informer
}

// webSocket reports whether the request asks for a WebSocket.
func (x *exchange) webSocket() bool {
	return x.request.Scheme == "ws" || x.request.Scheme == "wss"
}

type exchangeKey struct{}

// connected notes the address dialled: learn writes it into rules, a kept event
// shows it.
func (x *exchange) connected(address string) { x.address = address }

// serveFront serves what arrives at the listener: CONNECT and requests with an
// absolute URL. Anything else was meant for another server.
func (p *Proxy) serveFront(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		p.engine.ServeHTTP(&hijacker{ResponseWriter: w}, r)
		return
	}
	if !r.URL.IsAbs() {
		p.refuseHead(connOf(r.Context()), r.Method, fmt.Sprintf("a request to the proxy as if it were a server, for host %q", r.Host))
		w.Header().Set("Connection", "close") // the guard may not have read what follows
		refuseMeant(w, r, "this is the proxy of a run; it serves requests with an absolute URL and CONNECT (RFC 9110 section 7.1)")
		return
	}
	p.serve(w, r, target{})
}

// serveInner serves what was inside a tunnel or captured. A captured client may
// itself speak to a proxy, one that its own configuration names: it is answered
// as if this were the one. A CONNECT inside a tunnel would be a tunnel in a
// tunnel, which nothing needs; goproxy must not see it.
func (p *Proxy) serveInner(w http.ResponseWriter, r *http.Request) {
	cc := connOf(r.Context())
	switch {
	case cc.captured && r.ProtoMajor == 1 && (r.Method == http.MethodConnect || r.URL.IsAbs()):
		p.serveFront(w, r)
	case r.Method == http.MethodConnect:
		ev := p.newEvent(enforce.StageConnect, &policy.Request{Method: r.Method, Scheme: "https", Host: cc.target.host, Port: cc.target.port}, cc.shown)
		p.Gate.Settle(ev, policy.Decision{Rule: ruleIdentity, Reason: "a CONNECT to " + r.Host + " inside a tunnel"})
		w.Header().Set("Connection", "close") // what follows was not read as HTTP
		refuseMeant(w, r, "a CONNECT inside a tunnel")
	default:
		p.serve(w, r, cc.target)
	}
}

// refuseMeant answers a request that was meant for another kind of server.
func refuseMeant(w http.ResponseWriter, r *http.Request, reason string) {
	text := "proxaudit: refused\nreason: " + reason + "\n"
	explain(r, http.StatusBadRequest, text)
	http.Error(w, strings.TrimSpace(text), http.StatusBadRequest)
}

// serve makes an exchange of a request and sends it through goproxy's chain.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, t target) {
	x := &exchange{start: time.Now()}
	x.problem = p.identify(x, r, t)
	p.fillEvent(&x.event, enforce.StageRequest, &x.request, connOf(r.Context()).shown)
	p.led(x, r)
	x.event.Protocol = r.Proto
	if p.LogHeader {
		x.event.RequestHeader = enforce.RedactHeader(r.Header)
	}
	if r.ContentLength == 0 {
		r.Body = http.NoBody // over HTTP/2 too: to the transport another one may be of any length
	}
	if r.Body != nil && r.Body != http.NoBody {
		x.sent = &countingBody{ReadCloser: r.Body}
		if p.LogBody {
			x.sent.kept = new(keptBody)
		}
		if r.ProtoMajor == 2 {
			x.sent.again = new(keptBody)
		}
		r.Body = x.sent
		keepTrailer(r, x.sent)
		if r.ProtoMajor == 1 {
			// A denial is answered before the body; without this it waits for it.
			_ = http.NewResponseController(w).EnableFullDuplex()
		}
	}
	rw := newResponseWriter(w, r.ProtoMajor == 1 && mentionsWebSocket(strings.Join(r.Header["Upgrade"], ",")))
	x.begin(rw, r)
	stripRequest(r.Header, x.webSocket()) // before the policy looks: what is judged is what is forwarded
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	r.Close = false // that the client's connection ends here says nothing of the server's
	defer func() {
		if x.turn {
			p.turns.giveBack()
		}
	}()
	defer rw.lateFlush.end()
	p.engine.ServeHTTP(rw, r)
	if x.upgrade != nil {
		p.webSocket(w, x)
	}
	if x.failed != nil {
		breakOff(r)
	}
}

// led notes what redirected to the request.
func (p *Proxy) led(x *exchange, r *http.Request) {
	via, last := p.redirects.ledTo(destinationOf(&x.request, r.URL.ForceQuery || r.URL.RawQuery != ""))
	x.request.Via, x.event.Via = via, enforce.RedactURL(last)
}

// leads remembers where the response to an exchange redirects to. It comes before
// the client hears of it: its next request may be here before this one is over.
func (p *Proxy) leads(x *exchange, resp *http.Response) {
	to, ok := redirection(&x.request, resp.StatusCode, resp.Header)
	if !ok || namesAnotherOrigin(x.request.Header) {
		return
	}
	from := x.request
	from.Query = ""
	p.redirects.remember(to, from.URL(), x.verdict.Action != policy.Deny)
	x.location = to.shown()
}

// breakOff ends a response so that the client sees a download that broke off,
// never a clean end. In HTTP/1.0, where the end of the connection is the end of
// the body, that takes a reset (RFC 9112 section 8).
func breakOff(r *http.Request) {
	if cc := connOf(r.Context()); !r.ProtoAtLeast(1, 1) {
		_ = cc.SetLinger(0)
		_ = cc.Close()
	}
	panic(http.ErrAbortHandler)
}

// onRequest is the gate in goproxy's chain: it answers a denied request and
// gives an allowed one its way out, which is the only one there is.
func (p *Proxy) onRequest(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return r, denial(r, http.StatusForbidden, "proxaudit: internal error: a request without an exchange\n")
	}
	status := http.StatusForbidden
	if x.problem == nil {
		x.verdict = p.Gate.Check(r.Context(), &x.request, &x.event)
	} else {
		x.verdict = p.Gate.Settle(&x.event, policy.Decision{Rule: x.problem.rule, Reason: x.problem.reason})
		status = x.problem.status
	}
	if x.verdict.Blocked || status == http.StatusBadRequest {
		return r, denial(r, status, p.denialText(x))
	}
	r.RequestURI = "" // this is a client's request now
	ctx.RoundTripper = goproxy.RoundTripperFunc(func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
		return p.forward(r, x)
	})
	return r, nil
}

// newEvent begins an event about q.
func (p *Proxy) newEvent(stage enforce.Stage, q *policy.Request, who *policy.Process) *enforce.Event {
	ev := new(enforce.Event)
	p.fillEvent(ev, stage, q, who)
	return ev
}

func (p *Proxy) fillEvent(ev *enforce.Event, stage enforce.Stage, q *policy.Request, who *policy.Process) {
	*ev = enforce.Event{
		Schema: enforce.SchemaID, ID: p.ids.id(), Stage: stage, Isolation: p.Isolation,
		Method: q.Method, Scheme: q.Scheme, Host: q.Host, Port: q.Port,
		Path: q.Path, Package: q.Package, Registry: q.Registry, Process: who,
	}
	if q.Host == "" {
		return
	}
	whole := q.URL()
	if ev.URL = enforce.RedactURL(whole); ev.URL != whole {
		ev.Path = enforce.RedactURL(q.Path)
	}
}

// Note records what happened besides the connections that are served here, with
// ev.Blocked as it is: a DNS question, a datagram that the jail refused.
func (p *Proxy) Note(ev enforce.Event, d policy.Decision) {
	ev.Schema, ev.ID, ev.Isolation = enforce.SchemaID, p.ids.id(), p.Isolation
	ev.Decide(p.Gate.Mode, enforce.Verdict{Decision: d, Blocked: ev.Blocked})
	p.recordResponse(&ev)
}

// tokenIn reports whether one of the comma-separated lists holds token.
func tokenIn(lists []string, token string) bool {
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}
