package isolate

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestKernelElsewhere: what the kernel asks root about can be reached by more paths
// than the usual ones, in a tree that is prepared for chroot(2).
func TestKernelElsewhere(t *testing.T) {
	if !isRoot() {
		t.Skip("this case is for root")
	}
	dir := t.TempDir()
	for _, c := range []struct {
		name, kind, options string
		file, attempt, want string
	}{
		{"core_pattern", "proc", "", "sys/kernel/core_pattern", "open to write", "EROFS"},
		{"a switch in /sys", "sysfs", "", "kernel/mm/ksm/run", "open to write", "EROFS"},
		{"a control group", "cgroup", "pids", "cgroup.procs", "open to write", "EROFS"},
		{"a control group of version 2", "cgroup2", "", "cgroup.procs", "open to write", "EROFS"},
		{"a device", "devtmpfs", "", "zero", "open to read", "EACCES"},
		{"a device node", "tmpfs", "", "node", "open to read", "EACCES"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := filepath.Join(dir, strings.ReplaceAll(c.name, "/", " "))
			if err := os.Mkdir(at, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mount(c.kind, at, c.kind, 0, c.options); err != nil {
				t.Skipf("NOT CHECKED: there is no %s here: %v", c.kind, err)
			}
			t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
			path := filepath.Join(at, c.file)
			if c.kind == "tmpfs" {
				if err := unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("OUT_FILE", path)
			if err := attempts[c.attempt](); err != nil {
				t.Skipf("NOT CHECKED: root is refused it outside as well: %v", err)
			}
			for _, within := range []bool{false, true} {
				cmd := inside(c.attempt)
				if within {
					cmd = inside("within", "WITHIN="+c.attempt)
				}
				j := newJail(t, NetnsOptions{UserNamespaces: within})
				if out, _ := j.output(t, cmd); !strings.Contains(out, c.want) {
					t.Errorf("ESCAPED (in a namespace of its own: %v): %s", within, out)
				}
			}
		})
	}
}

// queueFileOutside is a message queue of the host with the file that it has where such
// files are mounted.
func queueFileOutside(t *testing.T) *outside {
	t.Helper()
	o := namedQueueOutside(t)
	at := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(at), 0o755), unix.Mount("mqueue", at, "mqueue", 0, "")); err != nil {
		t.Skipf("NOT CHECKED: there are no message queues to mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	path := filepath.Join(at, strings.TrimPrefix(o.env[0], "OUT_QUEUE="))
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	o.env = append(o.env, "OUT_FILE="+path)
	return o
}

func sendToQueueFile() error {
	f, err := os.OpenFile(os.Getenv("OUT_FILE"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	hello := []byte("hello")
	_, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDSEND, f.Fd(), uintptr(unsafe.Pointer(&hello[0])), uintptr(len(hello)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// TestQueueFileUnderSudo is the same for a user, who cannot mount them.
func TestQueueFileUnderSudo(t *testing.T) {
	if !isRoot() {
		t.Skip("this case is for root")
	}
	t.Setenv("SUDO_UID", "65534")
	t.Chdir("/")
	escape{name: "message queue by its file", want: []string{"ENOENT"}, control: true, open: queueFileOutside}.test(t)
}

// remountDevices is what buildah does for a build step, without asking which flags
// the mount has.
func remountDevices() error {
	if err := unix.Mount("/dev", "/dev", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Mount("", "/dev", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NOEXEC, "")
}

// TestDevicesWithinANamespace: image builders can show them in namespaces of their own.
func TestDevicesWithinANamespace(t *testing.T) {
	j := newJail(t, NetnsOptions{UserNamespaces: true})
	if out, _ := j.output(t, inside("within", "WITHIN=remount the devices")); out != "done" {
		t.Errorf("got %s", out)
	}
}

// TestRunWithMounts: what is below /run stays readable where something is mounted
// there, as on every machine with users; what is written there stays inside.
func TestRunWithMounts(t *testing.T) {
	if !isRoot() {
		t.Skip("this case is for root")
	}
	for _, sudo := range []bool{false, true} {
		dir := runtimeDir(t)
		mounted := filepath.Join(dir, "between", "mounted")
		if err := errors.Join(os.Chmod(dir, 0o755), os.MkdirAll(mounted, 0o755), os.Mkdir(filepath.Join(dir, "sub"), 0o1777),
			unix.Mount("tmpfs", mounted, "tmpfs", 0, "mode=0755"), os.Symlink("sub/file", filepath.Join(dir, "link"))); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(mounted, unix.MNT_DETACH) })
		for _, name := range []string{"file", "sub/file", "between/file", "between/mounted/file"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(name+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		large := filepath.Join(dir, "large")
		if err := errors.Join(os.WriteFile(large, make([]byte, 2<<20), 0o644), os.Chmod(large, 0o666)); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", filepath.Join(dir, "socket"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if sudo {
			t.Setenv("SUDO_UID", "65534")
		}
		t.Chdir("/")
		j := newJail(t, NetnsOptions{})
		if w := j.Warnings(); len(w) > 0 {
			t.Errorf("warnings: %q", w)
		}
		out, _ := j.shell(t, "cd "+dir+`
			cat file sub/file between/file between/mounted/file link
			ls socket; wc -c < large; echo x >> large
			for f in file sub/new between/file between/mounted/file; do echo forged >> $f; done 2>/dev/null
			tail -qn 1 file sub/new between/file`)
		want := "file\nsub/file\nbetween/file\nbetween/mounted/file\nsub/file\n"
		if !strings.HasPrefix(out, want) || !strings.Contains(out, "2097152\n") || !strings.Contains(out, "Read-only file system") ||
			!strings.Contains(out, "cannot access 'socket'") || !strings.HasSuffix(out, "forged\nforged\nforged") {
			t.Errorf("under sudo %v: %s", sudo, out)
		}
		for _, name := range []string{"file", "between/file", "between/mounted/file"} {
			if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != name+"\n" {
				t.Errorf("ESCAPED: %s of the host is %q, %v", name, data, err)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "sub/new")); err == nil {
			t.Error("ESCAPED: a file was made outside")
		}
		// A socket that is asked for is there all the same.
		path := filepath.Join(dir, "socket")
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
		j = newJail(t, NetnsOptions{AllowSockets: []string{path}})
		if out, _ := j.output(t, Command{Argv: []string{"sh", "-c", "test -S " + path + " && echo kept"}}); out != "kept" {
			t.Errorf("the socket that is allowed: %s", out)
		}
	}
}
