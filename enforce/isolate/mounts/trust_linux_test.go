package mounts

import (
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// testStores are stores whose layers lie in a temporary directory.
func testStores(t *testing.T) *stores {
	t.Helper()
	fd, err := unix.Open(t.TempDir(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return &stores{tree: &tree{scratch: fd, cert: &x509.Certificate{Raw: []byte("run")}}, layers: map[string]string{}}
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// TestBrowserPolicy: the last policy that named certificates counted, and what it
// named stays trusted.
func TestBrowserPolicy(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"no policy", nil, []string{"cnVu"}},
		{"policies of other kinds", map[string]string{"a.json": `{"HomepageLocation":"x"}`, "b.json": "broken"}, []string{"cnVu"}},
		{"two that name some", map[string]string{"a.json": `{"CACertificates":["b2xk"]}`, "b.json": `{"CACertificates":["bmV3","bW9yZQ=="]}`}, []string{"bmV3", "bW9yZQ==", "cnVu"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, dir := testStores(t), t.TempDir()
			for name, text := range c.files {
				put(t, filepath.Join(dir, managed, name), text, 0o644)
			}
			if err := s.browser(dir); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(s.layers[dir], managed, browserFile))
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ CACertificates []string }
			if err := json.Unmarshal(data, &got); err != nil || !slices.Equal(got.CACertificates, c.want) {
				t.Errorf("%s (%v), want %q", data, err, c.want)
			}
			if !slices.Contains(s.dirs, dir) {
				t.Error("nothing would be laid over the directory")
			}
		})
	}
}

// TestCopyOfATrustStore: the copy has what the directory had, and what the layer
// has already wins.
func TestCopyOfATrustStore(t *testing.T) {
	dir, layer := t.TempDir(), t.TempDir()
	put(t, filepath.Join(dir, "ca-certificates.crt"), "old", 0o644)
	put(t, filepath.Join(dir, "java", "cacerts"), "java", 0o444)
	put(t, filepath.Join(dir, "private"), "secret", 0)
	put(t, filepath.Join(layer, "ca-certificates.crt"), "new", 0o644)
	if err := os.Symlink("/elsewhere/root.pem", filepath.Join(dir, "01234567.0")); err != nil {
		t.Fatal(err)
	}
	if err := copyInto(layer, dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"ca-certificates.crt": "new", "java/cacerts": "java"} {
		if data, err := os.ReadFile(filepath.Join(layer, name)); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v; want %q", name, data, err, want)
		}
	}
	if link, err := os.Readlink(filepath.Join(layer, "01234567.0")); err != nil || link != "/elsewhere/root.pem" {
		t.Errorf("the link leads to %q, %v", link, err)
	}
	put(t, filepath.Join(dir, "huge"), "", 0o644)
	if err := os.Truncate(filepath.Join(dir, "huge"), maxCopied+1); err != nil {
		t.Fatal(err)
	}
	if err := copyInto(layer, dir); err == nil {
		t.Error("a file of any size is copied into memory")
	}
}
