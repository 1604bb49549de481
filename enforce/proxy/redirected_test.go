package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// redirectWorld has one host that is allowed and redirects, ok.test, and another,
// evil.test, that may be asked only for what it is redirected to there.
type redirectWorld struct {
	*wire
	policy atomic.Pointer[allowlist.Policy]
	hold   chan struct{} // until it is closed, bodies of paths that end with /hold wait
	with   http.Header   // more fields of requests
}

const redirectPolicy = `version: 1
allow:
  - {host: ok.test, methods: [GET, HEAD, POST], paths: [/to/**, /elsewhere/**], schemes: [https, http], ports: [PORT], networks: [127.0.0.0/8]}
  - {host: evil.test, via: ["SCHEME://ok.test:PORT/to/**"], schemes: [https, http], ports: [PORT], networks: [127.0.0.0/8]}
  - {host: evil.test, paths: [/second/**], via: ["SCHEME://evil.test:PORT/first/**"], schemes: [https, http], ports: [PORT], networks: [127.0.0.0/8]}
`

// newRedirectWorld has a server that answers any path below /to/STATUS or
// /elsewhere/STATUS, and /first, with a redirect to what the header To says.
func newRedirectWorld(t *testing.T, e entrance, rules string) *redirectWorld {
	t.Helper()
	rw := &redirectWorld{hold: make(chan struct{})}
	decide := policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
		return rw.policy.Load().Decide(ctx, r)
	})
	rw.wire = newWire(t, e, decide, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for name, values := range r.Header {
			if real, ok := strings.CutPrefix(name, "Answer-"); ok {
				w.Header()[real] = values
			}
		}
		status := 200
		if _, err := fmt.Sscanf(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/to/"), "/elsewhere/"), "%d", &status); err != nil && r.Header.Get("Answer-Location") != "" {
			status = 302
		}
		if n := len(r.Header.Get("Answer-Long")); n > 0 {
			w.Header().Set("Long", strings.Repeat("x", 2<<20))
		}
		w.WriteHeader(status)
		if strings.HasSuffix(r.URL.Path, "/hold") {
			_ = http.NewResponseController(w).Flush()
			<-rw.hold
		}
		_, _ = io.WriteString(w, "from "+r.Host+"\n")
	}))
	scheme := "http"
	if rw.secure {
		scheme = "https"
	}
	rules = strings.NewReplacer("PORT", fmt.Sprint(rw.port()), "SCHEME", scheme).Replace(rules)
	p, err := allowlist.Parse("policy.yaml", []byte(rules))
	if err != nil {
		t.Fatalf("%v\n%s", err, rules)
	}
	rw.policy.Store(p)
	return rw
}

// send makes a request over a connection of its own, and returns when the header
// of the answer is there. Further words are header fields that the server answers
// with, as Name=value, in which %e and %h are the hosts with their port and %s the
// scheme.
func (w *redirectWorld) send(method, host, target string, answer ...string) *http.Response {
	w.t.Helper()
	conn := w.openAs(host, host)
	authority := fmt.Sprintf("%s:%d", host, w.port())
	scheme := "http"
	if w.secure {
		scheme = "https"
	}
	r, err := http.NewRequest(method, scheme+"://"+authority+target, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	maps.Copy(r.Header, w.with)
	for _, field := range answer {
		name, value, _ := strings.Cut(field, "=")
		r.Header.Add("Answer-"+name, strings.ReplaceAll(w.fill(value), "%s", scheme))
	}
	if w.h2 {
		tr := &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
		resp, err := tr.RoundTrip(r)
		if err != nil || resp.ProtoMajor != 2 {
			w.t.Fatalf("%s %s%s: %v", method, host, target, err)
		}
		return resp
	}
	write := r.Write
	if w.absolute {
		write = r.WriteProxy
	}
	if err := write(conn); err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		w.t.Fatalf("%s %s%s: %v", method, host, target, err)
	}
	return resp
}

// want asks for something and fails the test when the answer is another.
func (w *redirectWorld) want(status int, method, host, target string, answer ...string) {
	w.t.Helper()
	resp := w.send(method, host, target, answer...)
	_, _ = io.Copy(io.Discard, resp.Body)
	if _ = resp.Body.Close(); resp.StatusCode != status {
		w.t.Errorf("%s %s%s: %d, want %d", method, host, target, resp.StatusCode, status)
	}
	_ = w.opened[len(w.opened)-1].Close()
}

