//go:build unix

package child

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/juliendoutre/proxaudit/internal/overdue"
)

func TestExitCode(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         int
	}{
		{"success", "exit 0", 0},
		{"failure", "exit 1", 1},
		{"another code", "exit 42", 42},
		{"the largest code", "exit 255", 255},
		{"terminated", "kill -TERM $$", 143},
		{"killed", "kill -KILL $$", 137},
		{"segmentation fault", "kill -SEGV $$", 139},
		{"broken pipe", "kill -PIPE $$", 141},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if code, _ := run(t, "sh", "-c", tt.script); code != tt.want {
				t.Errorf("exit code %d, want %d", code, tt.want)
			}
		})
	}
}

func TestArgvAndEnvAreExact(t *testing.T) {
	overdue.Watch(t)
	argv := []string{self(t), "", " ", "a b", `"`, `'`, `\`, "$HOME", "*", "a\nb", "é", "--", "-x"}
	env := []string{helper + "=print", "EMPTY=", "SPACE= a  b ", "QUOTE='\"", "LINES=a\nb", "no-equals-sign", "=odd"}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := Start(argv, env, nil, w, os.Stderr)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Argv, Env []string }
	if err := json.NewDecoder(r).Decode(&got); err != nil {
		t.Error(err)
	}
	if _, err := p.Wait(context.Background()); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(argv, got.Argv); d != "" {
		t.Errorf("argv (-given +seen):\n%s", d)
	}
	if d := cmp.Diff(env, got.Env); d != "" {
		t.Errorf("environment (-given +seen):\n%s", d)
	}
}

func TestBytesThatAreNotTextPass(t *testing.T) {
	if _, out := run(t, "printf", "%s", "\xff\xfe\x80"); out != "\xff\xfe\x80" {
		t.Errorf("argument arrived as %q", out)
	}
}

func TestStartErrors(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file("plain", "text", 0o644)
	noShebang := file("no-shebang", "echo hello\n", 0o755)
	badShebang := file("bad-shebang", "#!/nonexistent/interpreter\n", 0o755)
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, argv0 string
		code        int
		hint        string
	}{
		{"a name that is nowhere", "no-such-command", 127, "check the spelling"},
		{"a folder in PATH is passed over", "folder", 127, "check the spelling"},
		{"an empty name", "", 127, "check the spelling"},
		{"a shell line in one argument", "echo hello", 127, "without a shell"},
		{"a path that is nowhere", "./no/such", 127, "check the path"},
		{"a path through a file", noShebang + "/x", 127, "check the path"},
		{"a directory", dir, 126, "inside it"},
		{"a file in PATH without permission", "plain", 126, "chmod +x"},
		{"a path without permission", filepath.Join(dir, "plain"), 126, "chmod +x"},
		{"a script without a first line", noShebang, 126, "#!"},
		{"a script without its interpreter", badShebang, 126, "interpreter"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Start([]string{tt.argv0}, []string{"PATH=" + dir}, nil, nil, nil)
			if err == nil {
				p.Wait(context.Background())
				t.Fatal("it started")
			}
			se, ok := errors.AsType[*StartError](err)
			if !ok {
				t.Fatalf("%T: %v", err, err)
			}
			if se.Code != tt.code || !strings.Contains(se.Hint(), tt.hint) {
				t.Errorf("code %d, hint %q; want %d, %q", se.Code, se.Hint(), tt.code, tt.hint)
			}
			if strings.Contains(se.Error(), "\n") || strings.HasSuffix(se.Error(), ".") {
				t.Errorf("error %q is not one line without a full stop", se)
			}
		})
	}
	if _, err := Start(nil, nil, nil, nil, nil); err == nil || err.(*StartError).Code != 125 {
		t.Errorf("no command: %v", err)
	}
}

func TestLookup(t *testing.T) {
	dir := t.TempDir()
	tool := filepath.Join(dir, "here", "tool")
	if err := os.MkdirAll(filepath.Dir(tool), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tool, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tool"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(tool))
	t.Setenv("PATH", "/nonexistent")
	for _, tt := range []struct{ name, argv0, path, want string }{
		{"in the command's PATH, not in ours", "tool", filepath.Dir(tool), tool},
		{"behind one that is not executable", "tool", dir + ":" + filepath.Dir(tool), tool},
		{"an empty entry is the current directory", "tool", "/nonexistent:", "tool"},
		{"an empty PATH is the current directory", "tool", "", "tool"},
		{"a relative entry", "tool", "../here", "../here/tool"},
		{"a path is not looked up", "./tool", "/nonexistent", "./tool"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := lookup(tt.argv0, []string{"PATH=" + tt.path})
			if err != nil || got != tt.want {
				t.Errorf("lookup = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	if got, err := lookup("sh", nil); err != nil || !strings.HasSuffix(got, "/sh") {
		t.Errorf("without PATH: %q, %v", got, err)
	}
}

func TestSignalsReachTheCommand(t *testing.T) {
	for name, signal := range signalNumbers {
		t.Run(name, func(t *testing.T) {
			cmd := wrapper(t, "await", self(t), name)
			// A session of its own has no terminal: nobody but us sends signals.
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			code, _ := signalWhenReady(t, cmd, signal)
			if code != 7 {
				t.Errorf("exit code %d, want the command's 7", code)
			}
		})
	}
}

func TestIgnoredHangupStaysIgnored(t *testing.T) {
	wrapped := wrapper(t, "await", self(t), "TERM")
	cmd := wrapper(t, "await")
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `trap '' HUP; exec "$@"`, "sh"}, wrapped.Args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if code, _ := signalWhenReady(t, cmd, syscall.SIGHUP, syscall.SIGTERM); code != 7 {
		t.Errorf("exit code %d, want 7: nohup must hold for the command", code)
	}
}

func TestContextEndsTheCommand(t *testing.T) {
	cause := errors.New("the log is full")
	for _, tt := range []struct {
		name string
		argv []string
		want int
	}{
		{"one that ends when asked", []string{self(t), "TERM"}, 7},
		{"one that is stopped", []string{"sh", "-c", `trap 'exit 7' TERM; echo ready; kill -STOP $$`}, 7},
		{"one that will not", []string{"sh", "-c", `trap '' TERM; echo ready; while :; do read line || sleep 1000; done`}, 137},
	} {
		t.Run(tt.name, func(t *testing.T) {
			overdue.Watch(t)
			stdin, hold, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer hold.Close()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			p, err := Start(tt.argv, append(os.Environ(), helper+"=await"), stdin, w, os.Stderr)
			stdin.Close()
			w.Close()
			if err != nil {
				t.Fatal(err)
			}
			p.stopGrace = time.Minute // the test's own limit: it ends when the command does
			if tt.want == 137 {
				p.stopGrace, p.leftGrace = time.Millisecond, time.Millisecond
			}
			if _, err := r.Read(make([]byte, 8)); err != nil {
				t.Fatal(err)
			}
			if tt.name == "one that is stopped" {
				// Continued before it stops, it would stay stopped.
				var ws syscall.WaitStatus
				if _, err := syscall.Wait4(p.proc.Pid, &ws, syscall.WUNTRACED, nil); err != nil || !ws.Stopped() {
					t.Fatalf("it did not stop: %#x, %v", ws, err)
				}
			}
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(cause)
			code, err := p.Wait(ctx)
			if code != tt.want || !errors.Is(err, cause) {
				t.Errorf("Wait = %d, %v; want %d and the cause", code, err, tt.want)
			}
			if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
				t.Errorf("the pipe did not simply end: %q, %v", rest, err)
			}
		})
	}
}
