package fakedns

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/juliendoutre/proxaudit/internal/hostname"
)

func query(t testing.TB, name string, typ dnsmessage.Type, edit func(*dnsmessage.Message)) []byte {
	m := dnsmessage.Message{
		Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{
			Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}},
	}
	if edit != nil {
		edit(&m)
	}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestAnswer(t *testing.T) {
	v4 := "198.18.0.2"
	cases := []struct {
		name, host string
		typ        dnsmessage.Type
		ipv4Only   bool
		edit       func(*dnsmessage.Message)
		rcode      dnsmessage.RCode
		answer     string
	}{
		{name: "A", host: "ok.test.", typ: dnsmessage.TypeA, answer: v4},
		{name: "capitals", host: "OK.Test.", typ: dnsmessage.TypeA, answer: v4},
		{name: "AAAA", host: "ok.test.", typ: dnsmessage.TypeAAAA, answer: "fd70:726f:7861:1::2"},
		{name: "AAAA without IPv6", host: "ok.test.", typ: dnsmessage.TypeAAAA, ipv4Only: true},
		{name: "HTTPS has no data", host: "ok.test.", typ: 65},
		{name: "SVCB has no data", host: "ok.test.", typ: 64},
		{name: "TXT has no data", host: "ok.test.", typ: dnsmessage.TypeTXT},
		{name: "ANY has no data", host: "ok.test.", typ: dnsmessage.TypeALL},
		{name: "localhost", host: "localhost.", typ: dnsmessage.TypeA, answer: "127.0.0.1"},
		{name: "under localhost", host: "app.localhost.", typ: dnsmessage.TypeAAAA, answer: "::1"},
		{name: "reverse", host: "1.2.0.192.in-addr.arpa.", typ: dnsmessage.TypePTR, rcode: dnsmessage.RCodeNameError},
		{name: "not a host name", host: "a b.test.", typ: dnsmessage.TypeA, rcode: dnsmessage.RCodeNameError},
		{name: "the root", host: ".", typ: dnsmessage.TypeA, rcode: dnsmessage.RCodeNameError},
		{name: "another class", host: "ok.test.", typ: dnsmessage.TypeTXT, rcode: dnsmessage.RCodeRefused,
			edit: func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }},
		{name: "an update", host: "ok.test.", typ: dnsmessage.TypeA, rcode: dnsmessage.RCodeNotImplemented,
			edit: func(m *dnsmessage.Message) { m.OpCode = 5 }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := Server{Names: &Names{}, IPv6: !c.ipv4Only}
			packed, _, err := s.answer(query(t, c.host, c.typ, c.edit))
			if err != nil {
				t.Fatal(err)
			}
			var m dnsmessage.Message
			if err := m.Unpack(packed); err != nil {
				t.Fatal(err)
			}
			if m.ID != 7 || !m.Response || m.RCode != c.rcode || len(m.Questions) != 1 {
				t.Errorf("header %+v, want rcode %v", m.Header, c.rcode)
			}
			if got := address(m.Answers); got != c.answer {
				t.Errorf("answer %q, want %q", got, c.answer)
			}
		})
	}
}

func address(answers []dnsmessage.Resource) string {
	if len(answers) != 1 {
		return ""
	}
	switch b := answers[0].Body.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(b.A).String()
	case *dnsmessage.AAAAResource:
		return netip.AddrFrom16(b.AAAA).String()
	default:
		return "another type"
	}
}

func TestAResponseIsNotAnswered(t *testing.T) {
	s := Server{Names: &Names{}}
	packed := query(t, "ok.test.", dnsmessage.TypeA, func(m *dnsmessage.Message) { m.Response = true })
	if _, _, err := s.answer(packed); err == nil {
		t.Error("a response was answered: two servers could talk for ever")
	}
}

// serve starts a server on loopback sockets.
func serve(t *testing.T, s *Server) (udp, tcp string) {
	t.Helper()
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	uf, lf := file(t, u), file(t, l)
	udp, tcp = u.LocalAddr().String(), l.Addr().String()
	u.Close()
	l.Close()
	if err := s.ServeUDP(uf); err != nil {
		t.Fatal(err)
	}
	if err := s.ServeTCP(lf); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return udp, tcp
}

