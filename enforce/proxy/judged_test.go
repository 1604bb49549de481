package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ca"
	"github.com/juliendoutre/proxaudit/policy"
)

// judged is a proxy in front of servers that read HTTP without a library's help:
// one of HTTP/1.1, one of HTTP/2. The policy numbers what it allows and keeps what it
// was asked; each request that arrives must have a number that none had before,
// and be what was asked under it, field by field.
type judged struct {
	proxy  *Proxy
	jail   *jail
	ca     *ca.Authority // of the servers
	ports  map[string]uint16
	mu     sync.Mutex
	asked  map[string]string // number: what was judged, "" once it has arrived
	passed int
	wrong  []string
	// patience is how long a client waits for more of an answer.
	patience time.Duration
}

// number is the field that carries it.
const number = "X-Number"

func newJudged(t testing.TB) *judged {
	t.Helper()
	authority, err := ca.New()
	if err != nil {
		t.Fatal(err)
	}
	j := &judged{jail: &jail{names: map[netip.Addr]string{okAddr: "ok.test"}}, asked: map[string]string{}, ports: map[string]uint16{}}
	if j.ca, err = ca.New(); err != nil {
		t.Fatal(err)
	}
	j.listen(t, "http/1.1", j.serve1)
	j.listen(t, "h2", j.serve2)
	roots := x509.NewCertPool()
	roots.AddCert(j.ca.Certificate())
	j.proxy = New(Config{
		Gate: &enforce.Gate{Mode: enforce.Enforce, Policy: policy.Func(j.decide), Recorder: discard{}}, Leaf: authority.Leaf, Capture: j.jail,
		Roots: func() *x509.CertPool { return roots }, Resolver: newNameServer(t).resolver(),
		Limits: Limits{MaxHeaderBytes: 64 << 10, FirstByteTimeout: 20 * time.Second},
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		j.proxy.Shutdown(ctx)
	})
	return j
}

// listen serves one version of HTTP over TLS.
func (j *judged) listen(t testing.TB, protocol string, serve func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	j.ports[protocol] = uint16(l.Addr().(*net.TCPAddr).Port)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(tls.Server(c, &tls.Config{NextProtos: []string{protocol}, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
					return j.ca.Leaf(h.ServerName)
				}}))
			}()
		}
	}()
}

