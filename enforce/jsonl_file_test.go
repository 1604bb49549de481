package enforce_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
)

func TestCreateLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, []byte(strings.Repeat("old\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := enforce.CreateLog(path)
	if err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path); err != nil || len(content) != 0 {
		t.Errorf("the probe or the old log is left: %q, %v", content, err)
	}
	for range 2 {
		if err := l.Record(event("/")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	content, err := os.ReadFile(path)
	if err != nil || strings.Count(string(content), "\n") != 2 || content[0] != '{' {
		t.Errorf("got %q, %v", content, err)
	}
	if info, err := os.Stat(path); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := l.Record(event("/")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

func TestCreateLogFailsBeforeTheRun(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		path string
		want error
	}{
		"full device":     {"/dev/full", syscall.ENOSPC},
		"a folder":        {dir, syscall.EISDIR},
		"no such folder":  {filepath.Join(dir, "none", "events.jsonl"), os.ErrNotExist},
		"no name":         {"", os.ErrNotExist},
		"under a file":    {"/dev/null/events.jsonl", syscall.ENOTDIR},
		"broken symlink ": {brokenLink(t, dir), os.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat("/dev/full"); name == "full device" && err != nil {
				t.Skip("no /dev/full here")
			}
			l, err := enforce.CreateLog(tt.path)
			if !errors.Is(err, tt.want) || l != nil {
				t.Errorf("got %v, %v; want %v", l, err, tt.want)
			}
		})
	}
}

func brokenLink(t *testing.T, dir string) string {
	t.Helper()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "none", "target"), link); err != nil {
		t.Skip(err)
	}
	return link
}

func TestDashIsAFileName(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := enforce.CreateLog("-")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("-"); err != nil {
		t.Error(err)
	}
}

// A pipe gets a space before the first object: still JSON lines.
func TestCreateLogOnAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	path := "/dev/fd/" + strconv.Itoa(int(w.Fd()))
	if _, err := os.Stat(path); err != nil {
		t.Skip("no /dev/fd here")
	}
	l, err := enforce.CreateLog(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Record(event("/a")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %q", line)
		}
	}
	if !strings.Contains(string(text), `"path":"/a"`) {
		t.Errorf("got %q", text)
	}
}

func TestLogNoticesTheReaderIsGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l := enforce.NewLog(w)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(event("/")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("got %v, want %v", err, syscall.EPIPE)
	}
	if l.Close() == nil {
		t.Error("Close forgot it")
	}
}

// closeFails is a writer whose errors come late, as over NFS or a quota.
type closeFails struct{ bytes.Buffer }

func (*closeFails) Close() error { return syscall.EDQUOT }

func TestCloseReportsDelayedErrors(t *testing.T) {
	l := enforce.NewLog(new(closeFails))
	if err := l.Record(event("/")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Close(); !errors.Is(err, syscall.EDQUOT) {
			t.Errorf("got %v, want %v", err, syscall.EDQUOT)
		}
	}
	if !errors.Is(l.Err(), syscall.EDQUOT) {
		t.Errorf("Err: %v", l.Err())
	}
}
