package proxy

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// undecrypted records a connection whose client ended the handshake, or could not
// be shown a certificate: its build is about to break.
func (p *Proxy) undecrypted(cc *clientConn, err error, last *tail) {
	p.who(cc)
	ev := p.newEvent(enforce.StageConnect, cc.opaqueRequest(), cc.shown)
	ev.Error = "TLS handshake with the client: " + err.Error()
	if errors.Is(err, errServerName) {
		p.Gate.Settle(ev, policy.Decision{Rule: ruleIdentity, Reason: err.Error()})
		return
	}
	reason := "the TLS handshake with the client failed"
	if last.distrusts() {
		ev.Error = fmt.Sprintf("TLS handshake with the client: alert %d in the clear", last[6])
	}
	if distrusts(err) || last.distrusts() {
		reason = "the client does not trust the authority of this run"
		ev.Hint = distrustStep(cc.process, cc.target.host)
	}
	ev.Failure = reason
	p.Gate.Settle(ev, policy.Decision{Rule: enforce.RuleTLS, Reason: reason})
}

// soon is how long after it was shown a certificate a client leaves that has looked
// at it. One that opens a connection in advance keeps it for longer.
const soon = 20 * time.Second

// askedNothing records that a client left with the handshake: node, and GnuTLS'
// clients (wget, Debian's git), look at the certificate apart from it, and leave
// without a word where they do not trust it. It may mean nothing: clients race addresses.
func (p *Proxy) askedNothing(cc *clientConn) {
	refused := cc.guard != nil && cc.guard.bad.Load() != nil // it was asked something, and that was recorded
	if cc.certified.IsZero() || cc.asked || refused || time.Since(cc.certified) > soon || p.life.Err() != nil {
		return
	}
	ev := p.newEvent(enforce.StageConnect, cc.opaqueRequest(), cc.shown)
	ev.Failure = "the client left when it had seen the certificate of this run"
	ev.Hint = "where it complains of a certificate: " + distrustStep(cc.process, cc.target.host)
	p.Gate.Settle(ev, policy.Decision{Action: policy.Log, Default: true, Rule: enforce.RuleSilence, Reason: "closed before anything was asked; nothing was dialled"})
}

// distrusts reports whether the client ended a handshake with an alert about our
// certificate: bad_certificate, unsupported_certificate, certificate_revoked,
// certificate_expired, certificate_unknown or unknown_ca (RFC 8446 section 6.2).
// Alerts of crypto/tls have no exported type.
func distrusts(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && strings.Contains(op.Err.Error(), "certificate")
}

// tail is the end of what was read: the size of a record with an alert in the
// clear. A nil tail keeps nothing.
type tail [7]byte

func (t *tail) keep(read []byte) {
	if t == nil {
		return
	}
	if n := len(read); n < len(t) {
		copy(t[:], t[n:])
		copy(t[len(t)-n:], read)
		return
	}
	copy(t[:], read[len(read)-len(t):])
}

// distrusts reports whether it is a fatal alert of distrust in the clear. In TLS 1.3
// OpenSSL's clients send it so, for theirs is the side that has not changed its keys
// yet, and crypto/tls takes it for a record that was tampered with.
func (t *tail) distrusts() bool {
	const recordTypeAlert, fatal = 21, 2
	switch {
	case t == nil, t[0] != recordTypeAlert, t[3] != 0, t[4] != 2, t[5] != fatal:
		return false
	}
	const badCertificate, certificateUnknown, unknownCA = 42, 46, 48
	return t[6] >= badCertificate && t[6] <= certificateUnknown || t[6] == unknownCA
}

// trusting says of a program what of its own makes it trust other authorities than
// the run names in the environment, and how it is told of those.
func trusting() []struct{ program, mend string } {
	return []struct{ program, mend string }{
		{"curl", `--cacert and --capath, also in .curlrc, win over what the run sets: leave them out, or say --cacert "$SSL_CERT_FILE"`},
		{"wget", `--ca-certificate, also in .wgetrc, wins over what the run sets: leave it out, or say --ca-certificate="$SSL_CERT_FILE"`},
		{"git-remote-http", `GIT_SSL_CAINFO, which the run sets, was changed or unset: leave it`},
		{"python", `verify= and cafile= in the code, such as certifi.where(), win over what the run sets: leave them out, or give os.environ["SSL_CERT_FILE"]`},
		{"node", `the option ca, in the code or as a setting, wins over NODE_EXTRA_CA_CERTS, which the run sets: leave it out, or read that file into it`},
		{"java", `-Djavax.net.ssl.trustStore of the build's own wins over that in JAVA_TOOL_OPTIONS, which the run sets: leave it out`},
		{"cargo", `CARGO_HTTP_CAINFO, which the run sets, was changed: leave it`},
		{"ruby", `ca_file and cert_store in the code win over SSL_CERT_FILE, which the run sets: leave them out, or give ENV["SSL_CERT_FILE"]`},
		{"php", `CURLOPT_CAINFO and cafile in the code win over what the run sets: leave them out, or give getenv("SSL_CERT_FILE")`},
	}
}

// distrustStep is what to do for a client that does not trust the run's authority.
func distrustStep(who *policy.Process, host string) string {
	mend := `it goes by authorities of its own: leave that out, or give it the file in $SSL_CERT_FILE, which the run sets`
	if who != nil {
		for _, t := range trusting() {
			if strings.HasPrefix(filepath.Base(who.Exe), t.program) {
				mend = t.mend
				break
			}
		}
	}
	return mend + "; a client that pins a certificate takes a rule {host: \"" + host + "\", tls: passthrough}, which lets it pass undecrypted"
}
