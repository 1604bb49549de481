// Package control carries messages and open files between the proxy and the
// first process of a jail, over one SOCK_SEQPACKET socket pair.
//
// It must never leave a received file open across exec, and never trust a
// length that the other side wrote: what is larger than a message may be goes
// through an anonymous file instead.
package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// maxMessage bounds one message; a longer one is an error, not a truncation.
	maxMessage = 64 << 10
	// maxFiles bounds the files of one message; the kernel's own bound
	// (SCM_MAX_FD) is 253.
	maxFiles = 64
)

// ErrClosed means that the other side has gone.
var ErrClosed = errors.New("the other side of the control socket is gone")

// Conn is one end. Send may be called concurrently with Receive, but neither
// with itself.
type Conn struct{ c *net.UnixConn }

// Pair returns a connected end and the file of the other one, to be inherited
// by a child process.
func Pair() (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a control socket: %w", err)
	}
	far := os.NewFile(uintptr(fds[1]), "control")
	near, err := FromFile(os.NewFile(uintptr(fds[0]), "control"))
	if err != nil {
		far.Close()
		return nil, nil, err
	}
	return near, far, nil
}

// FromFile takes over f, an inherited end.
func FromFile(f *os.File) (*Conn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("use the control socket: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("the control socket is a %T", c)
	}
	return &Conn{u}, nil
}

// Send writes msg as JSON, with files. The caller keeps its files.
func (c *Conn) Send(msg any, files ...*os.File) error {
	data, err := json.Marshal(msg)
	if err != nil {
		return err
	}
	if len(data) > maxMessage {
		return fmt.Errorf("control message of %d bytes: at most %d are carried", len(data), maxMessage)
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	_, _, err = c.c.WriteMsgUnix(data, rights, nil)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return ErrClosed
	}
	return err
}

// Receive reads one message into msg and returns its files, which are
// close-on-exec and the caller's to close.
func (c *Conn) Receive(msg any) ([]*os.File, error) {
	data := make([]byte, maxMessage)
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := c.c.ReadMsgUnix(data, oob)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, err
	}
	files, err := parseRights(oob[:oobn])
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("control message was cut off")
	}
	if err == nil && n == 0 {
		err = ErrClosed
	}
	if err == nil {
		err = json.Unmarshal(data[:n], msg)
	}
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

// Close ends the connection; a Receive that waits returns.
func (c *Conn) Close() error { return c.c.Close() }

// File returns a duplicate of the connection's descriptor, in blocking mode,
// that survives exec when close-on-exec is taken off it.
func (c *Conn) File() (*os.File, error) { return c.c.File() }

func parseRights(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
