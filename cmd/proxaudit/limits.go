package main

import (
	"errors"
	"flag"
	"strconv"
	"strings"
	"time"

	"github.com/juliendoutre/proxaudit/enforce/proxy"
)

// limitFlags adds a flag for each of the proxy's limits. Their defaults stand in
// limitsHelp.
func limitFlags(f *flag.FlagSet, l *proxy.Limits) {
	*l = proxy.DefaultLimits()
	f.Var((*count)(&l.MaxConnections), "max-connections", "")
	f.Var((*count)(&l.MaxRequests), "max-requests", "")
	f.Var((*count)(&l.MaxHeaderBytes), "max-header", "")
	f.Var((*span)(&l.HeaderTimeout), "header-timeout", "")
	f.Var((*span)(&l.HandshakeTimeout), "handshake-timeout", "")
	f.Var((*span)(&l.DialTimeout), "dial-timeout", "")
	f.Var((*span)(&l.FirstByteTimeout), "first-byte-timeout", "")
	f.Var((*span)(&l.IdleTimeout), "idle-timeout", "")
	f.Var((*span)(&l.TunnelTimeout), "tunnel-timeout", "")
}

const limitsHelp = `
Limits. What is slow, silent or many costs a bounded amount; a build does not
come near them.

    -max-connections N     connections of COMMAND; one more takes the place of an
                           unused one, or waits (16384)
    -max-requests N        requests under way; one more waits, and gets a 503 after
                           -first-byte-timeout (1024)
    -max-header BYTES      of a request (431 beyond it) or a response (502) (262144)
    -header-timeout TIME   for COMMAND to send a request's header (30s)
    -handshake-timeout TIME  for TLS, with COMMAND and with servers (30s)
    -dial-timeout TIME     to resolve a server's name and connect (30s)
    -first-byte-timeout TIME  for a server to begin its answer (10m)
    -idle-timeout TIME     until a connection without a request is closed (5m)
    -tunnel-timeout TIME   until an undecrypted tunnel without a byte is (1h; Linux)
`

// count is a flag that takes a whole number above zero.
type count int

func (c *count) String() string { return strconv.Itoa(int(*c)) }

func (c *count) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n <= 0 {
		return errors.New("not a whole number above zero")
	}
	*c = count(n)
	return nil
}

// span is a flag that takes a length of time above zero.
type span time.Duration

func (d *span) String() string {
	text := time.Duration(*d).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

func (d *span) Set(s string) error {
	t, err := time.ParseDuration(s)
	if err != nil || t <= 0 {
		return errors.New("not a time above zero, such as 90s or 10m")
	}
	*d = span(t)
	return nil
}
