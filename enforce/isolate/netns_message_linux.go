package isolate

import (
	"fmt"
	"os"
	"syscall"

	"github.com/juliendoutre/proxaudit/enforce/isolate/capture"
	"github.com/juliendoutre/proxaudit/enforce/isolate/mounts"
	"github.com/juliendoutre/proxaudit/enforce/isolate/privilege"
)

// setup is what the first process needs to make the jail.
type setup struct {
	Plan  mounts.Plan
	Kinds []capture.Kind
	Keep  privilege.Set
}

// message is everything else that goes over the control socket; a message uses
// the fields of its kind.
type message struct {
	// Made: what was set up, with its files.
	Kind     capture.Kind `json:",omitempty"`
	Port     uint16       `json:",omitempty"`
	Counts   [4]int       // of TCP, DNSTCP, DNSUDP and ICMP
	IPv6     bool         `json:",omitempty"`
	Warnings []string     `json:",omitempty"`
	Failed   *stepError   `json:",omitempty"`
	// Supervised: the privileges are gone; with the file where calls arrive.
	Supervised bool           `json:",omitempty"`
	Test       *selfTest      `json:",omitempty"`
	Keep       privilege.Set  `json:",omitempty"`
	Start      bool           `json:",omitempty"` // with a blob of command and three files
	Signal     syscall.Signal `json:",omitempty"`
	Group      bool           `json:",omitempty"` // Signal goes to the whole group
	// Dial asks for a connection to a port inside; the answer has it as a file.
	Dial uint16 `json:",omitempty"`
	// Pair asks for two connected sockets; the answer has them as files.
	Pair bool `json:",omitempty"`

	// State: what became of the command.
	Code    int            `json:",omitempty"` // of a command that did not start
	Text    string         `json:",omitempty"`
	Started bool           `json:",omitempty"`
	Stopped syscall.Signal `json:",omitempty"`
	Exited  *int           `json:",omitempty"` // the wait status
}

// command is the blob of a start. JSON keeps bytes that are not UTF-8 only as
// bytes.
type command struct{ Argv, Env [][]byte }

// stepError is an error that crossed the control socket.
type stepError struct {
	Step  string
	Text  string
	Errno syscall.Errno
}

func (e *stepError) Error() string { return e.Text }

// Unwrap returns the system's error, for errors.Is.
func (e *stepError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// handout are the files that the jail hands out.
type handout struct {
	tcp, dnsTCP, dnsUDP, icmp []*os.File
	diag, proc                *os.File
	ipv6                      bool
}

func unpack(m message, files []*os.File) (*handout, error) {
	want := 2
	for _, n := range m.Counts {
		if n < 0 || n > len(files) {
			return nil, fmt.Errorf("the jail handed out %d files of one kind, %d in all", n, len(files))
		}
		want += n
	}
	if len(files) != want || m.Counts[0] == 0 {
		return nil, fmt.Errorf("the jail handed out %d files, not %d", len(files), want)
	}
	h := &handout{ipv6: m.IPv6}
	for i, part := range []*[]*os.File{&h.tcp, &h.dnsTCP, &h.dnsUDP, &h.icmp} {
		*part, files = files[:m.Counts[i]], files[m.Counts[i]:]
	}
	h.diag, h.proc = files[0], files[1]
	return h, nil
}
