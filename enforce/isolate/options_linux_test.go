package isolate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPublish(t *testing.T) {
	j := newJail(t, NetnsOptions{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	published := make(chan error, 1)
	go func() { published <- j.Publish(l, 3000) }()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make(chan string, 1)
	go func() {
		_, _ = r.Read(make([]byte, 10))
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			got <- err.Error()
			return
		}
		defer c.Close()
		fmt.Fprintln(c, "from outside")
		_ = c.(*net.TCPConn).CloseWrite()
		data, _ := io.ReadAll(c)
		got <- string(data)
	}()
	c := inside("serve port 3000")
	c.Stdout = w
	if code, err := j.Run(context.Background(), c); code != 0 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
	w.Close()
	if s := <-got; s != "inside: from outside\n" {
		t.Errorf("the client outside got %q", s)
	}
	l.Close()
	if err := <-published; err != nil {
		t.Error(err)
	}
}

// TestPublishedBeforeTheStart: who comes before there is a command is turned away,
// and the command starts.
func TestPublishedBeforeTheStart(t *testing.T) {
	j := newJail(t, NetnsOptions{})
	in, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer hold.Close()
	asked := make(chan error, 1)
	go func() {
		_, err := j.DialInside(3000)
		asked <- err
		hold.Close() // the command may end
	}()
	for j.dials.mu.TryLock() { // until it asks
		j.dials.mu.Unlock()
		runtime.Gosched()
	}
	code, err := j.Run(t.Context(), Command{Argv: []string{"sh", "-c", "cat; exit 7"}, Env: os.Environ(), Stdin: in})
	if code != 7 || err != nil {
		t.Fatalf("%d, %v; want 7", code, err)
	}
	if err := <-asked; err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v, want that nobody listens", err)
	}
}

func servePort3000() error {
	l, err := net.Listen("tcp", "127.0.0.1:3000")
	if err != nil {
		return err
	}
	fmt.Println("up")
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	data, err := io.ReadAll(c)
	fmt.Fprintf(c, "inside: %s", data)
	return err
}

// TestAllowedSocket: a host socket that was asked for can be reached, and no
// other.
func TestAllowedSocket(t *testing.T) {
	for _, dir := range []string{t.TempDir(), runtimeDir(t)} {
		path := filepath.Join(dir, "allowed")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, "outside\n")
				_, _ = io.Copy(io.Discard, c)
				c.Close()
			}
		}()
		for _, allowed := range []bool{false, true} {
			var o NetnsOptions
			want := "ECONNREFUSED"
			if allowed {
				o.AllowSockets, want = []string{path}, "answer: outside"
			}
			j := newJail(t, o)
			if out, _ := j.output(t, inside("unix socket", "OUT_UNIX="+path)); !strings.Contains(out, want) {
				t.Errorf("%s, allowed %v: %s", path, allowed, out)
			}
		}
	}
}

