package mounts

import (
	"net/netip"
	"os"
	"slices"
	"strings"
)

// resolver makes the C library ask the jail's name server, and it alone: search
// domains would turn every name into another one that "exists", and a name
// service of the host answers through a socket that is hidden. Any address
// would reach the jail's server; without these files names are still resolved.
func (t *tree) resolver() error {
	t.warn(t.rewrite("/etc/resolv.conf", func(string) string {
		return "# written by proxaudit\nnameserver " + t.plan.NameServer + "\n"
	}), "write resolv.conf")
	t.warn(t.rewrite("/etc/nsswitch.conf", hostsFromDNS), "write nsswitch.conf")
	hostname, err := os.Hostname()
	t.warn(err, "find the host name")
	t.warn(t.rewrite("/etc/hosts", func(old string) string { return localHosts(old, hostname) }), "write hosts")
	return nil
}

func (t *tree) rewrite(path string, change func(string) string) error {
	old, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	file, err := t.file([]byte(change(string(old))))
	if err != nil {
		return err
	}
	return bind(file, path)
}

// hostsFromDNS leaves of the hosts line what asks nobody outside.
func hostsFromDNS(conf string) string {
	var b strings.Builder
	for line := range strings.Lines(conf) {
		name, services, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) != "hosts" {
			b.WriteString(line)
			continue
		}
		b.WriteString("hosts: files")
		if strings.Contains(services, "myhostname") {
			b.WriteString(" myhostname")
		}
		b.WriteString(" dns\n")
	}
	return b.String()
}

// localHosts leaves the names of this machine. Others have to be asked for, so
// that the proxy learns which name a connection is for; it looks them up in the
// host's file itself. The machine's own name is a loopback address here, as it
// is on Debian.
func localHosts(hosts, hostname string) string {
	var b strings.Builder
	named := false
	for line := range strings.Lines(hosts) {
		content, _, _ := strings.Cut(line, "#")
		fields := strings.Fields(content)
		if len(fields) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil || !addr.IsLoopback() {
			continue
		}
		named = named || slices.Contains(fields[1:], hostname)
		b.WriteString(strings.Join(fields, " ") + "\n")
	}
	if !named && hostname != "" {
		b.WriteString("127.0.1.1 " + hostname + "\n")
	}
	return b.String()
}
