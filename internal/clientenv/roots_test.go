package clientenv

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

// pems returns the certificates of a bundle by subject.
func pems(t *testing.T, data []byte) (subjects []string) {
	t.Helper()
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return subjects
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Errorf("the bundle holds a bad certificate: %v", err)
			continue
		}
		subjects = append(subjects, c.Subject.String())
	}
}

func TestOuterRootsAreAdded(t *testing.T) {
	home := t.TempDir()
	ca := newAuthority(t)
	put := func(name, text string) string {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bundle := put("corp/ca.pem", "a comment\n"+string(ca.pem))
	put("corp/README", "no certificate")
	jks := put("corp/cacerts", string(jksOf(ca.cert.Raw)))
	legacy, err := pkcs12.LegacyDES.EncodeTrustStore([]*x509.Certificate{ca.cert}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	p12 := put("corp/roots.p12", string(legacy))
	bare := put("corp/bare.p12", string(javaStore([][]byte{ca.cert.Raw})))
	for _, tt := range []struct{ name, variable, file, text string }{
		{name: "SSL_CERT_FILE", variable: "SSL_CERT_FILE=" + bundle},
		{name: "SSL_CERT_DIR", variable: "SSL_CERT_DIR=/nonexistent-but-first:" + filepath.Dir(bundle)},
		{name: "NODE_EXTRA_CA_CERTS", variable: "NODE_EXTRA_CA_CERTS=" + bundle},
		{name: "npm", variable: "npm_config_cafile=" + bundle},
		{name: "npm, upper case", variable: "NPM_CONFIG_CAFILE=" + bundle},
		{name: "pip", variable: "PIP_CERT=" + bundle},
		{name: "requests", variable: "REQUESTS_CA_BUNDLE=" + bundle},
		{name: "requests, a directory", variable: "REQUESTS_CA_BUNDLE=" + filepath.Dir(bundle)},
		{name: "curl", variable: "CURL_CA_BUNDLE=" + bundle},
		{name: "git", variable: "GIT_SSL_CAINFO=" + bundle},
		{name: "java, JKS", variable: "JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=" + jks},
		{name: "java, PKCS 12", variable: "MAVEN_OPTS=-Djavax.net.ssl.trustStore=" + p12 + " -Djavax.net.ssl.trustStorePassword=secret"},
		{name: "java, PKCS 12 without a password", variable: "GRADLE_OPTS=-Djavax.net.ssl.trustStore=" + bare},
		{name: "npmrc", file: ".npmrc", text: "; comment\nregistry=https://npm.example.org/\ncafile=" + bundle + "\n"},
		{name: "npmrc with the home", file: ".npmrc", text: `cafile = "${HOME}/corp/ca.pem"`},
		{name: "pip.conf", file: ".config/pip/pip.conf", text: "[global]\ncert = ~/corp/ca.pem\n"},
		{name: "gitconfig", file: ".gitconfig", text: "[http]\n\tsslCAInfo = " + bundle + " ; corp\n"},
		{name: "curlrc", file: ".curlrc", text: "--cacert \"" + bundle + "\"\n"},
		{name: "cargo", file: ".cargo/config.toml", text: "[http]\ncainfo = '" + bundle + "' # corp\n"},
		{name: "yarn", file: ".yarnrc.yml", text: "httpsCaFilePath: " + bundle + "\n"},
		{name: "bundler", file: ".bundle/config", text: "---\nBUNDLE_SSL_CA_CERT: \"" + bundle + "\"\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.file != "" {
				path := put(tt.file, tt.text)
				defer os.Remove(path)
			}
			r := ReadRoots([]string{"HOME=" + home, tt.variable})
			if !r.seen[string(ca.cert.Raw)] {
				t.Fatalf("the outer root is missing; warnings %v", r.Warnings)
			}
			if len(r.Warnings) > 0 && tt.name != "SSL_CERT_DIR" {
				t.Errorf("warnings %v", r.Warnings)
			}
			if _, err := ca.cert.Verify(x509.VerifyOptions{Roots: r.Pool()}); err != nil {
				t.Errorf("upstream does not trust it: %v", err)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		if r := ReadRoots([]string{"HOME=" + home}); r.seen[string(ca.cert.Raw)] {
			t.Error("the root is there without anyone naming it")
		}
	})
	t.Run("a project's own npmrc does not count", func(t *testing.T) {
		project := filepath.Dir(put("project/.npmrc", "cafile="+bundle))
		t.Chdir(project)
		if r := ReadRoots([]string{"HOME=" + home}); r.seen[string(ca.cert.Raw)] {
			t.Error("a checkout added to what is trusted")
		}
	})
}

func TestSystemRootsStay(t *testing.T) {
	r := ReadRoots(nil)
	if r.system == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("under CI this must run: no system roots: %v", r.Warnings)
		}
		t.Skipf("no system roots here: %v", r.Warnings)
	}
	ca := newAuthority(t)
	outer := newAuthority(t)
	env := []string{"SSL_CERT_FILE=" + file(t, "outer.pem", slices.Concat(outer.pem, outer.pem))}
	trust, err := ReadRoots(env).Write(env, ca.pem)
	if err != nil {
		t.Fatal(err)
	}
	defer trust.Remove()
	data, err := os.ReadFile(trust.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	subjects := pems(t, data)
	if want := r.system + 2; len(subjects) != want {
		t.Errorf("%d certificates, want the system's %d, outer's and ours", len(subjects), r.system)
	}
	for _, a := range []*authority{ca, outer} {
		if n := strings.Count(strings.Join(subjects, "\n"), a.cert.Subject.String()); n != 1 {
			t.Errorf("%s is there %d times", a.cert.Subject, n)
		}
	}
	store, err := os.ReadFile(trust.JavaStore)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := pkcs12.DecodeTrustStore(store, "")
	if err != nil || len(certs) != len(subjects) {
		t.Errorf("the Java store holds %d certificates (%v), want %d", len(certs), err, len(subjects))
	}
}

func TestWarnings(t *testing.T) {
	good, bad := newAuthority(t), bytes.Clone(newAuthority(t).cert.Raw)
	bad[10] ^= 0xff
	for _, tt := range []struct {
		name, value string
		want        string
	}{
		{"a missing file", "/nonexistent/ca.pem", "PIP_CERT names /nonexistent/ca.pem, which was left out: no such file or directory"},
		{"no PEM", file(t, "ca.pem", []byte("hello")), "no PEM certificate in it"},
		{"an empty file", file(t, "ca.pem", nil), "no PEM certificate in it"},
		{"a bad certificate beside a good one", file(t, "ca.pem", slices.Concat(bundle([][]byte{bad}), good.pem)), "x509"},
		{"a switch", "true", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ReadRoots([]string{"PIP_CERT=" + tt.value, "CURL_CA_BUNDLE=" + tt.value})
			text := ""
			for _, w := range r.Warnings {
				text += w.Error() + "\n"
			}
			if tt.want == "" && text != "" || !strings.Contains(text, tt.want) || strings.Count(text, "\n") > 1 {
				t.Errorf("warnings %q, want one with %q", text, tt.want)
			}
			if r.seen[string(bad)] {
				t.Error("the bad certificate is in the bundle")
			}
		})
	}
	r := ReadRoots([]string{"PIP_CERT=" + file(t, "ca.pem", slices.Concat(bundle([][]byte{bad}), good.pem))})
	if !r.seen[string(good.cert.Raw)] {
		t.Error("the good certificate beside a bad one was lost")
	}
}

