package supervisor

import (
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// socketFile makes a socket file and opens it.
func socketFile(t *testing.T, path string) int {
	t.Helper()
	if err := unix.Mknod(path, unix.S_IFSOCK|0o600, 0); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// TestNumbersAreNotTakenForEachOther: a file system gives the number of a
// file that is gone to the next one.
func TestNumbersAreNotTakenForEachOther(t *testing.T) {
	dir := t.TempDir()
	var s sockets
	defer s.close()
	path := filepath.Join(dir, "ours")
	s.add(socketFile(t, path))
	if err := unix.Unlink(path); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		fd := socketFile(t, filepath.Join(dir, fmt.Sprint(i)))
		if s.has(fd) {
			t.Errorf("file %d is taken for one that has gone", i)
		}
		unix.Close(fd)
	}
}

func TestOnlySocketsAreKept(t *testing.T) {
	var s sockets
	defer s.close()
	fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.add(fd)
	if len(s.files) != 0 {
		t.Error("a directory was kept")
	}
}

// TestSocketsAreForgotten: those that nobody can find any more, so that there is
// room for others.
func TestSocketsAreForgotten(t *testing.T) {
	dir := t.TempDir()
	var s sockets
	defer s.close()
	stays := filepath.Join(dir, "stays")
	s.add(socketFile(t, stays))
	for range maxSockets + 10 {
		path := filepath.Join(dir, "goes")
		s.add(socketFile(t, path))
		if err := unix.Unlink(path); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.files) > maxSockets {
		t.Errorf("%d are kept", len(s.files))
	}
	fd, err := unix.Open(stays, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if !s.has(fd) {
		t.Error("one that is still there was forgotten")
	}
}

func TestBegin(t *testing.T) {
	for name, want := range map[string][2]string{
		"s":                         {"cwd", "s"},
		"../s":                      {"cwd", "../s"},
		"/tmp/s":                    {"root", "/tmp/s"},
		"/proc/self/cwd/s":          {"cwd", "s"},
		"/proc/self/cwd/../s":       {"cwd", "../s"},
		"//proc//thread-self/cwd/s": {"cwd", "s"},
		"/proc/self/root/tmp/s":     {"root", "/tmp/s"},
		"/proc/self/fd/7":           {"fd/7", ""},
		"/proc/self/fd/7/s":         {"fd/7", "s"},
		"/dev/fd/7/s":               {"fd/7", "s"},
		"/proc/self/fd/x/s":         {"root", "/proc/self/fd/x/s"},
		"/proc/self/fd/../s":        {"root", "/proc/self/fd/../s"},
		"/proc/1/root/s":            {"root", "/proc/1/root/s"},
	} {
		if from, rest := begin(name); from != want[0] || rest != want[1] {
			t.Errorf("%s begins at %q, %q; want %q", name, from, rest, want)
		}
	}
}