func file(t *testing.T, c interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestServerTellsOfEachQuestion(t *testing.T) {
	var mu sync.Mutex
	var asked []Question
	s := &Server{Names: &Names{}, IPv6: true, Asked: func(q Question) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, q)
	}}
	udp, tcp := serve(t, s)
	for network, addr := range map[string]string{"udp": udp, "tcp": tcp} {
		r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
		got, err := r.LookupHost(context.Background(), "leak-0123.evil.test.")
		if err != nil || len(got) != 2 {
			t.Fatalf("over %s: %v, %v", network, got, err)
		}
		if name, ok := s.Names.NameOf(netip.MustParseAddr(got[0])); !ok || name != "leak-0123.evil.test" {
			t.Errorf("over %s: %s stands for %q", network, got[0], name)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	networks := map[string]int{}
	for _, q := range asked {
		networks[q.Network]++
		if q.Name != "leak-0123.evil.test" || !q.Client.IsValid() || !q.Server.IsValid() || q.Type != "A" && q.Type != "AAAA" {
			t.Errorf("recorded %+v", q)
		}
	}
	if networks["udp"] != 2 || networks["tcp"] != 2 {
		t.Errorf("recorded %v, want two questions over each", networks)
	}
}

func TestGarbageOverTCPEndsTheConnection(t *testing.T) {
	_, tcp := serve(t, &Server{Names: &Names{}})
	c, err := net.Dial("tcp", tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write(append(binary.BigEndian.AppendUint16(nil, 5), "GET /"...))
	if n, err := io.Copy(io.Discard, c); n != 0 || err != nil {
		t.Errorf("%d bytes came back, %v", n, err)
	}
}

// FuzzAnswer: a datagram gets an answer that a second reader understands, to the
// question that was asked, or none. A name gets at most one entry in the map, and
// the addresses given out lead back to it.
func FuzzAnswer(f *testing.F) {
	f.Add(query(f, "ok.test.", dnsmessage.TypeA, nil))
	f.Add(query(f, "OK.Test.", dnsmessage.TypeAAAA, nil))
	f.Add(query(f, "ok.test.", 65, nil))
	f.Add(query(f, "app.localhost.", dnsmessage.TypeA, nil))
	f.Add(query(f, "1.2.0.192.in-addr.arpa.", dnsmessage.TypePTR, nil))
	f.Add(query(f, "ok.test.", dnsmessage.TypeA, func(m *dnsmessage.Message) { m.Response = true }))
	f.Add(query(f, "a.test.", dnsmessage.TypeA, func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }))
	f.Add(query(f, strings.Repeat(strings.Repeat("a", 63)+".", 3)+strings.Repeat("b", 61)+".", dnsmessage.TypeA, nil))
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01")) // a name that points at itself
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		s := Server{Names: &Names{}, IPv6: true}
		response, q, err := s.answer(packed)
		var asked dnsmessage.Message
		readable := asked.Unpack(packed) == nil
		if err != nil {
			if readable && !asked.Response && len(asked.Questions) > 0 {
				t.Fatalf("no answer to %+v: %v", asked, err)
			}
			if len(s.Names.byIdx) != 0 {
				t.Fatal("what got no answer got an address")
			}
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(response); err != nil {
			t.Fatalf("the answer does not parse: %v", err)
		}
		if !m.Response || len(m.Questions) != 1 || len(m.Answers) > 1 || len(m.Authorities)+len(m.Additionals) != 0 || len(response) > 512 {
			t.Fatalf("answer %+v", m)
		}
		if readable && (m.ID != asked.ID || m.Questions[0] != asked.Questions[0]) {
			t.Fatalf("asked %+v, answered %+v", asked, m)
		}
		if len(s.Names.byIdx) > 1 {
			t.Fatalf("one question made the entries %q", s.Names.byIdx)
		}
		if addr := address(m.Answers); addr != "" && !netip.MustParseAddr(addr).IsLoopback() {
			name, ok := s.Names.NameOf(netip.MustParseAddr(addr))
			if host, err := hostname.Canonical(m.Questions[0].Name.String()); !ok || name != q.Name || err == nil && host != name {
				t.Fatalf("%s, given to %q, stands for %q", addr, m.Questions[0].Name, name)
			}
		}
	})
}

// FuzzNames: however many names are asked for, each keeps its own address for as
// long as there are any, and the map does not grow beyond them.
func FuzzNames(f *testing.F) {
	f.Add(uint32(lastIndex-firstIndex), "ok.test", "evil.test")
	f.Add(uint32(0), "ok.test", "ok.test")
	f.Fuzz(func(t *testing.T, used uint32, first, second string) {
		n := &Names{index: map[string]uint32{}, byIdx: make([]string, used%(lastIndex-firstIndex+2))}
		given := map[string]netip.Addr{}
		for _, name := range []string{first, second, first + "x", first, second} {
			a4, ok := n.Addr4(name)
			a6, ok6 := n.Addr6(name)
			if ok != ok6 || len(n.byIdx) > lastIndex-firstIndex+1 || len(n.index) > 3 {
				t.Fatalf("%q: %v and %v, %d names", name, a4, a6, len(n.byIdx))
			}
			if !ok {
				continue
			}
			if before, known := given[name]; known && before != a4 {
				t.Fatalf("%q was %v and is %v", name, before, a4)
			}
			given[name] = a4
			for _, a := range []netip.Addr{a4, a6, netip.AddrFrom16(a4.As16())} {
				if got, ok := n.NameOf(a); !ok || got != name || !Synthetic(a) {
					t.Fatalf("%v was given to %q and stands for %q", a, name, got)
				}
			}
		}
	})
}
