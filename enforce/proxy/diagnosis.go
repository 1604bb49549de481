package proxy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// diagnosis is an error in the words of who has to mend it.
type diagnosis struct {
	// what failed, the same for all errors of a kind: neither addresses nor ports
	// stand in it.
	what string
	// step is what to do next, "" where that is not known.
	step string
}

// diagnose says what an error on the way to a server means. server is its
// authority (RFC 3986 section 3.2).
func diagnose(err error, server string) diagnosis {
	for _, look := range []func(error, string) diagnosis{certificateTrouble, outerTrouble, nameTrouble, limitTrouble, serverTrouble, connectionTrouble} {
		if d := look(err, server); d.what != "" {
			return d
		}
	}
	return diagnosis{what: "it failed on the way"}
}

// certificateTrouble is where the server's certificate is not one to trust.
// Nothing was sent to it.
func certificateTrouble(err error, _ string) diagnosis {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.As(err, &unknown) && signedByItself(unknown.Cert):
		return diagnosis{"the server's certificate is not trusted",
			"the server's certificate is signed by itself: if it is the one you expect, name its file with -upstream-ca"}
	case errors.As(err, &unknown):
		return diagnosis{"the server's certificate is not trusted",
			"the server's certificate is signed by an authority that this machine does not trust: name the authority's file with -upstream-ca, or in SSL_CERT_FILE before proxaudit starts"}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return diagnosis{"the server's certificate is not valid now",
			fmt.Sprintf("the server's certificate is valid from %s to %s: its owner must renew it, unless this machine's clock is wrong",
				invalid.Cert.NotBefore.UTC().Format(time.DateTime), invalid.Cert.NotAfter.UTC().Format(time.DateTime))}
	case errors.As(err, &invalid):
		return diagnosis{"the server's certificate may not be used", "the server's certificate may not be used for this: its owner must replace it"}
	case errors.As(err, &name):
		return diagnosis{"the server's certificate is another host's", "the server's certificate is another host's: use a name that it holds, or have its owner add this one"}
	default:
		return diagnosis{}
	}
}

func signedByItself(c *x509.Certificate) bool {
	return c != nil && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// outerTrouble is where the outer proxy did not do what it was asked for.
func outerTrouble(err error, _ string) diagnosis {
	var outer *outerError
	switch {
	case !errors.As(err, &outer):
		return diagnosis{}
	case outer.code == http.StatusProxyAuthRequired || outer.code == http.StatusUnauthorized: // tinyproxy's answer to a wrong password
		return diagnosis{"the outer proxy asks for credentials",
			"check the user and the password in HTTPS_PROXY or HTTP_PROXY (a character such as @ is written %40 there); Basic authentication is what is spoken"}
	case outer.code != 0:
		return diagnosis{"the outer proxy refused", "the outer proxy's operator can say why; NO_PROXY names hosts that need no outer proxy"}
	default:
		return diagnosis{"the outer proxy could not be used",
			"HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as they were when proxaudit started, say which outer proxy is used for what"}
	}
}

// nameTrouble is where a name led to no address. It was asked for outside.
func nameTrouble(err error, _ string) diagnosis {
	var dns *net.DNSError
	switch {
	case !errors.As(err, &dns):
		return diagnosis{}
	case dns.IsNotFound:
		return diagnosis{"the name was not found",
			"the name does not exist, as seen from this machine: check its spelling, or whether it takes a VPN or another name server; outside of proxaudit, getent hosts " + dns.Name + " asks the same"}
	case dns.IsTimeout:
		return diagnosis{"the name could not be looked up in time",
			"this machine's name servers (/etc/resolv.conf) did not answer; -dial-timeout gives the server longer, its name included; outside of proxaudit, getent hosts " + dns.Name + " asks the same"}
	default:
		return diagnosis{"the name could not be looked up",
			"this machine's name servers (/etc/resolv.conf) did not answer as they should; outside of proxaudit, getent hosts " + dns.Name + " asks the same"}
	}
}

// limitTrouble is where a flag of this program says how much, or how long.
func limitTrouble(err error, _ string) diagnosis {
	var op *net.OpError
	timeout := net.Error(nil)
	timed := errors.As(err, &timeout) && timeout.Timeout()
	text := err.Error()
	switch {
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "response header list larger"):
		return diagnosis{"the answer's header is too long", "-max-header raises how long a header may be"}
	case errors.Is(err, errBusy):
		return diagnosis{"too many requests are under way", "-max-requests raises how many may be under way at once"}
	case timed && strings.Contains(text, "awaiting response headers"):
		return diagnosis{"the server did not answer in time", "-first-byte-timeout gives the server longer to begin its answer"}
	case timed && strings.Contains(text, "TLS handshake"):
		return diagnosis{"the server's TLS handshake took too long", "-handshake-timeout gives the server longer"}
	case timed && errors.As(err, &op) && op.Op == "dial":
		return diagnosis{"the server could not be connected to in time", "-dial-timeout gives the server longer; a firewall that drops packets looks the same"}
	case timed:
		return diagnosis{what: "it took too long"}
	default:
		return diagnosis{}
	}
}

// serverTrouble is what a server that was reached did not do.
func serverTrouble(err error, server string) diagnosis {
	text := err.Error() // the alerts of crypto/tls have no exported type
	switch {
	case strings.Contains(text, "tls: certificate required"), strings.Contains(text, "tls: bad certificate"):
		return diagnosis{"the server asks for a client certificate", "the server asks for a client certificate: -client-cert " + server + "=CERT.pem,KEY.pem"}
	case strings.Contains(text, "first record does not look like a TLS handshake"):
		return diagnosis{"the server does not speak TLS at this port", "use http:// for it, or the port where it speaks TLS"}
	case strings.Contains(text, "tls: "):
		return diagnosis{what: "the TLS handshake with the server failed"}
	case errors.Is(err, context.Canceled):
		return diagnosis{what: "the client hung up before the answer came"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return diagnosis{what: "the server closed the connection too early"}
	default:
		return diagnosis{}
	}
}

// connectionTrouble is what the network, or this machine, answered.
func connectionTrouble(err error, _ string) diagnosis {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) && dialledLoopback(err):
		return diagnosis{"nothing listens there",
			"this is the loopback outside of the run; a server that the command itself starts is inside, and is reached without a proxy (curl --noproxy)"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return diagnosis{what: "the connection was refused"}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return diagnosis{"there is no way to the server", "outside of proxaudit it is the same: look at this machine's network"}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return diagnosis{what: "the server cut the connection"}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return diagnosis{"proxaudit has too many files open", "ulimit -n raises how many it may have"}
	default:
		return diagnosis{}
	}
}

func dialledLoopback(err error) bool {
	var op *net.OpError
	if !errors.As(err, &op) {
		return false
	}
	addr, ok := op.Addr.(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}