// reached returns what the server of evil.test received.
func (w *redirectWorld) reached() []string {
	var out []string
	for _, r := range w.origin.requests() {
		if method, rest, _ := strings.Cut(r, " "); strings.HasPrefix(rest, "evil.test") {
			_, target, _ := strings.Cut(rest, " ")
			out = append(out, method+" "+target)
		}
	}
	return out
}

// TestRedirected follows redirects at every entrance, and tries to come where none
// led.
func TestRedirected(t *testing.T) {
	for _, e := range slices.Concat(entrances1, entrances2) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			w := newRedirectWorld(t, e, redirectPolicy)
			w.want(403, "GET", "evil.test", "/file?sig=1")
			if n := w.names.asked.Load(); n != 0 {
				t.Errorf("%d names were looked up for what nothing led to", n)
			}
			w.want(302, "GET", "ok.test", "/to/302/a?secret=1", "Location=%s://%e/file?sig=1")
			w.want(200, "GET", "evil.test", "/file?sig=1")
			w.want(200, "HEAD", "evil.test", "/file?sig=1")
			w.want(200, "GET", "evil.test", "/%66ile?sig=1") // another spelling of the same
			for _, other := range []string{"/file", "/file?", "/file?sig=2", "/file?sig=%31", "/file?sig=1&x", "/file/?sig=1", "/File?sig=1", "/", "/file;x?sig=1", "//file?sig=1"} {
				w.want(403, "GET", "evil.test", other)
			}
			w.want(403, "POST", "evil.test", "/file?sig=1")
			// Where the rule does not say that redirects may come from.
			w.want(302, "GET", "ok.test", "/elsewhere/302", "Location=%s://%e/elsewhere")
			w.want(403, "GET", "evil.test", "/elsewhere")
			// A question mark with nothing behind it makes another URL.
			w.want(308, "GET", "ok.test", "/to/308", "Location=//%e/plain")
			w.want(403, "GET", "evil.test", "/plain?")
			w.want(302, "GET", "ok.test", "/to/302", "Location=//%e/marked?")
			w.want(403, "GET", "evil.test", "/marked")
			w.want(200, "GET", "evil.test", "/marked?")
			// A chain: each hop by a rule of its own, and not one further.
			w.want(301, "HEAD", "ok.test", "/to/301", "Location=//%e/first/1")
			w.want(302, "GET", "evil.test", "/first/1", "Location=/second/1")
			w.want(302, "GET", "evil.test", "/second/1", "Location=/second/2")
			w.want(403, "GET", "evil.test", "/second/2")
			// After a POST, in all ways in which a client may follow.
			w.want(307, "POST", "ok.test", "/to/307", "Location=%s://%e/posted")
			w.want(403, "POST", "evil.test", "/posted")
			w.want(200, "GET", "evil.test", "/posted")
			want := []string{"GET /file?sig=1", "HEAD /file?sig=1", "GET /%66ile?sig=1", "GET /marked?", "GET /first/1", "GET /second/1", "GET /posted"}
			if got := w.reached(); !slices.Equal(got, want) {
				t.Errorf("the server of evil.test received %q, want %q", got, want)
			}
		})
	}
}

// TestNotRedirected has answers after which nothing more is allowed than before.
func TestNotRedirected(t *testing.T) {
	tests := []struct {
		name, target string
		status       int
		answer       []string
	}{
		{"a page", "/to/200", 200, []string{"Location=%s://%e/file"}},
		{"created", "/to/201", 201, []string{"Location=%s://%e/file"}},
		{"not modified", "/to/304", 304, []string{"Location=%s://%e/file"}},
		{"a choice", "/to/300", 300, []string{"Location=%s://%e/file"}},
		{"an error", "/to/503", 503, []string{"Location=%s://%e/file"}},
		{"another field", "/to/302", 302, []string{"Content-Location=%s://%e/file", "Refresh=0;url=%s://%e/file"}},
		{"two fields", "/to/302", 302, []string{"Location=%s://%e/file", "Location=%s://%e/file"}},
		{"one that names two", "/to/302", 302, []string{"Location=%s://%e/file, %s://%e/file"}},
		{"a field of the connection", "/to/302", 302, []string{"Location=%s://%e/file", "Connection=location"}},
		{"somebody's", "/to/302", 302, []string{"Location=%s://user@%e/file"}},
		{"dots", "/to/302", 302, []string{"Location=%s://%e/x/../file"}},
		{"a backslash", "/to/302", 302, []string{"Location=%s:\\\\%e\\file"}},
		{"a header that is too long", "/to/302", 502, []string{"Location=%s://%e/file", "Long=x"}},
		{"a request that is denied", "/denied", 403, []string{"Location=%s://%e/file"}},
		{"a request that can be read in two ways", "/to/%2e%2e/to/302", 403, []string{"Location=%s://%e/file"}},
	}
	for _, e := range []entrance{entrances1[0], entrances1[4], entrances2[0]} {
		for _, tt := range tests {
			if e.h2 && strings.HasPrefix(tt.answer[len(tt.answer)-1], "Connection=") {
				continue // HTTP/2 has no such field, and the server sends none
			}
			t.Run(e.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				w := newRedirectWorld(t, e, redirectPolicy)
				w.want(tt.status, "GET", "ok.test", tt.target, tt.answer...)
				w.want(403, "GET", "evil.test", "/file")
				if got := w.reached(); got != nil {
					t.Errorf("the server of evil.test received %q", got)
				}
			})
		}
	}
}

