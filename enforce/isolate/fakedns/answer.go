package fakedns

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// ttl is what answers say, in seconds. The map never changes a name, so it only
// spares questions.
const ttl = 300

// Question is one that was asked, for the record.
type Question struct {
	// Name is in lower case without a trailing dot. It is as it came over the
	// wire otherwise: it may hold any byte.
	Name string
	// Type is the record type: A, AAAA, HTTPS, TXT…
	Type string
	// Network is udp or tcp.
	Network string
	// Client and Server are the addresses of the one who asked and of the name
	// server that was meant.
	Client, Server netip.AddrPort
	// Refused says why there was no answer for any host of that name; it is
	// empty for an ordinary answer.
	Refused string
}

var errNotAQuestion = errors.New("not a DNS question")

// answer returns the response to a packed question, and the question. An error
// means that nothing can be answered.
//
// Names get A and AAAA records. Every other type has no data: above all HTTPS
// and SVCB, whose keys would let a client encrypt the name it connects to
// (RFC 9460, ECH).
func (s *Server) answer(packed []byte) (response []byte, q Question, err error) {
	var p dnsmessage.Parser
	head, err := p.Start(packed)
	if err != nil {
		return nil, q, err
	}
	if head.Response {
		return nil, q, errNotAQuestion
	}
	question, err := p.Question()
	if err != nil {
		return nil, q, err
	}
	q.Name, q.Type = question.Name.String(), typeName(question.Type)
	name, ok := canonical(q.Name)
	q.Name = name

	reply := dnsmessage.Header{
		ID: head.ID, Response: true, OpCode: head.OpCode,
		RecursionDesired: head.RecursionDesired, RecursionAvailable: true,
	}
	var record dnsmessage.ResourceBody
	switch {
	case head.OpCode != 0:
		reply.RCode, q.Refused = dnsmessage.RCodeNotImplemented, "not a query"
	case question.Class != dnsmessage.ClassINET:
		reply.RCode, q.Refused = dnsmessage.RCodeRefused, "not the Internet class"
	case !ok:
		reply.RCode, q.Refused = dnsmessage.RCodeNameError, "not a host name"
	case strings.HasSuffix(name, ".arpa"):
		reply.RCode = dnsmessage.RCodeNameError
	default:
		record, ok = s.record(name, question.Type)
		if !ok {
			reply.RCode, q.Refused = dnsmessage.RCodeServerFailure, "too many names in one run"
		}
	}
	response, err = pack(reply, question, record)
	return response, q, err
}

// record returns the address record of a name, nil for no data, and false when
// the map is full.
func (s *Server) record(name string, t dnsmessage.Type) (dnsmessage.ResourceBody, bool) {
	// RFC 6761 section 6.3: localhost is the loopback, without asking anyone.
	local := name == "localhost" || strings.HasSuffix(name, ".localhost")
	switch {
	case t == dnsmessage.TypeA && local:
		return &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}, true
	case t == dnsmessage.TypeA:
		a, ok := s.Names.Addr4(name)
		return &dnsmessage.AResource{A: a.As4()}, ok
	case t == dnsmessage.TypeAAAA && !s.IPv6:
		return nil, true
	case t == dnsmessage.TypeAAAA && local:
		return &dnsmessage.AAAAResource{AAAA: netip.IPv6Loopback().As16()}, true
	case t == dnsmessage.TypeAAAA:
		a, ok := s.Names.Addr6(name)
		return &dnsmessage.AAAAResource{AAAA: a.As16()}, ok
	default:
		return nil, true
	}
}

func pack(head dnsmessage.Header, q dnsmessage.Question, record dnsmessage.ResourceBody) ([]byte, error) {
	if head.RCode != dnsmessage.RCodeSuccess {
		record = nil
	}
	m := dnsmessage.Message{Header: head, Questions: []dnsmessage.Question{q}}
	if record != nil {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: ttl},
			Body:   record,
		}}
	}
	return m.Pack()
}

// typeName returns the usual spelling: A, AAAA, TXT. Types that the library has
// no name for are the usual TYPE65 (RFC 3597), but for the two that matter here.
func typeName(t dnsmessage.Type) string {
	switch t {
	case 64:
		return "SVCB"
	case 65:
		return "HTTPS"
	}
	s := t.String()
	if rest, ok := strings.CutPrefix(s, "Type"); ok {
		return rest
	}
	return "TYPE" + s
}
