package isolate

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/internal/overdue"
	"golang.org/x/sys/unix"
)

// escape is an attempt, what it must say inside, and what proves that the case
// tests something.
type escape struct {
	name string
	// want is how the attempt ends, one of them.
	want []string
	// captured is true when it must arrive at the proxy.
	captured bool
	// refused is true when a refused datagram must be reported.
	refused bool
	// control is true when the same attempt outside a jail reaches a server. It
	// is run there too: a case that cannot succeed proves nothing.
	control bool
	// later is true when the servers outside are opened after the jail was made,
	// so that none is hidden.
	later bool
	// open opens the servers; nil is newOutside.
	open func(*testing.T) *outside
	// root and user are false where a case is for the other.
	root, user bool
	// within is true when the command makes the attempt as root of a user namespace
	// of its own.
	within bool
}

var escapes = []escape{
	{name: "tcp to the host's loopback", want: []string{"ECONNREFUSED"}, control: true, root: true, user: true},
	{name: "tcp to the host's IPv6 loopback", want: []string{"ECONNREFUSED"}, control: true, root: true, user: true},
	{name: "tcp to the host's address", want: []string{"answer: proxied"}, captured: true, control: true, root: true, user: true},
	{name: "udp to the host's loopback", want: []string{"ECONNREFUSED"}, refused: true, control: true, root: true, user: true},
	{name: "udp to the host's address", want: []string{"ECONNREFUSED"}, refused: true, control: true, root: true, user: true},
	{name: "abstract unix socket", want: []string{"ECONNREFUSED"}, control: true, root: true, user: true},
	{name: "unix socket", want: []string{"ECONNREFUSED"}, control: true, root: true, user: true},
	{name: "unix datagram socket", want: []string{"ESOCKTNOSUPPORT"}, control: true, root: true, user: true},
	{name: "unix socket by another spelling", want: []string{"ECONNREFUSED"}, control: true, root: true, user: true},
	{name: "unix socket, renamed", want: []string{"EBUSY"}, root: true, user: true},
	{name: "unix socket, hard link", want: []string{"EXDEV", "EPERM"}, root: true, user: true},
	{name: "unix raw socket", want: []string{"ESOCKTNOSUPPORT"}, root: true, user: true},
	{name: "signal the supervisor", want: []string{"EINVAL", "ENOPROTOOPT"}, root: true, user: true},
	{name: "take a file of the supervisor", want: []string{"EPERM", "ENOPROTOOPT"}, root: true, user: true},
	{name: "join the supervisor's network", want: []string{"EPERM", "ENOPROTOOPT"}, root: true, user: true},
	{name: "multipath tcp", want: []string{"done", "ENOPROTOOPT", "EPROTONOSUPPORT"}, root: true, user: true},
	{name: "sctp", want: []string{"EPROTONOSUPPORT", "ECONNREFUSED", "ESOCKTNOSUPPORT"}, root: true, user: true},
	{name: "udp-lite", want: []string{"done", "EPROTONOSUPPORT"}, root: true, user: true},
	{name: "tcp fast open", want: []string{"done", "EOPNOTSUPP"}, control: true, root: true, user: true},
	{name: "raw socket", want: []string{"EPERM"}, root: true, user: true},
	{name: "packet socket", want: []string{"EAFNOSUPPORT"}, root: true, user: true},
	{name: "vsock", want: []string{"EAFNOSUPPORT"}, root: true, user: true},
	{name: "kernel crypto socket", want: []string{"EAFNOSUPPORT"}, root: true, user: true},
	{name: "bluetooth", want: []string{"EAFNOSUPPORT"}, root: true, user: true},
	{name: "netfilter socket", want: []string{"EPROTONOSUPPORT"}, root: true, user: true},
	{name: "io_uring", want: []string{"ENOSYS"}, root: true, user: true},
	{name: "bpf", want: []string{"EPERM"}, root: true, user: true},
	{name: "userfaultfd", want: []string{"EPERM"}, root: true, user: true},
	{name: "keyring", want: []string{"ENOSYS"}, root: true, user: true},
	{name: "handle of a file", want: []string{"EPERM"}, root: true, user: true},
	{name: "an interface", want: []string{"EPERM"}, root: true, user: true},
	{name: "a route", want: []string{"EPERM"}, root: true, user: true},
	{name: "a user namespace", want: []string{"ENOSPC"}, root: true, user: true},
	{name: "the host's network namespace", want: []string{"EACCES", "EPERM", "ENOENT"}, root: true, user: true},
	{name: "kill the proxy", want: []string{"ESRCH"}, root: true, user: true},
	{name: "look at the proxy", want: []string{"ENOENT"}, root: true, user: true},
	{name: "trace the first process", want: []string{"EPERM"}, root: true, user: true},
	{name: "memory of the first process", want: []string{"EACCES"}, root: true, user: true},
	{name: "files of the first process", want: []string{"EACCES"}, root: true, user: true},
	{name: "tree of the first process", want: []string{"EACCES"}, root: true, user: true},
	{name: "environment of the first process", want: []string{"EACCES"}, root: true, user: true},
	{name: "read memory of the first process", want: []string{"EPERM"}, root: true, user: true},
	{name: "take a file of the first process", want: []string{"EPERM"}, root: true, user: true},
	{name: "unmount what hides", want: []string{"EPERM"}, root: true, user: true},
	{name: "mount", want: []string{"EPERM"}, root: true, user: true},
	{name: "make a device", want: []string{"EPERM"}, root: true, user: true},
	{name: "change root", want: []string{"EPERM"}, root: true, user: true},
	{name: "inherited files", want: []string{"EBADF"}, root: true, user: true},
	{name: "a call of the x32 ABI", want: []string{"signal 31"}, root: true, user: true},
	{name: "kill everybody", want: []string{"signal 9", "ESRCH", "done"}, root: true, user: true},
	{name: "signal the first process", want: []string{"done"}, root: true, user: true},
	{name: "kill our process group", want: []string{"signal 9"}, root: true, user: true},
	{name: "kill the first process", want: []string{"done"}, root: true, user: true},
	{name: "raise our privileges", want: []string{"EPERM"}, root: true, user: true},
	{name: "turn no_new_privs off", want: []string{"EINVAL"}, root: true, user: true},
	{name: "a program that the kernel runs", want: []string{"EROFS"}, root: true},
	{name: "a switch of the kernel", want: []string{"EROFS"}, root: true},
	{name: "the magic key", want: []string{"EROFS", "ENOENT"}, root: true},
}