// TestRedirectIsRememberedFirst holds the body of a redirect back, and follows it
// when the header is there.
func TestRedirectIsRememberedFirst(t *testing.T) {
	for _, e := range []entrance{entrances1[0], entrances1[4], entrances2[0], entrances2[1]} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			w := newRedirectWorld(t, e, redirectPolicy)
			resp := w.send("GET", "ok.test", "/to/302/hold", "Location=%s://%e/file")
			w.want(200, "GET", "evil.test", "/file")
			close(w.hold)
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 302 {
				t.Errorf("status %d, %v", resp.StatusCode, err)
			}
		})
	}
}

// TestOpenRedirector has a redirector, among what is allowed, that leads wherever
// the command likes: it opens one URL at a host that a rule lets be redirected to,
// and nothing else anywhere. No name is looked up for what it does not open.
func TestOpenRedirector(t *testing.T) {
	w := newRedirectWorld(t, entrances1[2], redirectPolicy)
	client := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(w.proxyURL()), TLSClientConfig: &tls.Config{RootCAs: w.roots},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return w.jail.dial(t, w.world, jailAddr, 1), nil
		},
	}, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		r.Header.Del("Answer-Location")
		return nil
	}}
	follow := func(to string) int {
		t.Helper()
		r, err := http.NewRequest("GET", fmt.Sprintf("https://ok.test:%d/to/302", w.port()), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Answer-Location", to)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode
	}
	for _, to := range []string{
		"https://other.test/", fmt.Sprintf("https://other.test:%d/", w.port()), "https://evil.test/", fmt.Sprintf("http://evil.test:%d/", w.origin.plainPort),
		fmt.Sprintf("https://sub.evil.test:%d/", w.port()), "http://169.254.169.254/latest/meta-data/", fmt.Sprintf("https://127.0.0.1:%d/", w.port()),
		fmt.Sprintf("https://ok.test:%d/private", w.port()),
	} {
		if status := follow(to); status != 403 {
			t.Errorf("redirected to %s: %d, want 403", to, status)
		}
	}
	if other := w.names.other.Load(); other != nil {
		t.Errorf("%s was looked up, though nothing there is allowed", *other)
	}
	if status := follow(fmt.Sprintf("https://evil.test:%d/one?q=1", w.port())); status != 200 {
		t.Errorf("redirected to what may be redirected to: %d, want 200", status)
	}
	for _, target := range []string{"/two", "/one", "/one?q=2"} {
		if status, _ := get(t, client, fmt.Sprintf("https://evil.test:%d%s", w.port(), target)); status != 403 {
			t.Errorf("%s beside it: %d, want 403", target, status)
		}
	}
	if got := w.reached(); !slices.Equal(got, []string{"GET /one?q=1"}) {
		t.Errorf("the server of evil.test received %q", got)
	}
	for _, r := range w.origin.requests() {
		if !strings.HasPrefix(r, "GET ok.test:") && !strings.HasPrefix(r, "GET evil.test:") || strings.Contains(r, "/private") {
			t.Errorf("the server received %q", r)
		}
	}
}

