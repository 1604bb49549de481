package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/proxy"

	"github.com/juliendoutre/proxaudit/policy"
)

// outerError says that the outer proxy did not do what it was asked for. It
// holds none of the proxy's credentials.
type outerError struct {
	proxy  string // host:port
	status string // what it answered; "" when it did not
	code   int
	err    error
}

func (e *outerError) Error() string {
	switch {
	case e.proxy == "":
		return e.err.Error()
	case e.status != "":
		return fmt.Sprintf("the outer proxy %s answered %q", e.proxy, e.status)
	default:
		return fmt.Sprintf("the outer proxy %s: %v", e.proxy, e.err)
	}
}

func (e *outerError) Unwrap() error { return e.err }

func isSOCKS(via *url.URL) bool { return via.Scheme == "socks5" || via.Scheme == "socks5h" }

// proxyAddress is the host:port at which a proxy URL is dialled.
func proxyAddress(via *url.URL) string {
	port := via.Port()
	switch {
	case port != "":
	case isSOCKS(via):
		port = "1080" // RFC 1928 section 3
	default:
		port = strconv.Itoa(int(policy.DefaultPort(via.Scheme)))
	}
	return net.JoinHostPort(via.Hostname(), port)
}

// dialOuter connects to the outer proxy. It is the user's own word and may stand
// anywhere; what a name resolves to behind it is for its operator to guard. It
// is shown no client certificate.
func (u *upstream) dialOuter(ctx context.Context, via *url.URL) (net.Conn, error) {
	addr := proxyAddress(via)
	d := &net.Dialer{Timeout: u.limits.DialTimeout, Resolver: u.resolver}
	conn, err := u.open.kept(d.DialContext(ctx, "tcp", addr))
	if err != nil {
		return nil, &outerError{proxy: addr, err: err}
	}
	if via.Scheme != "https" {
		return conn, nil
	}
	c := u.tls()
	c.ServerName = via.Hostname()
	secure := tls.Client(conn, c)
	ctx, cancel := context.WithTimeout(ctx, u.limits.HandshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, &outerError{proxy: addr, err: err}
	}
	return secure, nil
}

// dialThrough asks the outer proxy for a tunnel to addr, a host and a port. Names
// are resolved behind it.
func (u *upstream) dialThrough(ctx context.Context, via *url.URL, addr string) (net.Conn, error) {
	if isSOCKS(via) {
		return u.dialSOCKS(ctx, via, addr)
	}
	conn, err := u.dialOuter(ctx, via)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(u.limits.DialTimeout))
	br, err := u.connect(conn, via, addr)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	if br.Buffered() == 0 {
		return conn, nil
	}
	return &clientConn{Conn: conn, buffered: br}, nil
}

// connect sends a CONNECT (RFC 9110 section 9.3.6) and reads the answer, of which
// any 2xx is a tunnel. It returns what was read ahead.
func (u *upstream) connect(conn net.Conn, via *url.URL, addr string) (*bufio.Reader, error) {
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{"User-Agent": nil}}
	if via.User != nil {
		password, _ := via.User.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(via.User.Username()+":"+password)))
	}
	if err := r.Write(conn); err != nil {
		return nil, &outerError{proxy: proxyAddress(via), err: err}
	}
	br := bufio.NewReader(&io.LimitedReader{R: conn, N: int64(u.limits.MaxHeaderBytes)})
	resp, err := http.ReadResponse(br, r)
	if err != nil {
		return nil, &outerError{proxy: proxyAddress(via), err: err}
	}
	if resp.StatusCode/100 != 2 {
		return nil, &outerError{proxy: proxyAddress(via), status: resp.Status, code: resp.StatusCode}
	}
	return br, nil
}

// dialSOCKS asks a SOCKS5 proxy for a tunnel (RFC 1928, RFC 1929). It returns the
// connection itself: the one of x/net around it has no way to end one direction.
func (u *upstream) dialSOCKS(ctx context.Context, via *url.URL, addr string) (net.Conn, error) {
	var auth *proxy.Auth
	if via.User != nil {
		password, _ := via.User.Password()
		auth = &proxy.Auth{User: via.User.Username(), Password: password}
	}
	ctx, cancel := context.WithTimeout(ctx, u.limits.DialTimeout)
	defer cancel()
	d := &lastDialled{u: u}
	s, err := proxy.SOCKS5("tcp", proxyAddress(via), auth, d)
	if err == nil {
		_, err = s.(proxy.ContextDialer).DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, &outerError{proxy: proxyAddress(via), err: err}
	}
	return d.conn, nil
}

// lastDialled is a dialer that remembers the connection it made.
type lastDialled struct {
	u    *upstream
	conn net.Conn
}

// DialContext implements proxy.ContextDialer.
func (d *lastDialled) DialContext(ctx context.Context, network, addr string) (c net.Conn, err error) {
	dialer := &net.Dialer{Timeout: d.u.limits.DialTimeout, Resolver: d.u.resolver}
	d.conn, err = d.u.open.kept(dialer.DialContext(ctx, network, addr))
	return d.conn, err
}

// Dial implements proxy.Dialer, which nobody calls where there is a context.
func (d *lastDialled) Dial(network, addr string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, addr)
}
