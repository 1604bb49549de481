package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestScriptsAsAUser runs the script about confinement again, where root runs the
// tests: as a user that owns nothing, whose jail is made without a privilege. The
// go command's own directories may be out of that user's reach, so the test
// program and its script are copied.
func TestScriptsAsAUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("TestScripts ran as an ordinary user")
	}
	const id = 12345
	dir, err := os.MkdirTemp("", "proxaudit-user")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	copyTo := func(to, from string, mode os.FileMode) {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), data, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	scripts := filepath.Join("testdata", "script")
	if err := os.MkdirAll(filepath.Join(dir, scripts), 0o755); err != nil {
		t.Fatal(err)
	}
	copyTo("test", "/proc/self/exe", 0o755)
	copyTo(filepath.Join(scripts, "isolation.txtar"), filepath.Join(scripts, "isolation.txtar"), 0o644)
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, id, id)
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "test"), "-test.run=^TestScripts$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestScripts/isolation") {
		t.Errorf("%v\n%s", err, out)
	}
}
