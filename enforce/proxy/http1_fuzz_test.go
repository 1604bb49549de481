package proxy

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// FuzzHTTP1Requests writes bytes of any kind to a connection that was decrypted. No
// request arrives that was not let pass, none twice, and each as it was judged, field
// by field; nor anything that is no request. %p is the server's port.
func FuzzHTTP1Requests(f *testing.F) {
	for _, s := range http1Seeds {
		f.Add([]byte(s))
	}
	j := newJudged(f)
	j.hear(f, []byte("GET /a?b HTTP/1.1\r\nHost: ok.test:%p\r\nX-A: 1\r\n\r\nGET /deny HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n"))
	if passed, wrong := j.take(); passed != 1 || wrong != nil || j.waiting() != 0 {
		f.Fatalf("%d of 2 were let pass, %d did not arrive: %v", passed, j.waiting(), wrong)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j.hear(t, data)
		if _, wrong := j.take(); wrong != nil {
			t.Fatalf("%q\n%s", data, strings.Join(wrong, "\n"))
		}
	})
}

// hear serves bytes that came out of TLS, to their end.
func (j *judged) hear(t testing.TB, data []byte) {
	t.Helper()
	port := j.ports["http/1.1"]
	in := []byte(strings.ReplaceAll(string(data), "%p", strconv.Itoa(int(port))))
	m := newMonologue(in, netip.AddrPortFrom(okAddr, port))
	cc := &clientConn{
		Conn: m, scheme: "https", captured: true, serverName: "ok.test", target: newTarget("ok.test", port),
		slot: j.proxy.conns.admit(m, j.proxy.closing), set: &j.proxy.open,
	}
	if !j.proxy.open.add(cc) {
		t.Fatal("the proxy has shut down")
	}
	j.proxy.tunnels.push(j.proxy.guard(cc, cc))
	select {
	case <-m.finished:
	case <-time.After(time.Minute):
		t.Fatalf("%q: the proxy has not done with it after a minute", data)
	}
}

// http1Seeds begin what two programs could read in two ways behind the request line
// as well: see headSeeds for that.
var http1Seeds = append(decrypted(headSeeds),
	"GET /1 HTTP/1.1\r\nHost: ok.test:%p\r\nX-A: 1\r\nX-A: 2\r\nx-a:3\r\nX-Empty:\r\n\r\nGET /2?c#d HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: ok.test:%p\r\nCookie: a=b ;c=d;\r\nCookie: \r\nCookie: e\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: ok.test:%p\r\nX-Obs: \xe9\xff\tx\r\nX-Blank : 1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: ok.test:%p\r\nUser-Agent: a\r\nUser-Agent: b\r\n\r\nGET / HTTP/1.1\r\nHost: ok.test:%p\r\nUser-Agent:\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: ok.test:%p\r\nX-Number: 1\r\nConnection: close, X-Number, X-A\r\nX-A: deny\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: ok.test:%p\r\nX_Number: 1\r\nTE: trailers, gzip\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\nProxy-Authorization: Basic eA==\r\n\r\n",
	"POST /p HTTP/1.1\r\nHost: ok.test:%p\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late, X-Number\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Late: deny\r\nX-Number: 1\r\n\r\nGET /2 HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"POST /p HTTP/1.1\r\nHost: ok.test:%p\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"POST /p HTTP/1.1\r\nHost: ok.test:%p\r\nContent-Length: 40\r\n\r\nabc", "PUT /p HTTP/1.0\r\nHost: ok.test:%p\r\nContent-Length: 0\r\n\r\n",
	"POST /p HTTP/1.1\r\nHost: ok.test:%p\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx", "HEAD /%7euser/%41%2f~;a=b?%64eny HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n",
	"GET /\xc3\xa9?\xc3\xa9=<\"b\">{|}^` HTTP/1.1\r\nHost: ok.test:%p\r\n\r\n", "GET https://ok.test:%p/a HTTP/1.1\r\nHost: ok.test:%p\r\nRange: bytes=0-1\r\nReferer: x\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: ok.test:%p\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket\r\nAccept-Encoding:\r\nIf-None-Match: *\r\nAuthorization: Basic eA==\r\n\r\n",
)

// decrypted makes seeds for plain HTTP ones for what was decrypted.
func decrypted(seeds []string) []string {
	out := make([]string, 0, len(seeds))
	for _, s := range seeds {
		out = append(out, strings.ReplaceAll(s, "http://ok.test", "https://ok.test"))
	}
	return out
}
