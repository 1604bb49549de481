package proxy

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// FuzzHTTP2Requests writes frames of any kind to a connection of HTTP/2, towards a
// server of HTTP/2 and one of HTTP/1.1. No request arrives that was not let pass,
// none twice, and each as it was judged; nor anything that is no request.
//
// A script has a line a frame: "> STREAM FLAGS" is a header, whose fields follow, a
// line each; "= STREAM FLAGS DATA" is data; "! STREAM" resets; "# TYPE FLAGS STREAM HEX"
// is any other frame. Of the letters in FLAGS e ends the stream and c cuts the header
// into pieces. A backslash and n, r, 0, s or t stand for what a line cannot hold.
func FuzzHTTP2Requests(f *testing.F) {
	for _, s := range http2Scripts {
		f.Add(s, true)
		f.Add(s, false)
	}
	j := newJudged(f)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	j.patience = 30 * time.Second
	for _, h2 := range []bool{true, false} {
		before, _ := j.take()
		j.play(l, "> 1 e\n:method: GET\n:scheme: https\n:authority: ok.test:%p\n:path: /x\n> 3 e\n:method: GET\n:scheme: https\n:authority: ok.test:%p\n:path: /deny\n", h2)
		if after, wrong := j.take(); after != before+1 || wrong != nil {
			f.Fatalf("h2=%v: %d of 2 were let pass: %v", h2, after-before, wrong)
		}
		if j.waiting() != 0 {
			f.Fatalf("h2=%v: what is allowed does not arrive", h2)
		}
	}
	j.patience = 200 * time.Millisecond
	f.Fuzz(func(t *testing.T, script string, h2 bool) {
		j.play(l, script, h2)
		if _, wrong := j.take(); wrong != nil {
			t.Fatalf("h2=%v\n%s\n%s", h2, script, strings.Join(wrong, "\n"))
		}
	})
}

// waiting is how many of the requests that were let pass have not arrived.
func (j *judged) waiting() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, told := range j.asked {
		if told != "" {
			n++
		}
	}
	return n
}

// play sends a script to where a server of HTTP/2 is, or one of HTTP/1.1, and waits
// for the answers.
func (j *judged) play(l net.Listener, script string, h2 bool) {
	client, server, err := pair(l)
	if err != nil {
		return
	}
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(time.Minute))
	protocol := "http/1.1"
	if h2 {
		protocol = "h2"
	}
	port := j.ports[protocol]
	go func() {
		c := &jailedConn{Conn: server, local: net.TCPAddrFromAddrPort(netip.AddrPortFrom(okAddr, port))}
		j.proxy.arrive(c, j.proxy.conns.admit(c, j.proxy.closing))
	}()
	secure := tls.Client(client, &tls.Config{ServerName: "ok.test", InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if secure.Handshake() != nil {
		return
	}
	p := &player{Framer: http2.NewFramer(secure, secure), conn: secure, ended: map[uint32]bool{}, patience: j.patience}
	p.AllowIllegalWrites = true
	p.enc = hpack.NewEncoder(&p.block)
	_, _ = io.WriteString(secure, http2.ClientPreface)
	_ = p.WriteSettings()
	played, heard := make(chan struct{}), make(chan struct{})
	go func() { defer close(heard); p.listen(played) }()
	p.play(strings.ReplaceAll(script, "%p", strconv.Itoa(int(port))))
	close(played)
	_ = p.WritePing(false, [8]byte{1})
	<-heard
}

// player writes the frames of a script.
type player struct {
	*http2.Framer
	conn  net.Conn
	block bytes.Buffer
	enc   *hpack.Encoder
	ended map[uint32]bool // streams that are to be answered
	// patience is how long each frame of an answer is waited for.
	patience time.Duration
}

func (p *player) play(script string) {
	lines := strings.Split(script, "\n")
	for i := 0; i < len(lines) && i < 200; i++ {
		words := strings.SplitN(lines[i], " ", 4)
		for len(words) < 4 {
			words = append(words, "")
		}
		stream64, _ := strconv.ParseUint(words[1], 10, 31)
		stream, end := uint32(stream64), strings.Contains(words[2], "e")
		switch words[0] {
		case ">":
			p.block.Reset()
			for ; i+1 < len(lines) && !isFrame(lines[i+1]); i++ {
				if lines[i+1] == "" {
					continue
				}
				name, value, _ := strings.Cut(lines[i+1], ": ")
				_ = p.enc.WriteField(hpack.HeaderField{Name: unbackslash(name), Value: unbackslash(value)})
			}
			p.ended[stream] = p.ended[stream] || end
			p.header(stream, end, strings.Contains(words[2], "c"), bytes.Clone(p.block.Bytes()))
		case "=":
			if _, opened := p.ended[stream]; opened && end {
				p.ended[stream] = true
			}
			_ = p.WriteData(stream, end, []byte(unbackslash(words[3])))
		case "!":
			delete(p.ended, stream)
			_ = p.WriteRSTStream(stream, http2.ErrCodeCancel)
		case "#":
			kind, _ := strconv.ParseUint(words[1], 10, 8)
			flags, _ := strconv.ParseUint(words[2], 10, 8)
			id, payload, _ := strings.Cut(words[3], " ")
			stream64, _ = strconv.ParseUint(id, 10, 31)
			data, _ := hex.DecodeString(payload)
			if len(data) < 16<<10 {
				_ = p.WriteRawFrame(http2.FrameType(kind), http2.Flags(flags), uint32(stream64), data)
			}
		}
	}
}

func isFrame(line string) bool {
	return len(line) > 1 && line[1] == ' ' && strings.IndexByte(">=!#", line[0]) >= 0
}

func (p *player) header(stream uint32, end, cut bool, block []byte) {
	size := 16 << 10
	if cut {
		size = 7
	}
	first := block[:min(size, len(block))]
	rest := block[len(first):]
	_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: end, EndHeaders: len(rest) == 0})
	for len(rest) > 0 {
		piece := rest[:min(size, len(rest))]
		rest = rest[len(piece):]
		if p.WriteContinuation(stream, len(rest) == 0, piece) != nil {
			return
		}
	}
}

