package enforce

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// CreateLog opens a log at path, creating the file or emptying it; only its
// owner can read it, where the file is ours and the file system knows modes. It
// proves that the log can be written to, so that a full disk is an error before
// the command starts and not with its first request. In a regular file no trace
// of that is left; a pipe or a device gets one space, which JSON allows before
// the first value. Opening a FIFO waits for its reader, as in a shell.
func CreateLog(path string) (*Log, error) {
	// Appending keeps lines whole when another process empties the file, as
	// log rotation by copying does.
	const flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC | os.O_APPEND
	f, err := os.OpenFile(path, flags|os.O_EXCL, 0o600)
	made := err == nil
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, flags, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("open the event log: %w", err)
	}
	if err := probe(f); err != nil {
		return nil, errors.Join(fmt.Errorf("the event log cannot be written to: %w: make room, or name another file", err), f.Close())
	}
	l := NewLog(f)
	if made {
		l.made = f
	}
	return l, nil
}

// owner is of a file.
type owner struct{ uid, gid int }

// GiveTo makes a user the owner of the log's file when the log is closed, and not
// before: until then the command, where it runs as that user, cannot write to it. A
// file that was there before the log keeps its owner; a file system that knows no
// owners is none the worse.
func (l *Log) GiveTo(uid, gid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owner = &owner{uid, gid}
}

// handOver does what GiveTo says. The caller holds the lock.
func (l *Log) handOver() {
	if l.made != nil && l.owner != nil {
		_ = l.made.Chown(l.owner.uid, l.owner.gid)
	}
}

// probe writes a byte to f and takes it back where that is possible.
func probe(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte(" ")); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	if info.Mode().Perm()&0o077 != 0 {
		// The file was there already. A file that is not ours, or a file system
		// without modes, refuses; the user chose it.
		_ = f.Chmod(0o600)
	}
	return f.Truncate(0)
}
