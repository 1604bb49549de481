package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
)

// ends feeds data byte by byte, as the least friendly network would, and returns
// how much passed and where each request ended.
func ends(data []byte) (passed int, at []int) {
	f := &framing{longest: 256 << 10}
	for i := range data {
		before := f.state
		n, bad := f.scan(data[i : i+1])
		if bad != nil {
			return i, at
		}
		passed += n
		if f.state != before && (f.state == atStart || f.state == opaque) {
			at = append(at, passed)
		}
	}
	return passed, at
}

// FuzzFraming: where net/http reads a request out of what was let through, it
// reads one that ends where framing says, however the bytes were cut.
func FuzzFraming(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n\x16\x03",
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\r\n\x81\x00",
		"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		passed, at := ends(data)
		whole, _ := (&framing{longest: 256 << 10}).scan(data)
		if whole > passed {
			t.Fatalf("%d bytes pass at once, %d one by one", whole, passed)
		}
		src := bytes.NewReader(data[:whole])
		br := bufio.NewReader(src)
		for i := 0; ; i++ {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			if i >= len(at) {
				t.Fatalf("net/http reads request %d of %q, framing %d", i+1, data[:whole], len(at))
			}
			if end := whole - src.Len() - br.Buffered(); end != at[i] {
				t.Fatalf("request %d of %q ends at %d for net/http, at %d for framing", i+1, data[:whole], end, at[i])
			}
			if r.Method == http.MethodConnect || mentionsWebSocket(r.Header.Get("Upgrade")) {
				return
			}
		}
	})
}

func BenchmarkFraming(b *testing.B) {
	head := []byte("GET /-/lodash-4.17.21.tgz HTTP/1.1\r\nHost: npm.example.org\r\nConnection: keep-alive\r\nUser-Agent: npm/10.9.0 node/v22.11.0 linux x64 workspaces/false\r\nAccept: */*\r\nAccept-Encoding: gzip,deflate\r\nnpm-command: ci\r\n\r\n")
	f := &framing{longest: 256 << 10}
	b.SetBytes(int64(len(head)))
	for b.Loop() {
		if n, bad := f.scan(head); n != len(head) || bad != nil {
			b.Fatal(n, bad)
		}
	}
}