// listen reads until each stream that was ended is answered, or the connection ends.
func (p *player) listen(played chan struct{}) {
	answered := map[uint32]bool{}
	last := false // everything was written, and read by the other side
	for {
		frame, err := p.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			if frame.ErrCode != http2.ErrCodeNo {
				return // the connection ends a second later
			}
		case *http2.PingFrame:
			if last = frame.IsAck() && frame.Data[0] == 1; last {
				<-played
			}
		case *http2.RSTStreamFrame:
			answered[frame.StreamID] = true
		case *http2.HeadersFrame:
			answered[frame.StreamID] = answered[frame.StreamID] || frame.StreamEnded()
		case *http2.DataFrame:
			answered[frame.StreamID] = answered[frame.StreamID] || frame.StreamEnded()
		}
		if !last {
			continue
		}
		left := false
		for stream, ended := range p.ended {
			left = left || ended && !answered[stream]
		}
		if !left {
			return
		}
		_ = p.conn.SetReadDeadline(time.Now().Add(p.patience))
	}
}

// unbackslash puts in what a line of a script cannot hold.
func unbackslash(s string) string {
	return strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\0`, "\x00", `\s`, " ", `\t`, "\t", `\\`, `\`).Replace(s)
}

// http2Scripts begin the requests that two programs could read in two ways. %h is a
// good beginning.
var http2Scripts = expand(
	"> 1 e\n%h\n:path: /a?b=c\nx-a: 1\nx-a: 2\ncookie: a=b\ncookie: c=d\nte: trailers\n",
	"> 1 ec\n%h\n:path: /a%2fb\nx-a: \\s 1 \\t\nx-empty: \n",
	"> 1 e\n%h\n:path: /a?b#c\n> 3 e\n%h\n:path: /a?b HTTP/1.1\n> 5 e\n%h\n:path: /a b\n> 7 e\n%h\n:path: /a\\tb\n",
	"> 1 e\n%h\n:path: *\n> 3 e\n%h\n:path: //evil.test/\n> 5 e\n%h\n:path: https://evil.test/\n> 7 e\n%h\n:path: /%2e%2e/a\n",
	"> 1 e\n:method: OPTIONS\n:scheme: https\n:authority: ok.test:%p\n:path: *\n> 3 e\n:method: get\n:scheme: http\n:authority: OK.Test.:%p\n:path: /\n",
	"> 1 e\n:method: GET\n:scheme: https\n:authority: evil.test:%p\n:path: /\n> 3 e\n:method: GET\n:scheme: https\n:authority: ok.test:%p@evil.test\n:path: /\n> 5 e\n:method: GET\n:scheme: https\n:path: /\nhost: ok.test:%p\n",
	"> 1 e\n%h\n:path: /\nhost: ok.test:%p\n> 3 e\n%h\n:path: /\nhost: evil.test:%p\n> 5 e\n%h\n:path: /\nhost: ok.test:%p\nhost: ok.test:%p\n",
	"> 1 \n%p\ncontent-length: 3\n= 1 e abc\n> 3 \n%p\ncontent-length: +3\n= 3 e abc\n> 5 \n%p\ncontent-length: 0\n= 5 e GET /2 HTTP/1.1\\r\\n\\r\\n\n",
	"> 1 \n%p\ncontent-length: 3\ncontent-length: 3\n= 1 e abc\n> 3 \n%p\ncontent-length: 3, 3\n= 3 e abc\n> 5 e\n%p\ncontent-length: 5\n> 7 \n%p\n= 7 e\n",
	"> 1 \n%p\ncontent-length: 3\n= 1 - ab\n= 1 e cdef\n> 3 \n%p\ncontent-length: 30\n= 3 e ab\n> 5 \n%p\ncontent-length: 30\n= 5 - ab\n! 5\n",
	"> 1 \n%p\ntrailer: x-number, x-late, host\nx-late: 1\n= 1 - abc\n> 1 e\nx-number: 1\nx-late: deny\nhost: evil.test\n",
	"> 1 \n%p\nexpect: 100-continue\n= 1 e abc\n> 3 \n%p\nexpect: deny\n= 3 e a\n> 5 e\n%h\n:path: /\nexpect: 100-continue\n",
	"> 1 e\n%h\n:path: /\nx-number: 1\nconnection: x-number\n> 3 e\n%h\n:path: /\nx-number: 1\nx_number: 1\n> 5 e\n%h\n:path: /\ntransfer-encoding: chunked\n",
	"> 1 e\n%h\n:path: /\nx-deny: 1\n> 3 e\n%h\n:path: /?%64eny\n> 5 e\n:method: DENY\n:scheme: https\n:authority: ok.test:%p\n:path: /\n> 7 e\n%h\n:path: /%64eny\n",
	"> 1 e\n%h\n:path: /\nx-obs: \xe9\xff\nproxy-authorization: Basic eA==\nkeep-alive: 1\n> 3 e\n%h\n:path: /\xc3\xa9?\xc3\xa9\n> 5 e\n%h\n:path: /\nx-nul: a\\0b\n",
	"> 1 e\n%h\n:path: /1\n# 4 0 0 000300000001000400000001\n> 3 e\n%h\n:path: /3\n# 2 0 3 0000000110\n# 8 0 0 00000001\n> 5 e\n%h\n:path: /5\n! 5\n> 7 e\n%h\n:path: /7\n",
	"> 1 e\n:method: CONNECT\n:authority: ok.test:%p\n> 3 \n:method: CONNECT\n:protocol: websocket\n:scheme: https\n:authority: ok.test:%p\n:path: /\n= 3 - abc\n",
	"> 1 e\n:path: /\n:method: GET\nx: y\n:scheme: https\n> 3 e\n%h\n:path: /a\n:path: /b\n> 5 e\n%h\n:path: /\nX-Upper: 1\n",
	"> 1 e\n%h\n:path: /a?\xbf<\"b\">{|}^`\n",
	"> 1 e\n%h\n:path: /\ncookie: a=b\ncookie: \n> 3 e\n%h\n:path: /\ncookie: a=b ;; c=d ; \n> 5 e\n%h\n:path: /\ncookie: ;\n",
	"> 1 e\n%h\n:path: /\nuser-agent: x\nuser-agent: y\n",
	"> 1 e\n%h\n:path: /\nuser-agent: \nuser-agent: x\naccept-encoding: \nrange: bytes=0-1, 3-\nif-none-match: *\nreferer: x\nauthorization: Basic eA==\n",
)

func expand(scripts ...string) []string {
	const good = ":method: GET\n:scheme: https\n:authority: ok.test:%p"
	for i, s := range scripts {
		s = strings.ReplaceAll(s, "%h\n", good+"\n")
		scripts[i] = strings.ReplaceAll(s, "\n%p\n", "\n"+strings.Replace(good, "GET", "POST", 1)+"\n:path: /post\n")
	}
	return scripts
}