// later are attempts at sockets that are opened during the run.
var later = []escape{
	{name: "unix socket", want: []string{"ECONNREFUSED"}},
	{name: "unix socket", want: []string{"ECONNREFUSED"}, open: elsewhere},
	{name: "unix packet socket", want: []string{"ECONNREFUSED"}},
	{name: "unix datagram socket", want: []string{"ESOCKTNOSUPPORT"}},
	{name: "unix datagram socket of a pair", want: []string{"done"}},
	{name: "unix socket by another spelling", want: []string{"ECONNREFUSED"}},
	{name: "unix socket by a relative path", want: []string{"ECONNREFUSED"}},
	{name: "unix socket by a symbolic link", want: []string{"ECONNREFUSED"}},
	{name: "unix socket by /proc/self/cwd", want: []string{"ECONNREFUSED"}},
	{name: "unix socket by an open directory", want: []string{"ECONNREFUSED"}},
	{name: "unix socket by an open file", want: []string{"ECONNREFUSED"}},
	{name: "unix socket, renamed", want: []string{"ECONNREFUSED"}},
	{name: "unix socket, hard link", want: []string{"ECONNREFUSED"}},
	{name: "unix socket over ours", want: []string{"ECONNREFUSED"}},
	{name: "swap the address", want: []string{"done"}},
	{name: "swap the file", want: []string{"done"}},
	{name: "swap the link", want: []string{"done"}},
}

