package isolate

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inJail are uses of unix sockets that go on working.
var inJail = map[string]func(dir string) error{
	"a stream": func(dir string) error { return serveAndDial("unix", dir+"/a", dir+"/a") },
	"packets":  func(dir string) error { return serveAndDial("unixpacket", dir+"/p", dir+"/p") },
	"abstract": func(string) error { return serveAndDial("unix", "@proxaudit-inside", "@proxaudit-inside") },
	"a relative path": func(dir string) error {
		return errors.Join(os.Chdir(dir), serveAndDial("unix", "r", "r"))
	},
	"a relative link to an absolute path": func(dir string) error {
		return errors.Join(os.Chdir(dir), os.Symlink(dir+"/l", "link"), serveAndDial("unix", "l", "link"))
	},
	"a renamed socket": func(dir string) error {
		l, err := net.Listen("unix", dir+"/old")
		if err != nil {
			return err
		}
		go echo(l)
		return errors.Join(os.Rename(dir+"/old", dir+"/new"), dial("unix", dir+"/new"))
	},
	"a directory that is open": func(dir string) error {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		path := fmt.Sprintf("/proc/self/fd/%d/d", fd)
		return serveAndDial("unix", path, path)
	},
	"a path by /proc/self/root": func(dir string) error { return serveAndDial("unix", dir+"/q", "/proc/self/root"+dir+"/q") },
	"a runtime directory":       inRun,
	"nobody listens":            func(dir string) error { return ended(dial("unix", dir+"/none"), unix.ENOENT) },
	"not a socket":              func(string) error { return ended(dial("unix", "/etc/passwd"), unix.ECONNREFUSED) },
	"a server that has gone":    serverGone,
	"hidden from others":        hidden,
	"a server with no room":     noRoom,
	"interrupted":               interrupted,
	"a bound on the time":       bounded,
	"the user behind it":        userBehind,
	"pairs of datagram sockets": datagramPairs,
	"a closed port":             func(string) error { return ended(dial("tcp", "127.0.0.1:1"), unix.ECONNREFUSED) },
	"not a file":                func(string) error { return ended(unix.Connect(999, &unix.SockaddrUnix{Name: "/"}), unix.EBADF) },
	"a file that is no socket":  func(string) error { return ended(unix.Connect(0, &unix.SockaddrUnix{Name: "/"}), unix.ENOTSOCK) },
	"no address":                func(string) error { return ended(call(unix.SYS_CONNECT, uintptr(newStream()), 1, 16), unix.EFAULT) },
	"too long an address":       func(string) error { return ended(call(unix.SYS_CONNECT, uintptr(newStream()), 1, 129), unix.EINVAL) },
}

func TestUnixSocketsInside(t *testing.T) {
	for name := range inJail {
		t.Run(name, func(t *testing.T) {
			j := newJail(t, NetnsOptions{})
			j.proxy(answer)
			out, _ := j.output(t, inside("use unix sockets", "USE="+name))
			if out != "done" {
				t.Error(out)
			}
		})
	}
}

func useUnixSockets() error {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return inJail[os.Getenv("USE")](dir)
}

func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(c, c)
			c.Close()
		}()
	}
}

// dial sends and has it come back.
func dial(network, path string) error {
	c, err := net.DialTimeout(network, path, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "hello"); err != nil {
		return err
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "hello" {
		return fmt.Errorf("got %q, %w", buf, err)
	}
	return nil
}

func serveAndDial(network, at, by string) error {
	l, err := net.Listen(network, at)
	if err != nil {
		return err
	}
	defer l.Close()
	go echo(l)
	return dial(network, by)
}

func inRun(string) error {
	dir, err := os.MkdirTemp("/run", "proxaudit")
	if errors.Is(err, os.ErrPermission) {
		return nil // as outside
	}
	return errors.Join(err, serveAndDial("unix", dir+"/s", dir+"/s"))
}

func serverGone(dir string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dir + "/g"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	return ended(dial("unix", dir+"/g"), unix.ECONNREFUSED)
}

// hidden is a process as ssh-agent makes itself: nobody of its user may look
// into it.
func hidden(dir string) error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	return serveAndDial("unix", dir+"/h", dir+"/h")
}

