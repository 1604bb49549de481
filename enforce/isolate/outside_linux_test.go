package isolate

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/internal/overdue"
	"golang.org/x/sys/unix"
)

func errnoName(e unix.Errno) string { return unix.ErrnoName(e) }

// outside are servers of the host, which a jail must not reach. They count what
// arrives.
type outside struct {
	env  []string
	mu   sync.Mutex
	seen []string
	any  chan struct{}
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	overdue.Watch(t)
	o := &outside{any: make(chan struct{}, 1000)}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	o.listen(t, "TCP4", "tcp4", "0.0.0.0:0")
	o.listen(t, "TCP6", "tcp6", "[::]:0")
	o.listen(t, "UNIX", "unix", filepath.Join(dir, "stream"))
	o.listen(t, "PACKET", "unixpacket", filepath.Join(dir, "packet"))
	o.listen(t, "ABSTRACT", "unix", fmt.Sprintf("@proxaudit-outside-%d", time.Now().UnixNano()))
	o.packets(t, "UDP4", "udp4", "0.0.0.0:0")
	o.packets(t, "UNIXGRAM", "unixgram", filepath.Join(dir, "dgram"))
	o.env = append(o.env, "OUT_HOST="+hostAddress(), "OUT_PID="+strconv.Itoa(os.Getpid()), "OUT_DIR="+dir)
	return o
}

func (o *outside) listen(t *testing.T, name, network, addr string) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	o.env = append(o.env, "OUT_"+name+"="+target(l.Addr()))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			o.saw(name + " connection")
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, "outside\n")
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
}

// elsewhere is a unix socket of another network namespace, in place of the one
// that newOutside opened.
func elsewhere(t *testing.T) *outside {
	t.Helper()
	overdue.Watch(t)
	o := &outside{any: make(chan struct{}, 1000)}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	o.env = []string{"OUT_UNIX=" + filepath.Join(dir, "stream"), "OUT_DIR=" + dir}
	server := exec.Command("/proc/self/exe", attemptArg, "serve elsewhere")
	server.Env = append(os.Environ(), o.env...)
	id := func(n int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{ContainerID: n, HostID: n, Size: 1}}
	}
	server.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET, UidMappings: id(os.Getuid()), GidMappings: id(os.Getgid()),
	}
	said, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	lines := bufio.NewScanner(said)
	if !lines.Scan() || lines.Text() != "up" {
		t.Fatalf("the server elsewhere said %q", lines.Text())
	}
	go func() {
		for lines.Scan() {
			o.saw("elsewhere " + lines.Text())
		}
	}()
	return o
}

func (o *outside) packets(t *testing.T, name, network, addr string) {
	t.Helper()
	var c net.PacketConn
	var err error
	if network == "unixgram" {
		c, err = net.ListenUnixgram(network, &net.UnixAddr{Name: addr, Net: network})
	} else {
		c, err = net.ListenPacket(network, addr)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	o.env = append(o.env, "OUT_"+name+"="+target(c.LocalAddr()))
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			o.saw(name + " datagram " + string(buf[:n]))
			if from != nil { // who has no address waits for no answer
				_, _ = c.WriteTo([]byte("outside\n"), from)
			}
		}
	}()
}

// target is a port for IP listeners and a path for the others.
func target(a net.Addr) string {
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return port
}

func (o *outside) saw(what string) {
	o.mu.Lock()
	o.seen = append(o.seen, what)
	o.mu.Unlock()
	select {
	case o.any <- struct{}{}:
	default: // nobody waits for that many
	}
}

func (o *outside) all() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.seen, ", ")
}

// hostAddress is an address of the host that is not the loopback.
func hostAddress() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}