// TestRedirectOpensNoNetwork: where a redirect leads must be public all the same.
func TestRedirectOpensNoNetwork(t *testing.T) {
	w := newRedirectWorld(t, entrances1[2], `version: 1
allow:
  - {host: ok.test, paths: [/to/**], ports: [PORT], networks: [127.0.0.0/8]}
  - {host: evil.test, via: ["https://ok.test:PORT/to/**"], ports: [PORT]}
`)
	w.want(302, "GET", "ok.test", "/to/302", "Location=%s://%e/file")
	w.want(403, "GET", "evil.test", "/file")
	if got := w.reached(); got != nil {
		t.Errorf("the server of evil.test received %q", got)
	}
}

// TestRedirectInAudit: what nothing let pass redirects to nothing that a policy
// may count on, though it was forwarded and events tell of it.
func TestRedirectInAudit(t *testing.T) {
	var port string
	w := newWorld(t, enforce.Audit, policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
		p, err := allowlist.Parse("policy.yaml", []byte("version: 1\nallow: [{host: evil.test, ports: ["+port+"], via: 'https://ok.test:"+port+"'}]"))
		if err != nil {
			return policy.Decision{}, err
		}
		return p.Decide(ctx, r)
	}), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Host, "ok.test") {
			http.Redirect(w, r, "https://evil.test:"+port+"/file", http.StatusFound)
		}
	}))
	port = fmt.Sprint(w.origin.port)
	client := w.client(false)
	for _, u := range []string{w.url("https", "ok.test", "/a"), w.url("https", "evil.test", "/file")} {
		get(t, client, u)
	}
	events := w.events.of(enforce.StageRequest)
	if ev := events[len(events)-1]; len(events) != 2 || ev.Host != "evil.test" || ev.Action != policy.Deny || ev.Via != "https://ok.test:"+port+"/a" {
		t.Errorf("events %+v", events)
	}
}

// TestRedirectedAtOnce follows many redirects at the same time.
func TestRedirectedAtOnce(t *testing.T) {
	w := newRedirectWorld(t, entrances1[4], redirectPolicy)
	client := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(w.proxyURL()), TLSClientConfig: &tls.Config{RootCAs: w.roots},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return w.jail.dial(t, w.world, jailAddr, 1), nil
		},
	}, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		r.Header.Del("Answer-Location")
		return nil
	}}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 20 {
				r, err := http.NewRequest("GET", fmt.Sprintf("https://ok.test:%d/to/302/%d", w.port(), n), nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Answer-Location", fmt.Sprintf("https://evil.test:%d/%d?%d", w.port(), i, n))
				resp, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				if _ = resp.Body.Close(); resp.StatusCode != 200 {
					t.Errorf("%s: %d", resp.Request.URL, resp.StatusCode)
				}
			}
		})
	}
	group.Wait()
	if n := len(w.reached()); n != 160 {
		t.Errorf("the server of evil.test received %d requests, want 160", n)
	}
}

// TestRedirectEvents has what events tell of a redirect, and what of its secrets.
func TestRedirectEvents(t *testing.T) {
	w := newRedirectWorld(t, entrances1[1], redirectPolicy)
	w.want(302, "GET", "ok.test", "/to/302?token=hunter2hunter2", "Location=%s://%e/file?X-Amz-Signature=0123456789abcdef")
	w.want(200, "GET", "evil.test", "/file?X-Amz-Signature=0123456789abcdef")
	w.want(302, "GET", "ok.test", "/elsewhere/302", "Location=%s://%e/file")
	w.want(403, "GET", "evil.test", "/file")
	w.end()
	var got []string
	for _, ev := range w.events.all() {
		if ev.Via != "" || ev.Location != "" {
			got = append(got, fmt.Sprintf("%s %s %s via %q leads to %q", ev.Action, ev.Stage, ev.Path, ev.Via, ev.Location))
		}
		if ev.Stage == enforce.StageRequest && ev.Action == policy.Deny && !strings.Contains(ev.Allow, "via: [") {
			t.Errorf("the line to add does not know of the redirect: %s", ev.Allow)
		}
	}
	want := []string{
		`allow response /to/302 via "" leads to "http://%e/file?X-Amz-Signature=REDACTED"`,
		`allow request /file via "http://%h/to/302" leads to ""`,
		`allow response /file via "http://%h/to/302" leads to ""`,
		`allow response /elsewhere/302 via "" leads to "http://%e/file"`,
		`deny request /file via "http://%h/elsewhere/302" leads to ""`,
	}
	for i := range want {
		want[i] = w.fill(want[i])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
