package isolate

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWhoConnected: the process that made the connection is named, not another
// that has it open too; one that was replaced by another program is that program;
// and where the process has ended, whoever has it open is better than nobody.
func TestWhoConnected(t *testing.T) {
	for name, want := range map[string]string{
		"connect and hand on":           "connect and hand on",
		"connect, hand on and end":      "write when all have ended",
		"connect and become another":    "write to a file",
		"connect often in many threads": "connect often in many threads",
	} {
		t.Run(name, func(t *testing.T) {
			j := newJail(t, NetnsOptions{})
			var found []string
			j.proxy(func(c net.Conn) {
				said := "nobody"
				if _, err := c.Read(make([]byte, 1)); err != nil {
					said = err.Error()
				} else if p := j.Attribute(c.RemoteAddr(), c.LocalAddr()); p != nil {
					said = strings.Join(p.Argv, " ")
				}
				j.note(func() { found = append(found, said) })
			})
			out, code := j.output(t, inside(name))
			if code != 0 || out != "done" {
				t.Fatalf("%d: %s", code, out)
			}
			j.mu.Lock()
			defer j.mu.Unlock()
			for _, got := range found {
				if got != "/proc/self/exe attempt "+want {
					t.Errorf("found %q, want %q", got, want)
				}
			}
			if len(found) == 0 {
				t.Error("nothing arrived at the proxy")
			}
		})
	}
}

func writeToConnection() error { return writeTo(os.NewFile(3, "connection")) }

func connected() (*os.File, error) {
	c, err := net.Dial("tcp", "192.0.2.7:443")
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*net.TCPConn).File()
}

// writeTo writes a byte and waits until the proxy has seen it.
func writeTo(f *os.File) error {
	if _, err := f.Write([]byte{1}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, f)
	return err
}

func connectAndHandOn() error {
	f, err := connected()
	if err != nil {
		return err
	}
	child := exec.Command("/proc/self/exe", attemptArg, "write to a file")
	child.ExtraFiles = []*os.File{f}
	return child.Run()
}

// connectHandOnAndEnd waits for the process that writes by a pipe: its parent has
// ended.
func connectHandOnAndEnd() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	child := exec.Command("/proc/self/exe", attemptArg, "connect and pass a file on")
	child.ExtraFiles = []*os.File{w}
	if err := child.Run(); err != nil {
		return err
	}
	w.Close()
	said, err := io.ReadAll(r)
	if err == nil && string(said) != "ok" {
		err = fmt.Errorf("said %q", said)
	}
	return err
}

func connectAndPassOn() error {
	f, err := connected()
	if err != nil {
		return err
	}
	alive, held, err := os.Pipe()
	if err != nil {
		return err
	}
	child := exec.Command("/proc/self/exe", attemptArg, "write when all have ended")
	child.ExtraFiles = []*os.File{f, alive, os.NewFile(3, "done")}
	if err := child.Start(); err != nil {
		return err
	}
	_ = held.Fd() // kept open until this process ends
	return nil
}

func writeAtTheEnd() error {
	if _, err := io.Copy(io.Discard, os.NewFile(4, "alive")); err != nil {
		return err
	}
	// Its files are closed while it ends: it has when it is nobody's parent.
	for os.Getppid() != 1 {
	}
	if err := writeTo(os.NewFile(3, "connection")); err != nil {
		return err
	}
	_, err := io.WriteString(os.NewFile(5, "done"), "ok")
	return err
}

func connectAndBecome() error {
	f, err := connected()
	if err != nil {
		return err
	}
	if err := inherit(int(f.Fd()), 3); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", []string{"/proc/self/exe", attemptArg, "write to a file"}, os.Environ())
}

func connectInThreads() error {
	errs := make(chan error)
	for range 50 {
		go func() {
			for range 4 {
				f, err := connected()
				if err == nil {
					err = writeTo(f)
					f.Close()
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 50 {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}