func newStream() int {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	return fd
}

// full is a server whose queue has no room for a third client, and two clients.
func full(dir string) (server int, at *unix.SockaddrUnix, err error) {
	server, at = newStream(), &unix.SockaddrUnix{Name: dir + "/full"}
	err = errors.Join(unix.Bind(server, at), unix.Listen(server, 1),
		unix.Connect(newStream(), at), unix.Connect(newStream(), at))
	return server, at, err
}

// noRoom: a client waits until the server accepts, one that does not block is
// told, and others are served meanwhile.
func noRoom(dir string) error {
	server, at, err := full(dir)
	if err != nil {
		return err
	}
	waits := make(chan error, 1)
	go func() { waits <- unix.Connect(newStream(), &unix.SockaddrUnix{Name: at.Name}) }()
	quick := newStream()
	_ = unix.SetNonblock(quick, true)
	if err := ended(unix.Connect(quick, at), unix.EAGAIN); err != nil {
		return err
	}
	if err := serveAndDial("unix", dir+"/other", dir+"/other"); err != nil {
		return err
	}
	select {
	case err := <-waits:
		return fmt.Errorf("the third client did not wait: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if _, _, err := unix.Accept(server); err != nil {
		return err
	}
	return <-waits
}

// interrupted: signals come while a client waits; Go's handlers have the kernel
// make the call again.
func interrupted(dir string) error {
	server, at, err := full(dir)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1000)
	signal.Notify(signals, syscall.SIGUSR1)
	thread, waits := make(chan int, 1), make(chan error, 1)
	var done atomic.Bool
	go func() {
		runtime.LockOSThread()
		thread <- unix.Gettid()
		waits <- unix.Connect(newStream(), at)
		// Many that take no time: some are interrupted between their end and the
		// news of it.
		var err error
		for i := 0; i < 500 && err == nil; i++ {
			fd := newStream()
			if err = unix.Connect(fd, &unix.SockaddrUnix{Name: "@proxaudit-often"}); err != nil {
				err = fmt.Errorf("number %d: %w", i, err)
			}
			unix.Close(fd)
		}
		done.Store(true)
		waits <- err
	}()
	often, err := net.Listen("unix", "@proxaudit-often")
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := often.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	id := <-thread
	for range 20 {
		_ = unix.Tgkill(os.Getpid(), id, unix.SIGUSR1)
		time.Sleep(time.Millisecond)
	}
	if _, _, err := unix.Accept(server); err != nil {
		return err
	}
	if err := <-waits; err != nil {
		return err
	}
	for !done.Load() {
		_ = unix.Tgkill(os.Getpid(), id, unix.SIGUSR1)
		time.Sleep(200 * time.Microsecond)
	}
	return <-waits
}

// bounded: a client's own bound on the time holds, and stays as it was.
func bounded(dir string) error {
	_, at, err := full(dir)
	if err != nil {
		return err
	}
	fd := newStream()
	want := unix.NsecToTimeval((300 * time.Millisecond).Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &want); err != nil {
		return err
	}
	begun := time.Now()
	if err := ended(unix.Connect(fd, at), unix.EAGAIN); err != nil {
		return err
	}
	if took := time.Since(begun); took < 300*time.Millisecond {
		return fmt.Errorf("gave up after %v", took)
	}
	got, err := unix.GetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO)
	if err != nil || *got != want {
		return fmt.Errorf("the bound is %v now, %v", got, err)
	}
	return nil
}

