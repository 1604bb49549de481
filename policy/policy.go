// Package policy says what a request is, what a decision is, and how decisions
// combine. It holds the vocabulary that every backend and the gate share.
//
// It must never know the mode (audit, learn, enforce), never touch the network
// and never import anything but the standard library.
package policy

import (
	"context"
	"fmt"
	"net/netip"
)

// Action is what a policy wants done with a request. The zero value denies, so
// that a forgotten field, an error or a panic can only ever deny.
type Action uint8

const (
	// Deny refuses the request.
	Deny Action = iota
	// Log forwards the request and reports it for review.
	Log
	// Allow forwards the request.
	Allow
)

// String returns the spelling used in policies and events.
func (a Action) String() string {
	switch a {
	case Allow:
		return "allow"
	case Log:
		return "log"
	default:
		return "deny"
	}
}

// MarshalText implements encoding.TextMarshaler.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Anything but the three
// spellings is an error and leaves Deny.
func (a *Action) UnmarshalText(text []byte) error {
	switch string(text) {
	case "allow":
		*a = Allow
	case "log":
		*a = Log
	case "deny":
		*a = Deny
	default:
		*a = Deny
		return fmt.Errorf("unknown action %q: want allow, deny or log", text)
	}
	return nil
}

// Request is one question to a policy. The proxy fills it from the wire, with
// the host and the path in canonical form, so that a backend compares strings
// and never interprets what a client sent.
type Request struct {
	// Method is the HTTP method as sent; methods are case-sensitive (RFC 9110
	// section 9.1). CONNECT asks only whether the connection may pass without
	// being decrypted; see Decision.Passthrough. It is empty for raw TCP.
	Method string
	// Scheme is http, https, ws, wss or tcp.
	Scheme string
	// Host is canonical: lowercase A-labels without a trailing dot, or an IP
	// address as netip.Addr prints it, without brackets.
	Host string
	// Port is the effective port: the scheme's own where none was written.
	Port uint16
	// Path is in the form of CanonicalPath. It is empty for CONNECT and raw TCP.
	Path string
	// Query is the part after "?", as sent.
	Query string
	// Header holds the request's header fields under canonical keys. A policy
	// must not change it.
	Header map[string][]string
	// Package is the purl that the URL's shape names, empty when it names none.
	Package string
	// Registry is the origin under `registries:` that Package is read from. It
	// is empty when the origin is not registered: then Package is a guess from
	// the shape of the URL alone and must not earn the request anything.
	Registry string
	// Process is who asked, nil when unknown. It is evidence, not proof.
	Process *Process
	// Via holds the URLs, as URL returns them but without a query, of requests of
	// this run that a policy let pass and that were answered by a redirect to
	// exactly this one: its scheme, host, port, path and query. It is empty when
	// there was none, or none that is remembered.
	Via []string
}

// Process is the process behind a request, as far as it could be found.
type Process struct {
	PID     int      `json:"pid"`
	Exe     string   `json:"exe"`
	Argv    []string `json:"argv,omitempty"`
	Parents []string `json:"parents,omitempty"`
}

// Decision is a policy's answer. Its zero value denies.
type Decision struct {
	Action Action
	// Rule names the rule that decided, in a form its author recognises, such
	// as "policy.yaml:12". It is empty when no rule matched.
	Rule string
	// Reason is the rule author's reason, or words for why there is none.
	Reason string
	// Default is true when no rule matched and the policy's default answered.
	Default bool
	// Final is true of a denial that no rule of the user's own policy can turn,
	// so that nobody is told to add one.
	Final bool
	// Policy identifies what was asked, as "sha256:" and hexadecimal digits. It
	// is empty where no policy was asked.
	Policy string
	// Passthrough lets a connection pass without being read: TLS undecrypted, in
	// the answer to a CONNECT question, or raw bytes, in the answer about scheme
	// tcp. It takes a word of its own, so that a rule written with requests in
	// mind can never blind the proxy to a whole host.
	Passthrough bool
	// Networks are the addresses that are not public and may nevertheless be
	// dialled for this request. The slice is shared: do not change it.
	Networks []netip.Prefix
}

// Policy decides requests. Implementations are safe for concurrent use and
// bound their own time; an error means Deny whatever the Decision says.
type Policy interface {
	Decide(context.Context, *Request) (Decision, error)
}

// Func is a function used as a Policy.
type Func func(context.Context, *Request) (Decision, error)

// Decide calls f.
func (f Func) Decide(ctx context.Context, r *Request) (Decision, error) { return f(ctx, r) }
