package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// client speaks through the entrance w is about, and follows no redirect.
func (w *wire) httpClient() *http.Client {
	return &http.Client{Transport: w.transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// at is the URL of a path.
func (w *wire) urlOf(path string) string {
	if w.secure {
		return w.fill("https://%h" + path)
	}
	return w.fill("http://%h" + path)
}

func allEntrances() []entrance { return slices.Concat(entrances1, entrances2) }

// everywhere runs f at every entrance.
func everywhere(t *testing.T, f func(t *testing.T, e entrance)) {
	t.Helper()
	for _, e := range allEntrances() {
		t.Run(e.name, func(t *testing.T) { f(t, e) })
	}
}

// TestFullDuplex: each side may wait for what the other one says next.
func TestFullDuplex(t *testing.T) {
	everywhere(t, func(t *testing.T, e entrance) {
		w := newWire(t, e, allowHost("ok.test"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			_ = c.EnableFullDuplex()
			_ = c.Flush()
			br := bufio.NewReader(r.Body)
			for {
				line, err := br.ReadString('\n')
				if err != nil {
					return
				}
				_, _ = io.WriteString(w, strings.ToUpper(line))
				_ = c.Flush()
			}
		}))
		body, upload := io.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		context.AfterFunc(ctx, func() { _ = upload.CloseWithError(ctx.Err()) })
		req, _ := http.NewRequestWithContext(ctx, "POST", w.urlOf("/x"), body)
		resp, err := w.httpClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		br := bufio.NewReader(resp.Body)
		for i := range 10 {
			_, _ = fmt.Fprintf(upload, "line %d\n", i)
			if got, err := br.ReadString('\n'); err != nil || got != fmt.Sprintf("LINE %d\n", i) {
				t.Fatalf("%q, %v", got, err)
			}
		}
		_ = upload.Close()
		if rest, err := io.ReadAll(br); err != nil || len(rest) != 0 {
			t.Errorf("%q, %v", rest, err)
		}
	})
}

// TestStreamsArrive: an event of a stream arrives while the stream goes on, and
// so does a piece of an upload whose length nobody knows.
func TestStreamsArrive(t *testing.T) {
	everywhere(t, func(t *testing.T, e entrance) {
		release, uploaded := make(chan struct{}), make(chan string, 1)
		w := newWire(t, e, allowHost("ok.test"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				b := make([]byte, 5)
				_, _ = io.ReadFull(r.Body, b)
				uploaded <- string(b)
				_, _ = io.Copy(io.Discard, r.Body)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			<-release
			_, _ = io.WriteString(w, "data: 2\n\n")
		}))
		c := w.httpClient()
		resp, err := c.Get(w.urlOf("/events"))
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 9)
		if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "data: 1\n\n" {
			t.Errorf("%q, %v", b, err)
		}
		close(release)
		if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "data: 2\n\n" {
			t.Errorf("%q, %v", rest, err)
		}
		body, upload := io.Pipe()
		done := make(chan error, 1)
		go func() {
			resp, err := c.Post(w.urlOf("/upload"), "text/plain", body)
			if err == nil {
				_ = resp.Body.Close()
			}
			done <- err
		}()
		_, _ = io.WriteString(upload, "first")
		if got := await(t, uploaded); got != "first" {
			t.Errorf("%q", got)
		}
		_ = upload.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestAbortReachesTheServer: a client that goes away takes its request with it,
// while it waits, and in the middle of a download or an upload.
func TestAbortReachesTheServer(t *testing.T) {
	everywhere(t, func(t *testing.T, e entrance) {
		for _, when := range []string{"/waiting", "/download", "/upload"} {
			arrived, gone := make(chan struct{}, 1), make(chan struct{}, 1)
			w := newWire(t, e, allowHost("ok.test"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				switch r.URL.Path {
				case "/download":
					for r.Context().Err() == nil {
						if _, err := w.Write(make([]byte, 32<<10)); err != nil {
							break
						}
					}
				case "/upload":
					_, _ = io.Copy(io.Discard, r.Body)
				default:
					<-r.Context().Done()
				}
				gone <- struct{}{}
			}))
			ctx, cancel := context.WithCancel(t.Context())
			var body io.Reader
			var upload *io.PipeWriter
			if when == "/upload" {
				body, upload = io.Pipe()
				go func() { _, _ = upload.Write(make([]byte, 1000)) }()
			}
			req, _ := http.NewRequestWithContext(ctx, "POST", w.urlOf(when), body)
			go func() {
				if resp, err := w.httpClient().Do(req); err == nil {
					_, _ = io.CopyN(io.Discard, resp.Body, 100_000)
				}
			}()
			await(t, arrived)
			cancel()
			select {
			case <-gone:
			case <-time.After(patience):
				t.Errorf("%s: the server still serves", when)
			}
			if upload != nil {
				_ = upload.CloseWithError(errors.New("gone"))
			}
		}
	})
}

// TestInformational: 1xx responses are passed on, but the ones that belong to the
// connection, and none to a client of HTTP/1.0.
func TestInformational(t *testing.T) {
	hints := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Link", "</a.css>; rel=preload")
		h.Set("Alt-Svc", `h3=":443"`)
		w.WriteHeader(http.StatusEarlyHints)
		h.Set("Link", "</b.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		clear(h)
		w.WriteHeader(http.StatusProcessing)
		h.Set("X-Final", "1")
		_, _ = io.WriteString(w, "done")
	})
	type response struct {
		Code   int
		Header textproto.MIMEHeader
	}
	everywhere(t, func(t *testing.T, e entrance) {
		w := newWire(t, e, allowHost("ok.test"), hints)
		var got []response
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			got = append(got, response{code, h})
			return nil
		}})
		req, _ := http.NewRequestWithContext(ctx, "GET", w.urlOf("/x"), nil)
		resp, err := w.httpClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		want := []response{{103, textproto.MIMEHeader{"Link": {"</a.css>; rel=preload"}}}, {103, textproto.MIMEHeader{"Link": {"</b.css>; rel=preload"}}}, {102, textproto.MIMEHeader{}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, late := resp.Header["Link"]; late || resp.Header.Get("X-Final") != "1" || string(body) != "done" {
			t.Errorf("%v %q", resp.Header, body)
		}
		if e.h2 {
			return
		}
		if statuses, _ := w.ask(w.open(), "GET %t/x HTTP/1.0\r\nHost: %h\r\n\r\n", 2); len(statuses) != 1 || statuses[0] != 200 {
			t.Errorf("HTTP/1.0: %v", statuses)
		}
	})
}

