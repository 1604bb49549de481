package isolate

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/juliendoutre/proxaudit/enforce/isolate/privilege"
	"github.com/juliendoutre/proxaudit/enforce/isolate/supervisor"
	"golang.org/x/sys/unix"
)

// testTimeout bounds one step of the self-test; all of it takes a millisecond, but
// on a machine that has no time for it.
const testTimeout = 30 * time.Second

// testAddress is one that nobody has (RFC 5737), at a port that every kind of
// capture takes.
const testAddress = "192.0.2.1:443"

// selfTest is what the jail's first process tries before the command starts. A
// confinement that is only believed in is none.
type selfTest struct {
	// Loopback and Abstract are listeners outside, which must not be reached.
	Loopback, Abstract string
	// Probe is a path that the supervisor knows; see supervisor.Probed.
	Probe string
	// NetNS is the host's network namespace.
	NetNS string
	// Keep are the capabilities that may be left.
	Keep privilege.Set
	// Nonce is to arrive at the proxy when it is sent to testAddress.
	Nonce []byte
}

// trial is the self-test with what it needs outside.
type trial struct {
	selfTest
	loopback, abstract net.Listener
}

// newTrial opens the listeners. It needs no jail, and is done while that is made.
func (n *Netns) newTrial() (t *trial, err error) {
	t = &trial{selfTest: selfTest{Keep: n.first.As.Keep, Nonce: make([]byte, 16)}}
	_, _ = rand.Read(t.Nonce) // crypto/rand.Read never fails
	if t.NetNS, err = os.Readlink("/proc/self/ns/net"); err != nil {
		return nil, refused("test the jail", err)
	}
	if err = t.listen(); err != nil {
		return nil, err
	}
	if t.abstract, err = net.Listen("unix", fmt.Sprintf("@proxaudit-test-%x", t.Nonce[:8])); err != nil {
		t.loopback.Close()
		return nil, refused("test the jail", err)
	}
	t.Abstract = t.abstract.Addr().String()
	return t, nil
}

// listen opens a port of the host that must not be reached.
func (t *trial) listen() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return refused("test the jail", err)
	}
	t.loopback, t.Loopback = l, l.Addr().String()
	return nil
}

// avoid opens another port where the jail's own listener has the same number: who
// connects to that inside does not reach the host.
func (t *trial) avoid(port uint16) error {
	if taken := t.loopback; taken.Addr().(*net.TCPAddr).AddrPort().Port() == port {
		defer taken.Close() // not before another one is there, or it could be the same
		return t.listen()
	}
	return nil
}

func (t *trial) close() {
	t.loopback.Close()
	t.abstract.Close()
}

// selfTest has the jail try to get out, and fails when it can, or when what it
// sends does not come to the listener.
func (n *Netns) selfTest(test *selfTest) error {
	arrived := make(chan error, 1)
	go func() { arrived <- n.expect(test.Nonce) }()
	if err := n.ctl.Send(message{Test: test}); err != nil {
		return refused("test the jail", n.first.Explain(err))
	}
	var result message
	if _, err := n.ctl.Receive(&result); err != nil {
		return refused("test the jail", n.first.Explain(err))
	}
	if result.Failed != nil {
		return refused("test the jail", result.Failed)
	}
	select {
	case err := <-arrived:
		return refused("test the jail", err)
	case <-time.After(testTimeout):
		return refused("test the jail", errors.New("a connection out did not arrive at the proxy"))
	}
}

// expect takes the one connection that the test makes.
func (n *Netns) expect(nonce []byte) error {
	c, err := n.listener.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	if got := c.LocalAddr().String(); got != testAddress {
		return fmt.Errorf("a connection to %s arrived as one to %s", testAddress, got)
	}
	if err := c.SetDeadline(time.Now().Add(testTimeout)); err != nil {
		return err
	}
	got := make([]byte, len(nonce))
	if _, err := io.ReadFull(c, got); err != nil {
		return fmt.Errorf("a connection out broke: %w", err)
	}
	if !bytes.Equal(got, nonce) {
		return errors.New("a connection out was answered by someone else")
	}
	return nil
}

// run is the jail's part.
func (t *selfTest) run() error {
	if err := privilege.Check(t.Keep); err != nil {
		return fmt.Errorf("a privilege is left: %w", err)
	}
	for _, part := range []func() error{t.network, t.supervised, t.reach, t.sendOut} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// network checks that this is a network of its own, with nothing but itself.
func (t *selfTest) network() error {
	if ns, err := os.Readlink("/proc/self/ns/net"); err != nil || ns == t.NetNS {
		return fmt.Errorf("the network namespace is the host's (%s, %v)", ns, err)
	}
	links, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("list the network interfaces: %w", err)
	}
	for _, l := range links {
		if l.Flags&net.FlagLoopback == 0 {
			return fmt.Errorf("there is a network interface %s", l.Name)
		}
	}
	return nil
}

// supervised checks that no path is connected to without being asked for.
func (t *selfTest) supervised() error {
	fd, err := connectTo(unix.AF_UNIX, &unix.SockaddrUnix{Name: t.Probe})
	if err == nil {
		unix.Close(fd)
		return errors.New("connections are not supervised")
	}
	if !errors.Is(err, supervisor.Probed) {
		return fmt.Errorf("connections are not supervised: %w", err)
	}
	return nil
}

// reach tries what must not be reached.
func (t *selfTest) reach() error {
	loopback, err := address4(t.Loopback)
	if err != nil {
		return err
	}
	for _, to := range []struct {
		family int
		addr   unix.Sockaddr
		name   string
	}{{unix.AF_INET, loopback, t.Loopback}, {unix.AF_UNIX, &unix.SockaddrUnix{Name: t.Abstract}, t.Abstract}} {
		fd, err := connectTo(to.family, to.addr)
		if err == nil {
			unix.Close(fd)
			return fmt.Errorf("%s of the host can be reached", to.name)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("reach %s of the host: %w", to.name, err)
		}
	}
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
		return errors.New("a socket to the hypervisor can be opened")
	}
	return nil
}

// sendOut connects to an address of nobody; the proxy must get it.
func (t *selfTest) sendOut() error {
	to, err := address4(testAddress)
	if err != nil {
		return err
	}
	fd, err := connectTo(unix.AF_INET, to)
	if err != nil {
		return fmt.Errorf("a connection out did not arrive at the proxy: %w", err)
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, t.Nonce)
	return err
}

// connectTo connects a stream, with this thread waiting: package net has others
// wait, who take longer to wake than all of this does.
func connectTo(family int, to unix.Sockaddr) (fd int, err error) {
	if fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, fmt.Errorf("open a socket: %w", err)
	}
	patience := unix.NsecToTimeval(testTimeout.Nanoseconds())
	if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience); err == nil {
		err = unix.Connect(fd, to)
	}
	for errors.Is(err, unix.EINTR) { // the attempt goes on; this waits for it
		if err = unix.Connect(fd, to); errors.Is(err, unix.EISCONN) {
			err = nil
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func address4(text string) (*unix.SockaddrInet4, error) {
	addr, err := netip.ParseAddrPort(text)
	if err != nil {
		return nil, err
	}
	return &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}, nil
}
