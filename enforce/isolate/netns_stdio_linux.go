package isolate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// stdio are the standard files as the jail gets them: as they are where they
// lead nowhere, through a pipe otherwise.
type stdio struct {
	jail [3]*os.File
	ours []*os.File // the jail's ends of pipes, and the null device
	copy []func()   // relays to start with the command
	out  sync.WaitGroup
}

func jailStdio(files ...*os.File) (*stdio, error) {
	s := &stdio{}
	for i, f := range files {
		if err := s.add(i, f); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *stdio) add(i int, f *os.File) error {
	if f == nil {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		s.jail[i], s.ours = null, append(s.ours, null)
		return nil
	}
	if harmless(f) {
		s.jail[i] = f
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	if i == 0 {
		s.jail[i], s.ours = r, append(s.ours, r)
		s.copy = append(s.copy, func() {
			// It ends with its source or with the jail; nobody waits for a
			// source that never ends.
			go func() {
				_, _ = io.Copy(w, f)
				w.Close()
			}()
		})
		return nil
	}
	s.jail[i], s.ours = w, append(s.ours, w)
	s.copy = append(s.copy, func() {
		s.out.Go(func() {
			_, _ = io.Copy(f, r)
			r.Close()
		})
	})
	return nil
}

// harmless reports whether an open file can be handed in. A socket of the
// host's network could be disconnected and connected to somewhere else
// (connect(2), AF_UNSPEC), a directory leads to the host's file tree. A
// connected stream between two processes stays what it is, but for one that a
// server took: it has the server's name, and may be taken for one that listens there
// (unix_accept() in net/unix/af_unix.c).
func harmless(f *os.File) bool {
	fd := int(f.Fd())
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFIFO, unix.S_IFCHR:
		return true
	case unix.S_IFSOCK:
		domain, err1 := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		kind, err2 := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
		_, err3 := unix.Getpeername(fd)
		own, err4 := unix.Getsockname(fd)
		if err := errors.Join(err1, err2, err3, err4); err != nil || domain != unix.AF_UNIX || kind != unix.SOCK_STREAM {
			return false
		}
		name, ok := own.(*unix.SockaddrUnix)
		return ok && name.Name == ""
	default:
		return false
	}
}

// started begins relaying and lets go of the jail's ends.
func (s *stdio) started() {
	for _, relay := range s.copy {
		relay()
	}
	s.close()
}

// finish waits until what the command wrote has been passed on.
func (s *stdio) finish() { s.out.Wait() }

func (s *stdio) close() {
	closeFiles(s.ours)
	s.ours = nil
}