// TestEscapeLater tries what TestEscape tries, at services that start during the
// run.
func TestEscapeLater(t *testing.T) {
	for _, e := range later {
		e.later, e.control = true, true
		name := e.name
		if e.open != nil {
			name += ", of another network"
		}
		t.Run(name, e.test)
	}
}

// permitted are attempts that change nothing but a namespace of one's own, so that
// root of it is let; and those that end otherwise there.
var permitted = map[string][]string{
	"mount":                          {"done"},
	"change root":                    {"done"},
	"a user namespace":               {"done"},
	"clone3 a user namespace":        {"done"},
	"clone3 a network":               {"done"},
	"unshare each namespace":         {"<nil>"},
	"a new file system":              {"done"},
	"a file system to change":        {"done"},
	"change a mount":                 {"done"},
	"unmount what hides":             {"EINVAL"}, // it is locked (mount_namespaces(7)), and below too
	"a copy of the tree":             {"EINVAL"},
	"move a mount":                   {"EINVAL"},
	"change the tree's root":         {"EINVAL"},
	"raise our privileges":           {"done"},
	"a program that the kernel runs": {"EROFS", "EACCES"},
}

// TestEscapeWithin tries the same where the command may have user namespaces, from
// within one.
func TestEscapeWithin(t *testing.T) {
	named := slices.Concat(escapes, kernelEscapes)
	for i, e := range slices.Concat(named, later) {
		e.within, e.later, e.control = true, i >= len(named), false
		if want, ok := permitted[e.name]; ok {
			e.want = want
		}
		t.Run(e.name, e.tried)
	}
}

func TestEscape(t *testing.T) {
	// What this program has open without knowing must not reach the command.
	leak, err := os.Open("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close()
	inheritable(t, leak)
	for _, e := range slices.Concat(escapes, kernelEscapes) {
		t.Run(e.name, e.tried)
	}
}

// tried is test where the case can be tried.
func (e escape) tried(t *testing.T) {
	switch {
	case e.later:
	case isRoot() && !e.root || !isRoot() && !e.user:
		t.Skip("this case is for the other user")
	case e.name == "a call of the x32 ABI" && runtime.GOARCH != "amd64":
		t.Skip("NOT CHECKED: there is no such ABI on this machine")
	}
	e.test(t)
}

func (e escape) test(t *testing.T) {
	if e.open == nil {
		e.open = newOutside
	}
	out := e.open(t)
	if hostAddress() == "" && (e.captured || strings.Contains(e.name, "host's address")) {
		t.Log("NOT CHECKED against a real address: this host has none but the loopback")
		out.env = append(out.env, "OUT_HOST=192.0.2.77")
	}
	if e.control && hostOrLocal(e.name) {
		e.reaches(t, out)
		out.forget()
	}
	j := newJail(t, NetnsOptions{UserNamespaces: e.within})
	j.proxy(answer)
	if e.later {
		out = e.open(t)
	}
	c := inside(e.name, out.env...)
	if e.within {
		c = inside("within", append(out.env, "WITHIN="+e.name)...)
	}
	said, code := j.output(t, c)
	if code > 128 {
		said += " signal " + itoa(code-128)
	}
	if !slices.ContainsFunc(e.want, func(w string) bool { return strings.Contains(said, w) }) {
		t.Errorf("the attempt ended with %q (%d), want one of %q", said, code, e.want)
	}
	if seen := out.all(); seen != "" {
		t.Errorf("ESCAPED: the host's servers saw %s", seen)
	}
	if e.captured && len(j.captured()) == 0 {
		t.Error("nothing arrived at the proxy")
	}
	if e.refused {
		j.sawRefused(t)
	}
}

// hostOrLocal is false for cases that need an address this host lacks.
func hostOrLocal(name string) bool {
	return hostAddress() != "" || !strings.Contains(name, "host's address") && name != "tcp fast open"
}

// reaches makes the attempt outside a jail, where a server must see it: a case
// that cannot succeed proves nothing. A race is lost now and then.
func (e escape) reaches(t *testing.T, out *outside) {
	t.Helper()
	var said []byte
	for range 10 {
		control := exec.Command("/proc/self/exe", attemptArg, e.name)
		control.Env = append(os.Environ(), out.env...)
		var err error
		if said, err = control.CombinedOutput(); err != nil {
			t.Fatalf("outside a jail: %v\n%s", err, said)
		}
		select {
		case <-out.any:
			return
		case <-time.After(2 * time.Second):
		}
	}
	t.Fatalf("outside a jail the attempt reached nothing, so the case proves nothing: %s", said)
}

func (o *outside) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = nil
}

