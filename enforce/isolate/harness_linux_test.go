package isolate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce/isolate/capture"
	"github.com/juliendoutre/proxaudit/enforce/isolate/fakedns"
	"github.com/juliendoutre/proxaudit/enforce/isolate/icmp"
	"github.com/juliendoutre/proxaudit/internal/overdue"
	"github.com/juliendoutre/proxaudit/policy"
)

const (
	// ordinaryID is a user and group that owns nothing.
	ordinaryID = 12345
	ordinary   = "PROXAUDIT_TEST_ORDINARY_USER"
	attemptArg = "attempt"
	// patience is what anything may take that happens at once but for a busy machine.
	patience = time.Minute
)

// TestMain runs all tests twice when it is root: as root, and as an ordinary
// user. It is also the program that tests run in a jail.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == attemptArg {
		attempt(os.Args[2])
		return
	}
	code := m.Run()
	fuzzing := slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.fuzz=") })
	if os.Geteuid() == 0 && os.Getenv(ordinary) == "" && !fuzzing {
		fmt.Println("=== again, as an ordinary user")
		code = max(code, asOrdinaryUser())
	}
	os.Exit(code)
}

// asOrdinaryUser executes this test again. The go command's own directories, and
// the checkout in a home or a temporary folder, may be out of that user's reach;
// /proc/self/exe and the root are not.
func asOrdinaryUser() int {
	mine := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool {
		return strings.HasPrefix(arg, "-test.testlogfile") || strings.HasPrefix(arg, "-test.coverprofile") ||
			strings.HasPrefix(arg, "-test.gocoverdir")
	})
	cmd := exec.Command("/proc/self/exe", mine...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), ordinary+"=1", "HOME=/tmp", "TMPDIR=/tmp")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}}
	if err := cmd.Run(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func isRoot() bool { return os.Geteuid() == 0 }

// testJail is a jail with a stand-in for the proxy, which answers everything
// with "proxied" and notes what came.
type testJail struct {
	*Netns
	made    atomic.Pointer[Netns] // for the callbacks, which come from before it is made
	mu      sync.Mutex
	conns   []string // LocalAddr, name
	asked   []fakedns.Question
	askers  []*policy.Process
	refused []icmp.Refused
}

func newJail(t testing.TB, o NetnsOptions, kinds ...capture.Kind) *testJail {
	t.Helper()
	overdue.Watch(t)
	j := &testJail{}
	o.Asked = func(q fakedns.Question) {
		var p *policy.Process
		if n := j.made.Load(); n != nil {
			p = n.Attribute(net.UDPAddrFromAddrPort(q.Client), net.UDPAddrFromAddrPort(q.Server))
		}
		j.note(func() {
			j.asked = append(j.asked, q)
			if p != nil {
				j.askers = append(j.askers, p)
			}
		})
	}
	o.Refused = func(r icmp.Refused) { j.note(func() { j.refused = append(j.refused, r) }) }
	n, err := newNetns(context.Background(), o, kinds...)
	if err != nil {
		t.Fatalf("no jail here: %v", err)
	}
	j.Netns = n
	j.made.Store(n)
	t.Cleanup(func() { n.Close() })
	for _, w := range n.Warnings() {
		t.Logf("warning: %s", w)
	}
	return j
}

func (j *testJail) note(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
}

// proxy serves in a loop of its own until the jail is closed.
func (j *testJail) proxy(handle func(net.Conn)) {
	go func() {
		for {
			c, err := j.Listener().Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				local := c.LocalAddr().(*net.TCPAddr).AddrPort()
				name, _ := j.NameOf(local.Addr())
				local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
				j.note(func() { j.conns = append(j.conns, strings.TrimSpace(local.String()+" "+name)) })
				handle(c)
			}()
		}
	}()
}

func answer(c net.Conn) {
	_, _ = io.WriteString(c, "proxied\n")
	_ = c.(interface{ CloseWrite() error }).CloseWrite()
	_, _ = io.Copy(io.Discard, c)
}

func (j *testJail) captured() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.conns)
}

// output runs a command in the jail and returns what it wrote and its code.
func (j *testJail) output(t testing.TB, c Command) (string, int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan []byte)
	go func() {
		data, _ := io.ReadAll(r)
		r.Close()
		read <- data
	}()
	c.Stdout, c.Stderr = w, w
	if c.Env == nil {
		c.Env = os.Environ()
	}
	code, err := j.Run(context.Background(), c)
	w.Close()
	out := <-read
	if err != nil {
		t.Fatalf("run %q: %v\n%s", c.Argv, err, out)
	}
	return string(bytes.TrimSpace(out)), code
}

func (j *testJail) shell(t testing.TB, script string) (string, int) {
	t.Helper()
	return j.output(t, Command{Argv: []string{"sh", "-c", script}})
}

// inside is this program, as the command of a jail.
func inside(name string, env ...string) Command {
	return Command{Argv: []string{"/proc/self/exe", attemptArg, name}, Env: append(os.Environ(), env...)}
}

// attempt runs one of the attempts and prints how it went.
func attempt(name string) {
	a, ok := attempts[name]
	if !ok {
		a, ok = kernelAttempts[name]
	}
	if !ok {
		fmt.Println("no such attempt:", name)
		os.Exit(1)
	}
	if err := a(); err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			fmt.Println("refused:", errnoName(errno), err)
		} else {
			fmt.Println("refused:", err)
		}
		return
	}
	fmt.Println("done")
}