// TestExpectContinue: the body is asked for when the server wants it, not before,
// and not at all where the request is denied.
func TestExpectContinue(t *testing.T) {
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			reading := make(chan bool, 1)
			w := newWire(t, e, allowHost("ok.test"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/no" {
					http.Error(w, "no", http.StatusRequestEntityTooLarge)
					return
				}
				reading <- true
				_, _ = io.Copy(w, r.Body)
			}))
			conn := w.open()
			br := bufio.NewReader(conn)
			head := "POST %t/yes HTTP/1.1\r\nHost: %h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
			_, _ = io.WriteString(conn, w.fill(head))
			resp, err := http.ReadResponse(br, nil)
			if err != nil || resp.StatusCode != 100 {
				t.Fatalf("%v, %v", resp, err)
			}
			if !await(t, reading) {
				t.Error("the server did not ask")
			}
			_, _ = io.WriteString(conn, "abc")
			resp, err = http.ReadResponse(br, nil)
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("%v, %v", resp, err)
			}
			if body, _ := io.ReadAll(resp.Body); string(body) != "abc" {
				t.Errorf("%q", body)
			}
			for path, want := range map[string]int{"/no": 413} {
				if statuses, _ := w.ask(w.open(), strings.Replace(head, "/yes", path, 1), 1); len(statuses) != 1 || statuses[0] != want {
					t.Errorf("%s: %v", path, statuses)
				}
			}
			w = newWire(t, e, allowHost("other.test"), text("reached"))
			if statuses, _ := w.ask(w.open(), head, 1); len(statuses) != 1 || statuses[0] != 403 {
				t.Errorf("denied: %v", statuses)
			}
			w.denied("", "")
		})
	}
}

// TestRanges: parts are asked for and delivered as parts.
func TestRanges(t *testing.T) {
	content := "0123456789"
	everywhere(t, func(t *testing.T, e entrance) {
		w := newWire(t, e, allowHost("ok.test"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "x.bin", time.Unix(1, 0), strings.NewReader(content))
		}))
		get := func(ranges string) *http.Response {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", w.urlOf("/x"), nil)
			req.Header.Set("Range", ranges)
			resp, err := w.httpClient().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = resp.Body.Close() })
			return resp
		}
		resp := get("bytes=2-4")
		if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 206 || string(body) != "234" || resp.Header.Get("Content-Range") != "bytes 2-4/10" {
			t.Errorf("%v %q", resp, body)
		}
		if resp := get("bytes=20-"); resp.StatusCode != 416 || resp.Header.Get("Content-Range") != "bytes */10" {
			t.Errorf("%v", resp)
		}
		resp = get("bytes=0-1,8-9")
		_, boundary, _ := strings.Cut(resp.Header.Get("Content-Type"), "boundary=")
		parts := multipart.NewReader(resp.Body, boundary)
		for _, want := range []string{"01", "89"} {
			part, err := parts.NextPart()
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(part); string(got) != want {
				t.Errorf("part %q, want %q", got, want)
			}
		}
	})
}