func userBehind(dir string) error {
	server, at := newStream(), &unix.SockaddrUnix{Name: dir + "/u"}
	if err := errors.Join(unix.Bind(server, at), unix.Listen(server, 1), unix.Connect(newStream(), at)); err != nil {
		return err
	}
	c, _, err := unix.Accept(server)
	if err != nil {
		return err
	}
	who, err := unix.GetsockoptUcred(c, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || int(who.Uid) != os.Getuid() || int(who.Gid) != os.Getgid() {
		return fmt.Errorf("the server sees %+v, %v", who, err)
	}
	return nil
}

func datagramPairs(string) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	closes, err1 := unix.FcntlInt(uintptr(fds[1]), unix.F_GETFD, 0)
	flags, err2 := unix.FcntlInt(uintptr(fds[1]), unix.F_GETFL, 0)
	if err := errors.Join(err1, err2); err != nil || closes != unix.FD_CLOEXEC || flags&unix.O_NONBLOCK == 0 {
		return fmt.Errorf("flags %#x and %#x, %v", closes, flags, err)
	}
	for _, m := range []string{"one", "three"} {
		if _, err := unix.Write(fds[0], []byte(m)); err != nil {
			return err
		}
	}
	buf := make([]byte, 100)
	for _, m := range []string{"one", "three"} {
		if n, err := unix.Read(fds[1], buf); err != nil || string(buf[:n]) != m {
			return fmt.Errorf("got %q, %w", buf[:max(n, 0)], err)
		}
	}
	return ended(call(unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_DGRAM, 0), unix.EFAULT)
}

// TestProgramsWithUnixSockets: programs that talk to themselves. Each says ok.
func TestProgramsWithUnixSockets(t *testing.T) {
	for name, c := range map[string]struct {
		needs  []string
		script string
		named  bool // for a user who has a name
	}{
		"python's asyncio": {needs: []string{"python3"}, script: `exec python3 -c '
import asyncio
async def serve(r, w):
    w.write(await r.read(2)); w.close()
async def main():
    async with await asyncio.start_unix_server(serve, "s"):
        r, w = await asyncio.open_unix_connection("s")
        w.write(b"ok"); print((await r.read()).decode())
asyncio.run(main())'`},
		"python's multiprocessing": {needs: []string{"python3"}, script: `cat >m.py <<'END'
import multiprocessing as m
def work(d): d["x"] = "ok"
if __name__ == "__main__":
    m.set_start_method("spawn")
    with m.Manager() as manager:
        d = manager.dict(); p = m.Process(target=work, args=(d,)); p.start(); p.join(); print(d["x"])
END
exec python3 m.py`},
		"an alarm that ends a connect": {needs: []string{"python3"}, script: `exec python3 -c '
import signal, socket
def late(*_): raise TimeoutError
s = socket.socket(socket.AF_UNIX); s.bind("s"); s.listen(0)
signal.signal(signal.SIGALRM, late)
try:
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    for _ in range(9): socket.socket(socket.AF_UNIX).connect("s")
except TimeoutError: print("ok")'`},
		"node": {needs: []string{"node"}, script: `exec node -e '
const net = require("net")
const s = net.createServer(c => c.end("ok")).listen("s", () => net.connect("s").on("data", d => { console.log(String(d)); s.close() }))'`},
		"ssh-agent":     {needs: []string{"ssh-agent", "ssh-add"}, script: `eval $(ssh-agent -a $PWD/agent) >/dev/null; ssh-add -l >/dev/null; [ $? = 1 ] && echo ok; kill $SSH_AGENT_PID`},
		"gpg-agent":     {needs: []string{"gpg-connect-agent", "gpg-agent"}, script: `mkdir -m 700 g; GNUPGHOME=$PWD/g gpg-connect-agent -q 'getinfo version' /bye | grep -q ^OK && echo ok; GNUPGHOME=$PWD/g gpgconf --kill gpg-agent`},
		"a message bus": {needs: []string{"dbus-run-session", "dbus-send"}, script: `dbus-run-session -- dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames | grep -q method.return && echo ok`, named: true},
		"tmux":          {needs: []string{"tmux"}, script: `export TERM=xterm; tmux -f /dev/null -S $PWD/t new-session -d 'sleep 100' && tmux -S $PWD/t list-sessions | grep -q windows && echo ok; tmux -S $PWD/t kill-server`},
		"syslog":        {needs: []string{"python3"}, script: `exec python3 -c 'import syslog; syslog.syslog("lost"); print("ok")'`},
	} {
		t.Run(name, func(t *testing.T) {
			if c.named && !isRoot() {
				t.Skip("this case is for a user who has a name")
			}
			for _, program := range c.needs {
				if _, err := exec.LookPath(program); err != nil {
					if os.Getenv("CI") == "true" {
						t.Fatalf("%s is missing: .ci/run installs it", program)
					}
					t.Skipf("NOT CHECKED: no %s here", program)
				}
			}
			dir, err := os.MkdirTemp("/tmp", "s") // a short one: paths of sockets are
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			j := newJail(t, NetnsOptions{})
			j.proxy(answer)
			out, code := j.shell(t, "cd "+dir+"\n"+c.script)
			if lines := strings.Split(out, "\n"); lines[len(lines)-1] != "ok" || code > 128 {
				t.Errorf("%d: %s", code, out)
			}
		})
	}
}