// decide allows ok.test, but for what says deny in its method, path, query or a
// field.
func (j *judged) decide(_ context.Context, r *policy.Request) (policy.Decision, error) {
	told := telling(r.Method, r.Host, r.Port, r.Path, r.Query, r.Header)
	if r.Host != "ok.test" || r.Scheme != "https" || r.Method == http.MethodConnect || strings.Contains(strings.ToLower(told), "deny") {
		return policy.Decision{Reason: "not this"}, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.passed++
	n := strconv.Itoa(j.passed)
	j.asked[n] = told
	http.Header(r.Header).Set(number, n)
	return policy.Decision{Action: policy.Allow, Rule: "test:1", Networks: loopback}, nil
}

// telling is one text for a request, without what frames it.
func telling(method, host string, port uint16, path, query string, header map[string][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %d %q %q", method, host, port, path, query)
	var lines []string
	for name, values := range header {
		switch name = strings.ToLower(name); name {
		case "content-length":
			if len(values) == 1 && values[0] == "0" {
				continue // it may be left out
			}
		case "transfer-encoding", "trailer", "host", strings.ToLower(number):
			continue
		}
		for _, v := range values {
			if name != "cookie" {
				lines = append(lines, fmt.Sprintf(" %s=%q", name, v))
				continue
			}
			for crumb := range strings.SplitSeq(v, ";") { // HTTP/2 takes them apart and puts them together
				lines = append(lines, fmt.Sprintf(" cookie=%q", strings.Trim(crumb, " ")))
			}
		}
	}
	slices.Sort(lines)
	return b.String() + strings.Join(lines, "")
}

// arrive notes a request as a server has read it. In a query, quotes and angle
// brackets end nothing: clients send them as they are, and they are forwarded so.
func (j *judged) arrive(port uint16, method, authority, target string, header map[string][]string) {
	path, query, _ := strings.Cut(target, "?")
	canonical, err := policy.CanonicalPath(path)
	host, at, _ := strings.Cut(authority, ":")
	told := telling(method, strings.ToLower(host), port, canonical, query, header)
	j.mu.Lock()
	defer j.mu.Unlock()
	n := header[number]
	switch {
	case len(n) != 1 || j.asked[n[0]] == "":
		j.wrong = append(j.wrong, fmt.Sprintf("arrived without a decision (number %q): %s", n, told))
	case err != nil || at != strconv.Itoa(int(port)) || strings.ContainsAny(path, "\"<>\\") || strings.ContainsFunc(target, func(c rune) bool { return c <= ' ' || c == '#' || c == 0x7f }):
		j.wrong = append(j.wrong, fmt.Sprintf("arrived in a form that can be read in two ways (%v): %q at %q", err, target, authority))
	case j.asked[n[0]] != told:
		j.wrong = append(j.wrong, fmt.Sprintf("judged  %s\narrived %s", j.asked[n[0]], told))
	}
	if len(n) == 1 {
		j.asked[n[0]] = ""
	}
}

// complain notes what no client of HTTP may send.
func (j *judged) complain(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

// take returns how many requests were let pass and what was wrong, and forgets
// both. The numbers stay: what comes late is compared as well.
func (j *judged) take() (passed int, wrong []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	passed, wrong = len(j.asked), j.wrong
	j.wrong = nil
	return passed, wrong
}

// serve1 reads requests as RFC 9112 has them and takes nothing else.
func (j *judged) serve1(c net.Conn) {
	br := bufio.NewReader(c)
	for {
		head, err := readHead(br)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				j.complain("a head of HTTP/1 that is none: %v: %q", err, head)
			}
			return
		}
		words := strings.Split(head[0], " ")
		if len(words) != 3 || words[2] != "HTTP/1.1" || !isToken([]byte(words[0])) {
			j.complain("request line %q", head[0])
			return
		}
		header := map[string][]string{}
		for _, line := range head[1:] {
			name, value, ok := strings.Cut(line, ": ")
			if !ok || !isToken([]byte(name)) || value != strings.Trim(value, " \t") || strings.ContainsAny(value, "\r\n\x00") {
				j.complain("field line %q", line)
				return
			}
			name = http.CanonicalHeaderKey(name)
			header[name] = append(header[name], value)
		}
		if len(header["Host"]) != 1 {
			j.complain("Host fields %q", header["Host"])
			return
		}
		j.arrive(j.ports["http/1.1"], words[0], header["Host"][0], words[1], header)
		if header["Expect"] != nil { // RFC 9110 section 10.1.1
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		if err := skipBody(br, header); err != nil {
			return // the client went away
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

// readHead returns the lines of a head, without their ends.
func readHead(br *bufio.Reader) (lines []string, err error) {
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			if len(lines) > 0 && errors.Is(err, io.EOF) || line != "" {
				return append(lines, line), io.ErrUnexpectedEOF
			}
			return nil, io.EOF
		}
		line, ok := strings.CutSuffix(line, "\r\n")
		if !ok || strings.ContainsAny(line, "\r") {
			return append(lines, line), errors.New("a line end that is none")
		}
		if line == "" && len(lines) > 0 {
			return lines, nil
		}
		lines = append(lines, line)
	}
}

// skipBody reads what the fields say that there is.
func skipBody(br *bufio.Reader, header map[string][]string) error {
	if header["Transfer-Encoding"] != nil {
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return err
			}
			size, err := strconv.ParseInt(strings.TrimSuffix(line, "\r\n"), 16, 64)
			if err != nil {
				return err
			}
			if size == 0 {
				for line != "\r\n" { // the trailer
					if line, err = br.ReadString('\n'); err != nil {
						return err
					}
				}
				return nil
			}
			if _, err := io.CopyN(io.Discard, br, size+2); err != nil {
				return err
			}
		}
	}
	if header["Content-Length"] == nil {
		return nil
	}
	size, err := strconv.ParseInt(header["Content-Length"][0], 10, 64)
	if err == nil {
		_, err = io.CopyN(io.Discard, br, size)
	}
	return err
}

// serve2 reads frames and answers each stream when it ends.
func (j *judged) serve2(c net.Conn) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c, preface); err != nil || string(preface) != http2.ClientPreface {
		return
	}
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = f.WriteSettings()
	lengths := map[uint32]int64{} // of what is still to come; -1 for any
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	end := func(stream uint32) {
		if left := lengths[stream]; left > 0 {
			j.complain("stream %d ended %d bytes before its length", stream, left)
		}
		delete(lengths, stream)
		block.Reset()
		_ = enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			if stream := (http2.StreamError{}); errors.As(err, &stream) {
				j.complain("a malformed request of HTTP/2: %v", err)
			}
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = f.WritePing(true, frame.Data)
			}
		case *http2.RSTStreamFrame:
			delete(lengths, frame.StreamID)
		case *http2.MetaHeadersFrame:
			if _, open := lengths[frame.StreamID]; !open {
				lengths[frame.StreamID] = j.arrive2(frame)
			}
			if frame.StreamEnded() {
				end(frame.StreamID)
			}
		case *http2.DataFrame:
			if n := int64(len(frame.Data())); lengths[frame.StreamID] >= 0 {
				if lengths[frame.StreamID] -= n; lengths[frame.StreamID] < 0 {
					j.complain("stream %d is longer than its length", frame.StreamID)
				}
			}
			if frame.Length > 0 {
				_ = f.WriteWindowUpdate(0, frame.Length)
				_ = f.WriteWindowUpdate(frame.StreamID, frame.Length)
			}
			if frame.StreamEnded() {
				end(frame.StreamID)
			}
		}
	}
}

// arrive2 is arrive for HTTP/2. It returns the length of the content, -1 where it is
// not said.
func (j *judged) arrive2(f *http2.MetaHeadersFrame) int64 {
	header := map[string][]string{}
	for _, field := range f.RegularFields() {
		name := http.CanonicalHeaderKey(field.Name)
		header[name] = append(header[name], field.Value)
	}
	if scheme := f.PseudoValue("scheme"); scheme != "https" || header["Host"] != nil {
		j.complain(":scheme %q, Host %q", scheme, header["Host"])
	}
	j.arrive(j.ports["h2"], f.PseudoValue("method"), f.PseudoValue("authority"), f.PseudoValue("path"), header)
	lengths := header["Content-Length"]
	if lengths == nil {
		return -1
	}
	n, err := strconv.ParseInt(lengths[0], 10, 63)
	if len(lengths) != 1 || err != nil {
		j.complain("content-length %q", lengths)
	}
	return n
}
