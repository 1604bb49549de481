package isolate

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

func inheritable(t *testing.T, f *os.File) {
	t.Helper()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
}

// TestStandardInputIsASocket: a socket of the host's network, disconnected and
// aimed at another address, would still be in the host's network.
func TestStandardInputIsASocket(t *testing.T) {
	out := newOutside(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.(*net.TCPConn).File()
	c.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j := newJail(t, NetnsOptions{})
	cmd := inside("standard input as a socket", out.env...)
	cmd.Stdin = f
	said, _ := j.output(t, cmd)
	if !strings.Contains(said, "ENOTSOCK") {
		t.Errorf("the attempt ended with %q", said)
	}
	if seen := out.all(); seen != "" {
		t.Errorf("ESCAPED: the host's servers saw %s", seen)
	}
}

// TestStandardInputIsADirectory: a directory leads into the host's file tree,
// where nothing is hidden.
func TestStandardInputIsADirectory(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	j := newJail(t, NetnsOptions{})
	cmd := inside("standard input as a directory")
	cmd.Stdin = dir
	if said, _ := j.output(t, cmd); !strings.Contains(said, "ENOTDIR") {
		t.Errorf("the attempt ended with %q", said)
	}
}

func TestStandardFilesThatArePiped(t *testing.T) {
	ours, theirs := socketPair(t, unix.AF_UNIX, unix.SOCK_SEQPACKET)
	j := newJail(t, NetnsOptions{})
	done := make(chan string)
	go func() {
		data, _ := io.ReadAll(ours)
		done <- string(data)
	}()
	code, err := j.Run(t.Context(), Command{
		Argv: []string{"sh", "-c", "readlink /proc/self/fd/1; echo written"}, Env: os.Environ(), Stdout: theirs,
	})
	theirs.Close()
	said := <-done
	if err != nil || code != 0 || !strings.Contains(said, "pipe:") || !strings.Contains(said, "written") {
		t.Errorf("got %q, %d, %v", said, code, err)
	}
}

// TestStandardFileThatAServerTook: it has the name of a server outside, which the
// command's calls on it must not make one of its own.
func TestStandardFileThatAServerTook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	taken, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f, err := taken.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j := newJail(t, NetnsOptions{})
	code, err := j.Run(t.Context(), Command{Argv: []string{"readlink", "/proc/self/fd/1"}, Env: os.Environ(), Stdout: f})
	if err != nil || code != 0 {
		t.Fatal(code, err)
	}
	buf := make([]byte, 100)
	if n, err := client.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), "pipe:") {
		t.Errorf("standard output is %q, %v", buf[:n], err)
	}
}

func TestStandardFilesThatAreHandedIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j := newJail(t, NetnsOptions{})
	if _, err := j.Run(t.Context(), Command{Argv: []string{"readlink", "/proc/self/fd/1"}, Env: os.Environ(), Stdout: f}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || strings.TrimSpace(string(data)) != path {
		t.Errorf("standard output is %q, want %s itself", data, path)
	}
}

func socketPair(t *testing.T, domain, kind int) (a, b *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(domain, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b = os.NewFile(uintptr(fds[0]), "a"), os.NewFile(uintptr(fds[1]), "b")
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}
