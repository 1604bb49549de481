package mounts

import (
	"os"
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
