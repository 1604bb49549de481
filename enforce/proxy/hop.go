package proxy

import (
	"net/http"
	"net/textproto"
	"strings"
)

// hopByHop are the fields that belong to one connection only (RFC 9110 section
// 7.6.1), Alt-Svc, which would lead the client around the proxy (RFC 7838),
// the proxy fields, and what belongs to an upgrade that is not made (RFC 7540
// section 3.2.1).
var hopByHop = [...]string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate",
	"Proxy-Authorization", "Proxy-Authentication-Info", "Upgrade", "Transfer-Encoding", "Alt-Svc",
	"Http2-Settings",
}

// stripRequest removes hop-by-hop fields before a request is forwarded. A
// WebSocket handshake keeps its two; `TE: trailers` stays, because gRPC servers
// insist on it.
func stripRequest(h http.Header, webSocket bool) {
	trailers := tokenIn(h["Te"], "trailers")
	strip(h)
	delete(h, "Te")
	if trailers {
		h["Te"] = []string{"trailers"}
	}
	if webSocket {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	// The transport sends one, and none that is empty.
	if agents := h["User-Agent"]; len(agents) > 0 {
		if h["User-Agent"] = agents[:1]; agents[0] == "" {
			delete(h, "User-Agent")
		}
	}
}

// stripResponse does the same on the way back.
func stripResponse(h http.Header, switching bool) {
	upgrade := h["Upgrade"]
	strip(h)
	if switching {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, upgrade
	}
}

func strip(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = textproto.TrimString(name); name != "" {
				delete(h, textproto.CanonicalMIMEHeaderKey(name))
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}
