package mounts

import (
	"slices"
	"testing"
)

func TestParseMountinfo(t *testing.T) {
	got := parseMountinfo(`23 28 0:22 / /proc rw,relatime shared:14 - proc proc rw
1 2 0:3 /a\040b /run/with\040space\134x rw master:1 propagate_from:2 - ext4 /dev/x rw
broken line
36 35 98:0 /run/docker.sock /docker.sock rw,noatime - tmpfs tmpfs rw`)
	want := []mount{{"/", "/proc", "proc"}, {"/a b", `/run/with space\x`, "ext4"}, {"/run/docker.sock", "/docker.sock", "tmpfs"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseUnix(t *testing.T) {
	got := parseUnix(`Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 20475 /run/systemd/private
0000000000000000: 00000002 00000000 00000000 0002 01 20476 /run/systemd/notify
0000000000000000: 00000003 00000000 00000000 0001 03 30000
0000000000000000: 00000002 00000000 00010000 0001 01 20477 @/tmp/abstract
0000000000000000: 00000002 00000000 00010000 0001 01     7 /tmp/with two  spaces
0000000000000000: 00000002 00000000 00010000 0001 01 20478 relative
0000000000000000: 00000003 00000000 00000000 0001 03 20479 /run/systemd/private
`)
	want := []string{"/run/systemd/notify", "/run/systemd/private", "/tmp/with two  spaces"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHostsFromDNS(t *testing.T) {
	got := hostsFromDNS("passwd: files systemd\nhosts:  mymachines resolve [!UNAVAIL=return] files myhostname dns\n# hosts: x\nnetworks: files")
	want := "passwd: files systemd\nhosts: files myhostname dns\n# hosts: x\nnetworks: files"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLocalHosts(t *testing.T) {
	const file = "# a comment\n127.0.0.1\tlocalhost  # here\n::1 localhost ip6-localhost\n10.0.0.5 registry.corp.example\n172.17.0.2 box\nff02::1 ip6-allnodes\nnonsense\n"
	if got, want := localHosts(file, "box"), "127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 box\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := localHosts("127.0.0.1 localhost box\n", "box"), "127.0.0.1 localhost box\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnder(t *testing.T) {
	for _, c := range []struct {
		path, dir string
		want      bool
	}{
		{"/run", "/run", true}, {"/run/x", "/run", true}, {"/runner", "/run", false}, {"/x", "/", true}, {"/", "/run", false},
	} {
		if got := under(c.path, c.dir); got != c.want {
			t.Errorf("under(%s, %s) = %v", c.path, c.dir, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0000000000000000: 00000002 00000000 00010000 0001 01 20475 /run/x\n")
	f.Add(`36 35 98:0 /a\040 /b\13 rw - tmpfs tmpfs rw`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, path := range parseUnix(text) {
			if path == "" || path[0] != '/' {
				t.Errorf("%q is not absolute", path)
			}
		}
		parseMountinfo(text)
		localHosts(text, "box")
		hostsFromDNS(text)
	})
}
