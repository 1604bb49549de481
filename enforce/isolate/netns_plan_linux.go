package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce/isolate/capture"
	"github.com/juliendoutre/proxaudit/enforce/isolate/launch"
	"github.com/juliendoutre/proxaudit/enforce/isolate/mounts"
	"golang.org/x/sys/unix"
)

// planFor gathers, while still outside, what the file tree must look like.
func planFor(o NetnsOptions, as launch.User) (mounts.Plan, error) {
	sockets, err := mounts.BoundSockets()
	if err != nil {
		return mounts.Plan{}, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return mounts.Plan{}, fmt.Errorf("find the working directory: %w", err)
	}
	p := mounts.Plan{
		JavaHomes: javaHomes(), NameServer: capture.Self4.String(),
		Sockets: sockets, Root: as.Root, Dir: dir, Sysctls: map[string]string{},
	}
	if o.CA != nil {
		if p.CA, err = o.CA(); err != nil {
			return mounts.Plan{}, fmt.Errorf("make the run's certificate: %w", err)
		}
	}
	for _, path := range o.AllowSockets {
		real, err := socketToKeep(path)
		if err != nil {
			return mounts.Plan{}, &Refusal{Step: "keep the socket " + path, Err: err, Mend: "drop it from the sockets that are allowed"}
		}
		p.AllowSockets = append(p.AllowSockets, real)
	}
	if !o.UserNamespaces {
		p.Sysctls["user/max_user_namespaces"] = "0"
	}
	if as.Root {
		// Root outside may listen on port 80 without asking.
		p.Sysctls["net/ipv4/ip_unprivileged_port_start"] = "0"
		p.Terminals = terminals()
	}
	return p, nil
}

var errNoSocket = errors.New("it is no socket")

// errDatagrams is why a datagram socket cannot be kept: see seccomp's socketRules.
var errDatagrams = errors.New("it takes datagrams, each of which can name another receiver, " +
	"so a confined command has no Unix datagram sockets; only stream and packet sockets can be kept")

// socketToKeep returns where path leads, if a command could use that. A socket of
// which nobody can tell what it is may be kept: a connection to it fails.
func socketToKeep(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", err
	}
	if info.Mode().Type() != os.ModeSocket {
		return "", errNoSocket
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(fd) }()
	// This sends nothing. One of another type is EPROTOTYPE; EPERM is one that takes
	// datagrams from its own peer alone (unix_dgram_connect() in net/unix/af_unix.c).
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: real}); err == nil || errors.Is(err, unix.EPERM) {
		return "", errDatagrams
	}
	return real, nil
}

// javaHomes are the installations that JAVA_HOME and PATH name.
func javaHomes() []string {
	var homes []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		homes = append(homes, home)
	}
	if java, err := exec.LookPath("java"); err == nil {
		if real, err := filepath.EvalSymlinks(java); err == nil {
			homes = append(homes, filepath.Dir(filepath.Dir(real)))
		}
	}
	return homes
}

// terminals are the device files that this program has as its standard files.
func terminals() []string {
	var all []string
	for _, fd := range []string{"0", "1", "2"} {
		path, err := os.Readlink("/proc/self/fd/" + fd)
		if err == nil && strings.HasPrefix(path, "/dev/") {
			all = append(all, path)
		}
	}
	return all
}
