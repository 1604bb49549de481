package isolate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/juliendoutre/proxaudit/internal/child"
)

// EnvOptions says how to make the jail that only sets variables.
type EnvOptions struct {
	// ListenAddr is where the proxy listens: a loopback address and a port, 0
	// for any free one. Empty means 127.0.0.1:0.
	ListenAddr string
}

// Env makes the jail that confines nothing: the command is asked, by variables
// that the caller puts into its environment, to use the proxy. A command that
// does not want to goes around it, so the jail is advisory.
//
// It listens on a loopback address only: a proxy with the caller's rights must
// not be open to the network.
func Env(o EnvOptions) (Jail, error) {
	addr := o.ListenAddr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", addr, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return nil, &listenError{
			text: fmt.Sprintf("cannot listen on %s: not a loopback address", addr),
			hint: "listen on 127.0.0.1 or ::1: a proxy must not be open to the network",
		}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, newListenError(host, port, err)
	}
	return &env{listener: l}, nil
}

type env struct{ listener net.Listener }

func (*env) Name() string             { return "env" }
func (*env) Advisory() bool           { return true }
func (e *env) Listener() net.Listener { return e.listener }
func (e *env) ProxyURL() string       { return "http://" + e.listener.Addr().String() }

// Run implements Jail. An error that is not a *child.StartError says that the
// command was ended because ctx did, or that something it left behind could
// not be ended.
func (*env) Run(ctx context.Context, c Command) (int, error) {
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	p, err := child.Start(c.Argv, c.Env, c.Stdin, c.Stdout, c.Stderr)
	if err != nil {
		return 0, err
	}
	return p.Wait(ctx)
}

// Close implements Jail. A listener that the caller has closed already is no
// error.
func (e *env) Close() error {
	if err := e.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// listenError says why the proxy cannot listen.
type listenError struct {
	text, hint string
	err        error
}

func (e *listenError) Error() string { return e.text }
func (e *listenError) Unwrap() error { return e.err }

// Hint says what to do next.
func (e *listenError) Hint() string { return e.hint }

func newListenError(host, port string, err error) error {
	switch {
	case isInUse(err):
		return &listenError{
			text: fmt.Sprintf("port %s on %s is already in use", port, host),
			hint: "choose another with -port, or -port 0 for any free one", err: err,
		}
	case errors.Is(err, fs.ErrPermission):
		return &listenError{
			text: fmt.Sprintf("not allowed to listen on port %s of %s", port, host),
			hint: "choose a port above 1023 with -port, or -port 0 for any free one", err: err,
		}
	default:
		return fmt.Errorf("cannot listen on port %s of %s: %w", port, host, reason(err))
	}
}

// isInUse also knows WSAEADDRINUSE, which is not syscall.EADDRINUSE.
func isInUse(err error) bool {
	const wsaAddrInUse = syscall.Errno(10048)
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaAddrInUse)
}

// reason takes off what net repeats: the operation and the address.
func reason(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && !strings.Contains(op.Err.Error(), "\n") {
		return op.Err
	}
	return err
}