// sawRefused checks that a datagram was reported as refused, as all are by the end
// of the run.
func (j *testJail) sawRefused(t *testing.T) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.refused) == 0 {
		t.Error("the refused datagram was not reported")
	}
}

// TestProxyIsKilled: when the proxy dies, however it does, so does the jail.
func TestProxyIsKilled(t *testing.T) {
	overdue.Watch(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	proxy := exec.Command("/proc/self/exe", attemptArg, "be a proxy")
	proxy.Stdout, proxy.Stderr = w, w
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	buf := make([]byte, 100)
	n, err := r.Read(buf) // the command in the jail says hello
	if err != nil || !strings.Contains(string(buf[:n]), "confined") {
		t.Fatalf("the command said %q, %v", buf[:n], err)
	}
	_ = proxy.Process.Kill()
	_ = proxy.Wait()
	// The command and its daemon hold the pipe until they end.
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := r.Read(buf); err != nil {
				return
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("the command outlived its proxy")
	}
}

// TestProxyIsStopped: while the proxy is stopped, nothing gets out.
func TestProxyIsStopped(t *testing.T) {
	out := newOutside(t)
	said, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	in, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer tell.Close()
	proxy := exec.Command("/proc/self/exe", attemptArg, "be a proxy of one that dials")
	proxy.Stdin, proxy.Stdout, proxy.Stderr = in, w, w
	proxy.Env = append(os.Environ(), out.env...)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	in.Close()
	t.Cleanup(func() {
		_ = proxy.Process.Kill()
		_ = proxy.Wait()
	})
	lines := bufio.NewScanner(said)
	if !lines.Scan() || lines.Text() != "confined" {
		t.Fatalf("the command said %q", lines.Text())
	}
	if err := proxy.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Each of its threads has to notice; until the last one has, calls are answered.
	if err := unix.Waitid(unix.P_PID, proxy.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := tell.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() && lines.Text() != "that is all" {
		if !strings.HasPrefix(lines.Text(), "stuck: ") {
			t.Errorf("the command said %q", lines.Text())
		}
	}
	if seen := out.all(); seen != "" {
		t.Errorf("ESCAPED: the host's servers saw %s", seen)
	}
}

func beAProxyOfOneThatDials() error {
	n, err := NewNetns(context.Background(), NetnsOptions{})
	if err != nil {
		return err
	}
	c := inside("dial when told")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	_, err = n.Run(context.Background(), c)
	return err
}

// dialWhenTold says which of its connections are not answered within a second.
func dialWhenTold() error {
	fmt.Println("confined")
	if _, err := os.Stdin.Read(make([]byte, 8)); err != nil {
		return err
	}
	for network, addr := range map[string]string{
		"tcp": net.JoinHostPort(os.Getenv("OUT_HOST"), os.Getenv("OUT_TCP4")), "tcp4": "127.0.0.1:" + os.Getenv("OUT_TCP4"), "unix": os.Getenv("OUT_UNIX"),
	} {
		done := make(chan error, 1)
		go func() { done <- talk(network, addr) }()
		select {
		case err := <-done:
			fmt.Println("answered:", network, addr, err)
		case <-time.After(time.Second):
			fmt.Println("stuck:", network, addr)
		}
	}
	fmt.Println("that is all")
	return nil
}

func beAProxy() error {
	n, err := NewNetns(context.Background(), NetnsOptions{})
	if err != nil {
		return err
	}
	_, err = n.Run(context.Background(), Command{
		Argv: []string{"sh", "-c", "setsid sleep 1000 & echo confined; sleep 1000"},
		Env:  os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr,
	})
	return err
}
