package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHiddenSockets(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // a short one: paths of sockets are
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"docker.sock", "a 'b", "a\nb"} {
		l, err := net.Listen("unix", at(name))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	if err := os.WriteFile(at("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		asked []string
		want  string // how it is spelled in the hint
	}{
		"a socket":           {[]string{at("docker.sock")}, "-allow-socket " + at("docker.sock") + " "},
		"asked for twice":    {[]string{at("docker.sock"), at("docker.sock")}, "-allow-socket " + at("docker.sock") + " "},
		"an odd name":        {[]string{at("a 'b")}, "-allow-socket '" + dir + `/a '\''b' `},
		"a line break":       {[]string{at("a\nb")}, dir + `/a\nb' `},
		"not there":          {[]string{at("none")}, ""},
		"a file":             {[]string{at("file")}, ""},
		"a relative path":    {[]string{"docker.sock"}, ""},
		"users' names":       {[]string{"/run/systemd/userdb/io.systemd.DynamicUser", "/var/run/nscd/socket"}, ""},
		"too many to tell":   {append(many(maxSockets), at("docker.sock")), ""},
		"few enough to tell": {append(many(maxSockets-1), at("docker.sock")), "-allow-socket " + at("docker.sock") + " "},
	} {
		t.Run(name, func(t *testing.T) {
			var h hiddenSockets
			for _, path := range c.asked {
				h.refused(path)
			}
			if strings.HasPrefix(name, "users'") && len(h.paths) > 0 {
				t.Errorf("%q are kept", h.paths)
			}
			got := h.hints()
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("hints %q, want one with %q", got, c.want)
			}
		})
	}
	var h hiddenSockets
	h.noNamespace("/tmp/a\n::error::b\x1b[0m")
	if got := h.hints(); len(got) != 1 || !strings.HasPrefix(got[0], `/tmp/a\n::error::b\x1b[0m asked for`) {
		t.Errorf("a program with an odd name: %q", got)
	}
	for _, path := range []string{"/run/systemd/resolve/io.systemd.Resolve", "/var/run/nscd/socket", "//run/./nscd/socket"} {
		if !isNameService(path) {
			t.Errorf("%s is told of", path)
		}
	}
	for _, path := range []string{"/run/docker.sock", "/run/systemd", "/run/podman/podman.sock"} {
		if isNameService(path) {
			t.Errorf("%s is not told of", path)
		}
	}
}

func TestNamespaceHints(t *testing.T) {
	var h hiddenSockets
	for _, exe := range []string{"/usr/bin/bwrap", "", "/usr/bin/bwrap"} {
		h.noNamespace(exe)
	}
	got := h.hints()
	if len(got) != 2 || !strings.HasPrefix(got[0], "/usr/bin/bwrap asked for ") || !strings.HasPrefix(got[1], "a program asked for ") || !strings.Contains(got[0], "-allow-user-namespaces") {
		t.Errorf("hints %q", got)
	}
	for _, exe := range many(2 * maxSockets) {
		h.noNamespace(exe)
	}
	if n := len(h.hints()); n != maxSockets {
		t.Errorf("%d hints, want %d", n, maxSockets)
	}
}

func many(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint("/none/", i)
	}
	return all
}
