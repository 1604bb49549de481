// Package proxy is where the command's bytes arrive: it decrypts them, turns
// each request into a question for the gate, and forwards what may pass. It is
// the only package that imports goproxy.
//
// It must never resolve or dial anything before the gate has decided, never
// dial anything but what was decided, and never hold a body whole in memory.
package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/elazarl/goproxy"
	"go.uber.org/zap"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// Config is what a Proxy is made of. Gate and Leaf are required.
type Config struct {
	Gate *enforce.Gate
	// Leaf returns the certificate to show for a host.
	Leaf func(host string) (*tls.Certificate, error)
	// Identify names the package that a request reads, and the registry it is
	// registered under. Nil names none.
	Identify func(*policy.Request) (purl, registry string)
	// Capture tells where connections were meant to go that the command made
	// without knowing of the proxy. Nil means that there are none such.
	Capture Capture
	// Attribute finds the process at the client's end of a connection. Nil finds
	// none. It is called once a connection, and may return what it returned before.
	Attribute func(client, server net.Addr) *policy.Process
	// Roots returns what verifies upstream servers; nil means the system's. It is
	// called once, when a server is first dialled: parsing a hundred certificates
	// would delay the start of every command.
	Roots func() *x509.CertPool
	// OuterProxy names the proxy through which a URL is reached; nil means none.
	OuterProxy func(*url.URL) (*url.URL, error)
	// ClientCertificates are shown to the server at exactly this host:port, the
	// host canonical, when it asks for one, and to nobody else: not to an outer
	// proxy, nor to another port of the same host.
	ClientCertificates map[string]*tls.Certificate
	// Limits bound what a peer may cost.
	Limits Limits
	// Resolver looks up the names that are dialled; nil means the system's.
	Resolver *net.Resolver
	// Isolation stands in every event.
	Isolation string
	// PolicyName is the file that a denial tells the user to edit.
	PolicyName string
	// Evidence says that events are kept: the SHA-256 of each body delivered and
	// the address dialled go into them. Without instructions of its own for it, a
	// processor hashes slower than it encrypts.
	Evidence bool
	// LogHeader and LogBody put headers and the beginning of bodies into events.
	LogHeader, LogBody bool
	// Log receives diagnostics. Nil discards them.
	Log *zap.Logger
}

// Capture knows the addresses of a jail in which every address is the proxy: the
// local address of an accepted connection is the one that the command dialled.
type Capture interface {
	// Own reports whether an address is the proxy itself, to be spoken to as one.
	Own(netip.Addr) bool
	// NameOf returns the name that an address was made up for.
	NameOf(netip.Addr) (name string, ok bool)
	// Synthetic reports whether an address is one of those that are made up.
	Synthetic(netip.Addr) bool
}

// Proxy serves the connections of one run.
type Proxy struct {
	Config
	engine   *goproxy.ProxyHttpServer
	front    *http.Server  // what speaks to the proxy as such
	inner    *http.Server  // what was in a tunnel or captured, decrypted
	clients  *connListener // of front
	tunnels  *connListener // of inner
	conns    *admission
	turns    turns
	closing  chan struct{}
	closed   sync.Once
	life     context.Context // of everything that is done for clients
	cut      context.CancelFunc
	open     connSet // the clients' connections
	work     tally   // what is done for them
	upstream *upstream
	tls      *tls.Config
	ids      idSource
	shown    atomic.Pointer[shown]
	spoke    destinations // at which clients speak first
	// speaksAfter is serverSpeaksAfter, but for tests.
	speaksAfter time.Duration
	// redirects are those of responses to the command.
	redirects redirects
}

// New returns a Proxy that is ready to serve.
func New(c Config) *Proxy {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	c.Limits = c.Limits.withDefaults()
	p := &Proxy{
		Config: c, clients: newConnListener(), tunnels: newConnListener(), closing: make(chan struct{}), ids: newIDSource(),
		conns: newAdmission(c.Limits.MaxConnections), turns: make(turns, c.Limits.MaxRequests), upstream: newUpstream(c),
		speaksAfter: serverSpeaksAfter,
	}
	p.life, p.cut = context.WithCancel(context.Background())
	p.tls = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1", "http/1.0"}, // curl --http1.0 offers nothing else
		GetCertificate: p.certificate,
		// Small records at the start serve browsers that render half a page.
		DynamicRecordSizingDisabled: true,
	}
	p.engine = goproxy.NewProxyHttpServer()
	p.engine.Tr = nil // ctx.RoundTripper is always ours: a way around it must not exist
	p.engine.ConnectDial = refuseDial
	p.engine.KeepAcceptEncoding, p.engine.KeepHeader = true, true // stripRequest says what goes
	p.engine.Logger = zap.NewStdLog(c.Log)
	p.engine.OnRequest().HandleConnectFunc(p.onConnect)
	p.engine.OnRequest().DoFunc(p.onRequest)
	p.front = p.server(http.HandlerFunc(p.serveFront))
	p.inner = p.server(http.HandlerFunc(p.serveInner))
	p.inner.TLSConfig = p.tls
	go func() { _ = p.front.Serve(p.clients) }()
	go func() { _ = p.inner.Serve(p.tunnels) }()
	return p
}

func (p *Proxy) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: p.counted(guarded(h)),
		// net/http would answer OPTIONS * by itself, and nobody would know.
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            p.Limits.HeaderTimeout,
		IdleTimeout:                  p.Limits.IdleTimeout,
		MaxHeaderBytes:               p.Limits.MaxHeaderBytes,
		ErrorLog:                     zap.NewStdLog(p.Log),
		ConnContext:                  p.connContext,
		ConnState:                    p.connState,
		BaseContext:                  func(net.Listener) context.Context { return p.life },
	}
}

// Serve accepts connections from l until Shutdown; it closes l. It returns nil
// after Shutdown.
func (p *Proxy) Serve(l net.Listener) error {
	defer l.Close()
	go func() { <-p.closing; _ = l.Close() }()
	for {
		c, err := l.Accept()
		if err == nil {
			if s := p.conns.admit(c, p.closing); s != nil {
				go p.arrive(c, s)
			} else {
				_ = c.Close()
			}
			continue
		}
		select {
		case <-p.closing:
			return nil
		default:
		}
		if !isTemporary(err) {
			p.close()
			return err
		}
		if !errors.Is(err, syscall.ECONNABORTED) {
			p.conns.evict() // its descriptor serves the next one
		}
		time.Sleep(acceptPause)
	}
}

// acceptPause is how long Serve waits when there is no descriptor left for one
// more connection.
const acceptPause = 5 * time.Millisecond

func isTemporary(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED)
}

func (p *Proxy) close() { p.closed.Do(func() { close(p.closing) }) }

// refuseDial stands where goproxy would dial by itself.
func refuseDial(string, string) (net.Conn, error) {
	return nil, errors.New("proxaudit dials only what was decided")
}
