package isolate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce/isolate/capture"
	"github.com/juliendoutre/proxaudit/enforce/isolate/launch"
	"github.com/juliendoutre/proxaudit/enforce/isolate/mounts"
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
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return mounts.Plan{}, fmt.Errorf("keep the socket %s: %w", path, err)
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
