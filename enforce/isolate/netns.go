package isolate

import (
	"net"
	"net/netip"
	"time"

	"github.com/juliendoutre/proxaudit/enforce/isolate/fakedns"
	"github.com/juliendoutre/proxaudit/enforce/isolate/icmp"
	"github.com/juliendoutre/proxaudit/policy"
)

// NetnsName is the word for confinement by Linux namespaces.
const NetnsName = "netns"

// NetnsOptions are the choices of a confinement by namespaces. The zero value
// is the tightest.
type NetnsOptions struct {
	// CA returns the run's certificate as PEM text, for the system's trust stores.
	// It is called while the jail's first process starts, which takes some
	// milliseconds. Nil adds no certificate.
	CA func() ([]byte, error)
	// AllowSockets are paths of host sockets that the command may use. Each is a
	// way around the proxy.
	AllowSockets []string
	// KeepRoot runs the command as root where sudo was used. Otherwise it runs
	// as the user who called sudo.
	KeepRoot bool
	// UserNamespaces lets the command make user namespaces of its own, for
	// browsers and build tools with a sandbox. They show it more of the kernel.
	UserNamespaces bool
	// Asked is told of each DNS question before it is answered, Refused of each
	// UDP datagram that was refused. Both may be nil and are called concurrently,
	// from before NewNetns returns.
	Asked   func(fakedns.Question)
	Refused func(icmp.Refused)
	// Hidden is told of each path of a unix socket that the command was refused,
	// whether there is one outside or not. It may be nil; the command waits for it.
	Hidden func(path string)
	// NoNamespace is told of each program that was refused a user namespace, "" for
	// one that is not known. It may be nil; the program waits for it.
	NoNamespace func(exe string)
}

// Transparent is a Jail whose connections arrive as the command made them: the
// LocalAddr of an accepted connection is the address that the command dialled,
// of any port. When that is the listener's own port on an address of the jail,
// it is a client that speaks to the proxy.
type Transparent interface {
	Jail
	// NameOf returns the name that an address was made up for.
	NameOf(netip.Addr) (name string, ok bool)
	// Synthetic reports whether the address is one of those that are made up:
	// without a name, there is nothing to dial.
	Synthetic(netip.Addr) bool
	// Own reports whether the address is the jail itself: a connection there was
	// made to the proxy and not to be carried on.
	Own(netip.Addr) bool
}

// Attributor is a Jail that can tell who made a connection.
type Attributor interface {
	Jail
	// Attribute returns the process behind a connection, by its two ends as the
	// accepted connection has them, and nil when it is not to be found. It is
	// evidence, not proof. It takes under a millisecond: ask once a connection.
	Attribute(client, server net.Addr) *policy.Process
}

// Refusal says why a confinement could not be made. Nothing was started.
type Refusal struct {
	// Step is what was tried.
	Step string
	// Err is what the system said.
	Err error
	// Mend is what to do about it.
	Mend string
}

// Error implements error.
func (r *Refusal) Error() string {
	return "cannot confine the command: " + r.Step + ": " + r.Err.Error()
}

// Hint says what to do next; it may be empty.
func (r *Refusal) Hint() string { return r.Mend }

// Unwrap returns what the system said.
func (r *Refusal) Unwrap() error { return r.Err }

// Finding is what a probe found out about one way to confine.
type Finding struct {
	// Name is the backend's word, Works whether it can be used here.
	Name  string
	Works bool
	// Detail says how it works, or why it does not.
	Detail string
	// Mend is what to do where it does not.
	Mend string
	// Warnings are what works less well.
	Warnings []string
	// Took is how long the making took.
	Took time.Duration
}
