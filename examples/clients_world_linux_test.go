package examples

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/juliendoutre/proxaudit/internal/ca"
)

const (
	// namespaceVariable names the test's folder, for this program in the network
	// that was made for it.
	namespaceVariable = "PROXAUDIT_TEST_WORLD"
	// ordinaryID is a user and a group that own nothing.
	ordinaryID   = 12345
	ordinaryName = "proxaudit-test"
	// Where every name of .test leads: RFC 5737 section 3, RFC 3849.
	originAddress = "203.0.113.10"
)

// originAddresses6 are the origin's for each user's literals.
var originAddresses6 = map[string]string{"root": "2001:db8::10", "user": "2001:db8::11"}

// world is the network and the file tree in which clients run.
type world struct {
	dir    string
	origin *origin
	key    string // SSH, private
}

func newWorld(t *testing.T, dir string) *world {
	t.Helper()
	authority := newNetwork(t)
	overlayVar(t, dir)
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	give(t, home)
	over(t, "/etc/passwd", func(old string) string {
		return old + ordinaryName + ":x:12345:12345::" + home + ":/bin/sh\n"
	})
	over(t, "/etc/group", func(old string) string { return old + ordinaryName + ":x:12345:\n" })
	startDatabase(t, dir)
	return &world{dir: dir, origin: newOrigin(t, authority, dir), key: startSSH(t, dir)}
}

// newNetwork fills the network that this program was put into: names of .test
// lead to the origin's address, and an authority of the test's own is trusted.
func newNetwork(t *testing.T) *ca.Authority {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	lo, err := netlink.LinkByName("lo")
	check(err)
	check(netlink.LinkSetUp(lo))
	for _, a := range []string{originAddress + "/32", originAddresses6["root"] + "/128", originAddresses6["user"] + "/128"} {
		addr, err := netlink.ParseAddr(a)
		check(err)
		addr.Flags = unix.IFA_F_NODAD // at once, without asking who else has it
		check(netlink.AddrAdd(lo, addr))
	}
	authority, err := ca.New()
	check(err)
	over(t, "/etc/resolv.conf", func(string) string { return "nameserver 127.0.0.1\n" })
	over(t, "/etc/ssl/certs/ca-certificates.crt", func(old string) string { return old + string(authority.CertificatePEM()) })
	answerNames(t)
	return authority
}

// over shows another content for a file of the system, to this test alone.
func over(t *testing.T, path string, change func(string) string) {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "over")
	write(t, file, change(read(t, path)))
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// overlayVar keeps what a package manager writes from the machine.
func overlayVar(t *testing.T, dir string) {
	t.Helper()
	layers := filepath.Join(dir, "layers")
	if err := os.MkdirAll(layers, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", layers, "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal(err)
	}
	for _, under := range []string{"/var/lib", "/var/cache", "/var/log", "/opt"} {
		upper := filepath.Join(layers, strings.ReplaceAll(under, "/", "_"))
		for _, d := range []string{upper, upper + ".work"} {
			if err := os.Mkdir(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := unix.Mount("overlay", under, "overlay", 0, "lowerdir="+under+",upperdir="+upper+",workdir="+upper+".work"); err != nil {
			t.Fatalf("%s: %v", under, err)
		}
	}
}

// startSSH starts a server that lets a key in as root, and returns the key.
func startSSH(t *testing.T, dir string) string {
	t.Helper()
	if _, err := exec.LookPath("sshd"); err != nil {
		return ""
	}
	dir = filepath.Join(dir, "ssh")
	if err := errors.Join(os.MkdirAll("/run/sshd", 0o755), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"host", "user"} {
		command(t, dir, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name)
	}
	write(t, filepath.Join(dir, "config"), "Port 22\nListenAddress "+originAddress+"\nHostKey "+dir+"/host\nAuthorizedKeysFile "+dir+
		"/user.pub\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nPasswordAuthentication no\n")
	start(t, "Server listening", nil, "/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(dir, "config"))
	return read(t, filepath.Join(dir, "user"))
}

// startDatabase starts PostgreSQL where it is installed, as a user: it refuses
// to be root.
func startDatabase(t *testing.T, dir string) {
	t.Helper()
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bins) == 0 {
		return
	}
	data := filepath.Join(dir, "database")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	give(t, data)
	as := &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}
	initdb := exec.Command(filepath.Join(bins[0], "initdb"), "-D", data, "-A", "trust", "-U", "app", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = data, &syscall.SysProcAttr{Credential: as}
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	write(t, filepath.Join(data, "pg_hba.conf"), "host all all 0.0.0.0/0 trust\n")
	give(t, data)
	start(t, "ready to accept connections", as, filepath.Join(bins[0], "postgres"), "-D", data, "-F",
		"-c", "listen_addresses="+originAddress, "-c", "unix_socket_directories=")
}

// start starts a server that says when it is ready, and ends it with the test.
func start(t *testing.T, ready string, as *syscall.Credential, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGTERM}
	cmd.Dir = "/"
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), ready) {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return
		}
	}
	t.Fatalf("%s ended before it was ready", name)
}

// answerNames is the name server of the world: names of .test lead to the origin.
func answerNames(t *testing.T) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := answerName(buf[:n]); reply != nil {
				_, _ = c.WriteTo(reply, from)
			}
		}
	}()
}

func answerName(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}
	m.Additionals = nil
	switch {
	case !strings.HasSuffix(q.Name.String(), ".test."):
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(originAddress).As4()},
		}}
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}

// commonDir is a temporary directory that every user may enter.
func commonDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// give makes all below dir the ordinary user's.
func give(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, ordinaryID, ordinaryID)
	})
	if err != nil {
		t.Fatal(err)
	}
}
