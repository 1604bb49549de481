package supervisor

import (
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func endsOf(client string, port uint16) ends {
	return ends{endOf(netip.MustParseAddrPort(client)), endOf(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port))}
}

func TestConnections(t *testing.T) {
	var c connections
	one, two := endsOf("198.18.0.1:1", 80), endsOf("198.18.0.1:1", 81)
	c.add(one, Process{PID: 1})
	c.add(two, Process{PID: 2})
	for e, want := range map[ends]int{one: 1, two: 2, endsOf("[::ffff:198.18.0.1]:1", 82): 0} {
		if p, ok := c.take(e); p.PID != want || ok != (want != 0) {
			t.Errorf("%v: process %d, %v; want %d", e, p.PID, ok, want)
		}
		if _, ok := c.take(e); ok {
			t.Errorf("%v: answered twice", e)
		}
	}
	c.add(one, Process{PID: 3})
	c.add(one, Process{PID: 4})
	if p, _ := c.take(endsOf("[::ffff:198.18.0.1]:1", 80)); p.PID != 4 {
		t.Errorf("process %d, want the last one", p.PID)
	}
}

// TestOwnerWaits: a server that hears of a connection before the call that made it
// has returned still learns who made it.
func TestOwnerWaits(t *testing.T) {
	for range 200 {
		var s Supervisor
		asked, found := make(chan struct{}), make(chan int)
		s.connecting.Lock()
		go func() {
			close(asked)
			p, _ := s.Owner(netip.MustParseAddrPort("198.18.0.1:1"), netip.MustParseAddrPort("192.0.2.1:80"))
			found <- p.PID
		}()
		<-asked
		runtime.Gosched()
		s.made.add(endsOf("198.18.0.1:1", 80), Process{PID: 7})
		s.connecting.Unlock()
		if pid := <-found; pid != 7 {
			t.Fatalf("process %d", pid)
		}
	}
}

// TestConnectionsAreBounded: the oldest is forgotten, not one that is newer and
// has the place's ends.
func TestConnectionsAreBounded(t *testing.T) {
	var c connections
	again := endsOf("198.18.0.1:1", 0)
	c.add(again, Process{PID: 1})
	for port := range uint16(maxConnections - 1) {
		c.add(endsOf("198.18.0.1:1", port+1), Process{PID: 2})
	}
	c.add(endsOf("198.18.0.1:2", 0), Process{PID: 3})
	if _, ok := c.take(again); ok || len(c.made) != maxConnections {
		t.Errorf("the oldest is there: %v; %d are kept", ok, len(c.made))
	}
	c = connections{}
	c.add(again, Process{PID: 1})
	for port := range uint16(maxConnections) {
		if port == 5 {
			c.add(again, Process{PID: 4})
		}
		c.add(endsOf("198.18.0.1:1", port+1), Process{PID: 2})
	}
	if p, _ := c.take(again); p.PID != 4 || len(c.made) >= maxConnections {
		t.Errorf("process %d, want the later one; %d are kept", p.PID, len(c.made))
	}
}

// TestCallers: a file is taken by a thread that lives, known or not, and never by
// one that has ended.
func TestCallers(t *testing.T) {
	var c callers
	defer c.close()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		fd, err := c.takeFile(cmd.Process.Pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
	}
	if _, err := c.takeFile(cmd.Process.Pid, 12345); err != unix.EBADF {
		t.Errorf("a file that is not open: %v", err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.takeFile(cmd.Process.Pid, 0); err != unix.ESRCH {
		t.Errorf("a file of a process that has ended: %v", err)
	}
	if len(c.byThread) != 0 {
		t.Errorf("%d are kept", len(c.byThread))
	}
	if p, ok := c.process(os.Getpid()); ok {
		t.Errorf("%+v, of which no file was taken", p)
	}
	if p, ok := processOf(os.Getpid()); ok {
		t.Errorf("%+v for a process that is in no jail", p)
	}
}

// TestCallersAreBounded: no more than so many are kept, and they answer after
// others have been forgotten.
func TestCallersAreBounded(t *testing.T) {
	var c callers
	c.byThread = map[int]*caller{}
	for i := range maxCallers {
		c.byThread[-i] = &caller{pidfd: -1}
	}
	for range 2 {
		fd, err := c.takeFile(os.Getpid(), 0)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
	}
	if len(c.byThread) != 1 {
		t.Errorf("%d are kept", len(c.byThread))
	}
	c.close()
}