func TestWriteIsReadableAndGoesAway(t *testing.T) {
	ca := newAuthority(t)
	trust, err := ReadRoots(nil).Write([]string{"APT_CONFIG=/etc/outer-apt.conf"}, ca.pem)
	if err != nil {
		t.Fatal(err)
	}
	defer trust.Remove()
	err = filepath.WalkDir(trust.root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o644)
		if d.IsDir() {
			want = 0o755
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
		data, _ := os.ReadFile(path)
		if bytes.Contains(data, []byte("PRIVATE KEY")) {
			t.Errorf("%s holds a private key", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	apt, _ := os.ReadFile(trust.AptConfig)
	if want := "#include \"/etc/outer-apt.conf\";\nAcquire::https::CAInfo " + strconv.Quote(trust.Bundle) + ";\n"; string(apt) != want {
		t.Errorf("apt.conf %q, want %q", apt, want)
	}
	if err := trust.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(trust.Bundle); err == nil {
		t.Error("the bundle is still there")
	}
	if _, err := ReadRoots(nil).Write(nil, []byte("no PEM")); err == nil {
		t.Error("an authority that is none was written")
	}
}

// jksOf returns a JKS file with one trusted certificate, behind a key entry.
func jksOf(der []byte) []byte {
	u32 := func(n int) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }
	text := func(s string) []byte { return append([]byte{0, byte(len(s))}, s...) }
	cert := slices.Concat(text("X.509"), u32(len(der)), der)
	return slices.Concat([]byte{0xfe, 0xed, 0xfe, 0xed}, u32(2), u32(2),
		u32(1), text("key"), make([]byte, 8), u32(3), []byte("key"), u32(1), slices.Concat(text("X.509"), u32(1), []byte("x")),
		u32(2), text("root"), make([]byte, 8), cert, make([]byte, 20))
}

func FuzzReadJKS(f *testing.F) {
	f.Add(jksOf([]byte("certificate")))
	f.Add([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, err := readJKS(data)
		n := 0
		for _, c := range certs {
			n += len(c)
		}
		if n > len(data) || err != nil && certs != nil {
			t.Errorf("%d bytes from %d, %v", n, len(data), err)
		}
	})
}

func FuzzAddPEM(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nProc-Type: 4\n\nAAAA\n-----END CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for rest := data; ; {
			der, next := nextCertificate(rest)
			if der == nil {
				return
			}
			if len(next) >= len(rest) {
				t.Fatal("no progress")
			}
			rest = next
		}
	})
}

func TestWhereFilesAre(t *testing.T) {
	ca := newAuthority(t)
	write := func(want string) {
		t.Helper()
		trust, err := ReadRoots(nil).Write(nil, ca.pem)
		if err != nil {
			t.Fatal(err)
		}
		defer trust.Remove()
		if filepath.Dir(trust.root) != want {
			t.Errorf("%s, want it in %s", trust.root, want)
		}
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	write(dir)
	if info, err := os.Stat("/dev/shm"); runtime.GOOS == "linux" && err == nil && info.IsDir() {
		t.Setenv("TMPDIR", "")
		write("/dev/shm")
		t.Setenv("TMPDIR", filepath.Join(dir, "none"))
		write("/dev/shm")
	}
	if _, err := ReadRoots(nil).writeUnder(filepath.Join(dir, "none"), nil, ca.cert); err == nil {
		t.Error("files were written where nothing is")
	}
}