// TestTrailers: what comes behind a body is passed on both ways, announced or
// not: back, but for fields that steer a client, and there, what only a whole body
// can tell. Of the rest the policy would know nothing, whichever fields it judges.
func TestTrailers(t *testing.T) {
	sums := http.Header{"Content-Md5": {"s"}, "X-Amz-Checksum-Crc32c": {"c"}, "X-Amz-Trailer-Signature": {"t"}}
	everywhere(t, func(t *testing.T, e entrance) {
		got := make(chan http.Header, 1)
		w := newWire(t, e, allowHost("ok.test"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			got <- r.Trailer.Clone()
			w.Header().Set("Trailer", "X-Announced")
			_, _ = io.WriteString(w, "body")
			w.Header().Set("X-Announced", "1")
			w.Header().Set(http.TrailerPrefix+"X-Late", "2")
			w.Header().Set(http.TrailerPrefix+"Set-Cookie", "a=b")
			w.Header().Set(http.TrailerPrefix+"Alt-Svc", "h3")
		}))
		req, _ := http.NewRequestWithContext(t.Context(), "POST", w.urlOf("/x"), io.MultiReader(strings.NewReader("abc")))
		req.Header = http.Header{"Digest": {"1"}, "Content_digest": {"1"}}
		req.Trailer = sums.Clone()
		for _, name := range []string{"X-Judged", "X-Late", "Digest", "Content-Digest", "X-Http-Method-Override", "Cookie", "X-Original-Url", "X-Amz-Acl", "X-Checksum-Deploy", "X_amz_checksum_crc32"} {
			req.Trailer[name] = []string{"2"}
		}
		resp, err := w.httpClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "body" {
			t.Errorf("%q, %v", body, err)
		}
		if diff := cmp.Diff(http.Header{"X-Announced": {"1"}, "X-Late": {"2"}}, resp.Trailer); diff != "" {
			t.Errorf("the client received (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(sums, await(t, got)); diff != "" {
			t.Errorf("the server received (-want +got):\n%s", diff)
		}
		if e.h2 {
			return // net/http drops what was not announced there
		}
		w.ask(w.open(), "POST %t/x HTTP/1.1\r\nHost: %h\r\nRepr-Digest: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nUpload-Checksum: 1\r\nX-Judged: 2\r\nRepr_Digest: 2\r\nrepr-digest: 2\r\nAuthorization: x\r\nX-Rewrite-URL: /admin\r\n\r\n", 1)
		if diff := cmp.Diff(http.Header{"Upload-Checksum": {"1"}}, await(t, got)); diff != "" {
			t.Errorf("the server received (-want +got):\n%s", diff)
		}
	})
}

// TestDeniedFieldInTrailer: a field that a deny rule names does not arrive behind the
// body either.
func TestDeniedFieldInTrailer(t *testing.T) {
	const rules = "allow:\n  - {host: ok.test, methods: [POST], schemes: [http, https], ports: [%p], networks: [127.0.0.0/8]}\n" +
		"deny:\n  - {host: ok.test, headers: {X-Mode: write}}\n"
	everywhere(t, func(t *testing.T, e entrance) {
		got := make(chan string, 1)
		var rule policy.Policy
		w := newWire(t, e, policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
			return rule.Decide(ctx, r)
		}), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			got <- r.Header.Get("X-Mode") + r.Trailer.Get("X-Mode")
		}))
		rule = yaml(t, w.fill(rules))
		for mode, status := range map[string]int{"header": 403, "trailer": 200} {
			req, _ := http.NewRequestWithContext(t.Context(), "POST", w.urlOf("/x"), io.MultiReader(strings.NewReader("abc")))
			field := http.Header{"X-Mode": {"write"}}
			if mode == "header" {
				req.Header = field
			} else {
				req.Trailer = field
			}
			resp, err := w.httpClient().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != status {
				t.Errorf("in the %s: %d", mode, resp.StatusCode)
			}
		}
		if arrived := await(t, got); arrived != "" || len(got) > 0 {
			t.Errorf("arrived: %q", arrived)
		}
	})
}

// TestUpstreamFailures: a server that fails is told of in words, never by a
// connection that just ends.
func TestUpstreamFailures(t *testing.T) {
	tests := []struct {
		name, answer string
		status       int
		words        string
	}{
		{"no answer", "", 502, "EOF"},
		{"no HTTP", "SSH-2.0-x\r\n", 502, "malformed"},
		{"half a header", "HTTP/1.1 200 OK\r\nX: ", 502, "EOF"},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 502, "Content-Length"},
		{"a length with a sign", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na", 502, "Content-Length"},
		{"a coding nobody knows", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 502, "transfer encoding"},
		{"a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", 502, "malformed"},
	}
	for _, e := range entrances1 {
		t.Run(e.name, func(t *testing.T) {
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					w := newWire(t, e, allowHost("ok.test"), rawOrigin(tt.answer, closed))
					statuses, body := w.ask(w.open(), "GET %t/x HTTP/1.1\r\nHost: %h\r\n\r\n", 1)
					if len(statuses) != 1 || statuses[0] != tt.status || !strings.Contains(body, tt.words) {
						t.Errorf("%v %q", statuses, body)
					}
					w.end()
					if ev := w.events.one(t, enforce.StageResponse); ev.Status != tt.status || ev.Error == "" {
						t.Errorf("event %+v", ev)
					}
				})
			}
		})
	}
}