// TestSocketsThatCannotBeKept: what a command could not use is refused, with words,
// and is not touched.
func TestSocketsThatCannotBeKept(t *testing.T) {
	out := newOutside(t)
	path := func(name string) string {
		for _, v := range out.env {
			if value, ok := strings.CutPrefix(v, "OUT_"+name+"="); ok {
				return value
			}
		}
		t.Fatal(name)
		return ""
	}
	// One whose receiver hears its own peer alone: the kernel says EPERM to others.
	peered := filepath.Join(t.TempDir(), "peered")
	c, err := net.DialUnix("unixgram", &net.UnixAddr{Name: peered, Net: "unixgram"}, &net.UnixAddr{Name: path("UNIXGRAM"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path("UNIXGRAM"), link); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		path("UNIXGRAM"): "it takes datagrams", link: "it takes datagrams", peered: "it takes datagrams",
		"/etc/passwd": "it is no socket", "/no/such/socket": "no such file",
	} {
		_, err := newNetns(t.Context(), NetnsOptions{AllowSockets: []string{name}})
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Step != "keep the socket "+name || !strings.Contains(err.Error(), want) || refusal.Mend == "" {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	for _, name := range []string{path("UNIX"), path("PACKET")} {
		if kept, err := socketToKeep(name); err != nil || kept != name {
			t.Errorf("%s: %q, %v", name, kept, err)
		}
	}
	if seen := out.all(); seen != "" {
		t.Errorf("the host's servers saw %s", seen)
	}
}

// runtimeDir is a directory under /run, where the user may have one.
func runtimeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "proxaudit")
	if err != nil {
		if dir, err = os.MkdirTemp("/run/lock", "proxaudit"); err != nil {
			t.Log("NOT CHECKED under /run: no directory there is this user's")
			return t.TempDir()
		}
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestSocketMadeLater: services that start during the run are hidden as well,
// where services keep their sockets.
func TestSocketMadeLater(t *testing.T) {
	dir := runtimeDir(t)
	if !strings.HasPrefix(dir, "/run") {
		t.Skip("NOT CHECKED: this user has no directory under /run")
	}
	j := newJail(t, NetnsOptions{})
	path := filepath.Join(dir, "later")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if out, _ := j.output(t, inside("unix socket", "OUT_UNIX="+path)); !strings.Contains(out, "ECONNREFUSED") {
		t.Errorf("ESCAPED: %s", out)
	}
}

// TestWorkingDirectoryIsEnteredAnew: the one that was inherited lies under what
// has been hidden, and ".." from there would lead to the host's sockets.
func TestWorkingDirectoryIsEnteredAnew(t *testing.T) {
	dir := runtimeDir(t)
	if !strings.HasPrefix(dir, "/run") {
		t.Skip("NOT CHECKED: this user has no directory under /run")
	}
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Chdir(sub)
	j := newJail(t, NetnsOptions{})
	if out, _ := j.output(t, inside("unix socket", "OUT_UNIX=../socket")); !strings.Contains(out, "ECONNREFUSED") {
		t.Errorf("ESCAPED: %s", out)
	}
}

// TestSudo: root that was called by sudo runs the command as the caller.
func TestSudo(t *testing.T) {
	if !isRoot() {
		t.Skip("this case is for root")
	}
	t.Setenv("SUDO_UID", "65534")
	t.Chdir("/") // the caller may enter it, whoever owns the checkout
	j := newJail(t, NetnsOptions{})
	j.proxy(answer)
	out, _ := j.output(t, Command{
		Argv: []string{"sh", "-c", "id -u; id -G; grep CapPrm /proc/self/status; echo $USER"},
		Env:  []string{"PATH=/usr/bin:/bin", "USER=root"},
	})
	if want := "65534\n65534\nCapPrm:\t0000000000000000\nnobody"; out != want {
		t.Errorf("got %s, want %s", out, want)
	}
	j = newJail(t, NetnsOptions{})
	j.proxy(answer)
	if out, _ := j.output(t, inside("dial all", "TARGETS=192.0.2.7:443")); !strings.Contains(out, "proxied") {
		t.Errorf("got %s", out)
	}
	j = newJail(t, NetnsOptions{KeepRoot: true})
	if out, _ := j.shell(t, "id -u"); out != "0" {
		t.Errorf("with KeepRoot: %s", out)
	}
}

// TestSudoConnects: sockets are connected with the rights of who called sudo, not
// with those of the proxy, which is root.
func TestSudoConnects(t *testing.T) {
	if !isRoot() {
		t.Skip("this case is for root")
	}
	const daemon, group = 1, 54321
	t.Setenv("SUDO_UID", "1")
	t.Chdir("/") // the caller may enter it, whoever owns the checkout
	dir := t.TempDir()
	path := filepath.Join(dir, "kept")
	l, err := net.Listen("unix", path)
	if err := errors.Join(err, os.Chmod(filepath.Dir(dir), 0o755), os.Chown(path, 0, group)); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peers := make(chan *unix.Ucred, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			raw, err := c.(*net.UnixConn).SyscallConn()
			if err == nil {
				_ = raw.Control(func(fd uintptr) {
					peer, _ := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
					peers <- peer
				})
			}
			_, _ = io.WriteString(c, "outside\n")
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	for _, c := range []struct {
		name   string
		mode   os.FileMode
		groups []uint32 // of who called sudo, that the command does not have
		want   string
	}{
		{"everybody's", 0o666, nil, "answer: outside"},
		{"root's", 0o600, []uint32{group}, "EACCES"},
		{"a group's that the caller is not in", 0o660, nil, "EACCES"},
		{"a group's that the caller is in", 0o660, []uint32{group}, "answer: outside"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			j := newJail(t, NetnsOptions{AllowSockets: []string{path}})
			j.watch.Groups = c.groups
			if out, _ := j.output(t, inside("unix socket", "OUT_UNIX="+path)); !strings.Contains(out, c.want) {
				t.Errorf("got %s, want %s", out, c.want)
			}
			select {
			case peer := <-peers:
				if c.want == "EACCES" || peer.Uid != daemon || peer.Gid != daemon {
					t.Errorf("the server saw %+v", peer)
				}
			default:
				if c.want != "EACCES" {
					t.Error("the server saw nobody")
				}
			}
		})
	}
	t.Run("inside", func(t *testing.T) {
		j := newJail(t, NetnsOptions{})
		if out, _ := j.output(t, inside("serve by a link")); out != "peer 1 1\ndone" {
			t.Errorf("got %s", out)
		}
	})
}

// TestRootOfTheHost: what root could reach by owning it.
func TestRootOfTheHost(t *testing.T) {
	if !isRoot() {
		t.Skip("this case is for root")
	}
	j := newJail(t, NetnsOptions{})
	out, _ := j.shell(t, `
		find /dev -type b | head -3
		for d in /etc/cron.d /etc/cron.daily /var/spool/cron; do test -d $d && echo x > $d/proxaudit-test; done
		rm -rf /dev/shm/proxaudit-test; mkdir /dev/shm/proxaudit-test && chown 33:33 /dev/shm/proxaudit-test || echo chown
		su -s /bin/sh nobody -c 'id -u' || echo su
		rm -rf /dev/shm/proxaudit-test
	`)
	if strings.TrimSpace(out) != "65534" {
		t.Errorf("got %s", out)
	}
	left, _ := filepath.Glob("/etc/cron.*/proxaudit-test")
	if len(left) > 0 {
		t.Errorf("ESCAPED: %v", left)
		for _, path := range left {
			os.Remove(path)
		}
	}
}

// TestRefusal: where there can be no jail, the words say why. Inside a jail
// there can be none.
func TestRefusal(t *testing.T) {
	j := newJail(t, NetnsOptions{})
	out, _ := j.output(t, inside("be a proxy"))
	for _, want := range []string{"cannot confine the command: make the namespaces", "ENOSPC"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
	_, err := newNetns(t.Context(), NetnsOptions{AllowSockets: []string{"/no/such/socket"}})
	if err == nil || !strings.Contains(err.Error(), "/no/such/socket") {
		t.Errorf("a socket that is not there: %v", err)
	}
}

func TestMend(t *testing.T) {
	for errno, want := range map[string]string{"ENOSPC": "user.max_user_namespaces", "EPERM": "sudo", "EINVAL": "doctor", "EIO": ""} {
		err := refused("make the namespaces", errnoNamed(errno))
		if hint := err.(*Refusal).Hint(); !strings.Contains(hint, want) && !inContainer() || (want == "") != (hint == "") {
			t.Errorf("%s: %q", errno, hint)
		}
	}
}

func TestProbe(t *testing.T) {
	f := ProbeNetns(t.Context())
	if !f.Works || f.Took == 0 || !strings.Contains(f.Detail, "tproxy") {
		t.Errorf("found %+v", f)
	}
}

// TestCancelledBeforeItIsMade: nothing is left behind.
func TestCancelledBeforeItIsMade(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewNetns(ctx, NetnsOptions{}); err == nil {
		t.Error("a jail was made")
	}
}

func errnoNamed(name string) error {
	return map[string]error{"ENOSPC": syscall.ENOSPC, "EPERM": syscall.EPERM, "EINVAL": syscall.EINVAL, "EIO": syscall.EIO}[name]
}