// TestHidden: who asks for a socket of the host's is told, by the path that was
// asked for, and not who uses the jail's own.
func TestHidden(t *testing.T) {
	out := newOutside(t)
	var mu sync.Mutex
	var told []string
	j := newJail(t, NetnsOptions{Hidden: func(path string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, path)
	}})
	said, _ := j.output(t, inside("unix socket", out.env...))
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(said, "ECONNREFUSED") || len(told) != 1 || !slices.Contains(out.env, "OUT_UNIX="+told[0]) {
		t.Errorf("said %q, told of %q", said, told)
	}
}

// TestSupervisorEnds: without it no socket is connected.
func TestSupervisorEnds(t *testing.T) {
	j := newJail(t, NetnsOptions{})
	j.proxy(answer)
	j.watch.Close()
	out, _ := j.output(t, inside("dial all", "TARGETS=192.0.2.7:443"))
	if !strings.Contains(out, "function not implemented") || len(j.captured()) > 1 {
		t.Errorf("got %s; %q arrived", out, j.captured())
	}
}

// TestRightsOfTheCaller: a path is followed with the rights of the user that
// asks, of which a root jail has several, and a server sees that user.
func TestRightsOfTheCaller(t *testing.T) {
	if !isRoot() {
		t.Skip("this case is for root")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("NOT CHECKED: no python3 here")
	}
	dir, err := os.MkdirTemp("/tmp", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "rights.py")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(dir+"/closed", 0o700), os.WriteFile(script, []byte(rights), 0o644)); err != nil {
		t.Fatal(err)
	}
	j := newJail(t, NetnsOptions{})
	out, _ := j.shell(t, "cd "+dir+" && exec python3 rights.py")
	if want := "open (33, 44)\nclosed 13\nnot writable 13\nroot (0, 0)"; out != want {
		t.Errorf("got %s\nwant %s", out, want)
	}
}

const rights = `
import os, socket, struct
def server(path, mode):
    s = socket.socket(socket.AF_UNIX); s.bind(path); os.chmod(path, mode); s.listen(); return s
def client(name, path, s):
    c = socket.socket(socket.AF_UNIX)
    try: c.connect(path)
    except OSError as e: return print(name, e.errno, flush=True)
    a, _ = s.accept()
    print(name, struct.unpack("3i", a.getsockopt(socket.SOL_SOCKET, 17, 12))[1:], flush=True)
a, b, c = server("open", 0o666), server("closed/s", 0o666), server("mine", 0o600)
if os.fork() == 0:
    os.setgroups([]); os.setgid(44); os.setuid(33)
    client("open", "open", a); client("closed", "closed/s", b); client("not writable", "mine", c)
    os._exit(0)
os.wait()
client("root", "closed/s", b)
`
