package clientenv

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// Write writes the files of Trust into a new directory: the roots and the run's
// authority, the one PEM certificate in authority. Call Remove at the end of the
// run.
//
// Only the owner can change the files; everyone can read them, for they hold no
// secret, and commands that give up rights (apt's _apt, su, sudo -u) must.
func (r *Roots) Write(outer []string, authority []byte) (t Trust, err error) {
	block, _ := pem.Decode(authority)
	if block == nil || block.Type != "CERTIFICATE" {
		return Trust{}, errors.New("the certificate authority is not a PEM certificate")
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Trust{}, fmt.Errorf("parse the certificate authority: %w", err)
	}
	var errs []error
	for _, parent := range parents() {
		if t, err = r.writeUnder(parent, outer, ca); err == nil {
			return t, nil
		}
		errs = append(errs, err)
	}
	return Trust{}, errors.Join(errs...)
}

// parents are where the directory may be, best first. Where nobody says, it is in
// memory on Linux, open to all as /tmp is (shm_overview(7)): to make files on a
// disk and to remove them takes a run some milliseconds, and the disk's other
// users may make it wait. It is there too where the directory that was named is
// full, or is none.
func parents() []string {
	switch {
	case runtime.GOOS != "linux":
		return []string{os.TempDir()}
	case os.Getenv("TMPDIR") == "":
		return []string{"/dev/shm", os.TempDir()}
	default:
		return []string{os.TempDir(), "/dev/shm"}
	}
}

func (r *Roots) writeUnder(parent string, outer []string, ca *x509.Certificate) (t Trust, err error) {
	if t.root, err = os.MkdirTemp(parent, "proxaudit-"); err != nil {
		return Trust{}, fmt.Errorf("make the directory for the run's certificates: %w", err)
	}
	w := &writer{root: t.root}
	w.keep(os.Chmod(t.root, 0o755))
	certs := r.certs
	if !r.seen[string(ca.Raw)] {
		certs = append(certs[:len(certs):len(certs)], ca.Raw)
	}
	t.Bundle = w.file("bundle.pem", slices.Concat(r.text, []byte("\n"), bundle(certs[r.inText:])))
	t.Dir = w.hashed("certs", ca)
	t.JavaStore = w.file("roots.p12", javaStore(certs))
	t.AptConfig = w.file("apt.conf", aptConfiguration(lookup(outer, "APT_CONFIG"), t.Bundle))
	t.Wgetrc = w.file("wgetrc", wgetConfiguration(lookup(outer, "SYSTEM_WGETRC"), t.Bundle))
	t.PHPIni = w.php(t.Bundle)
	if w.err != nil {
		return Trust{}, errors.Join(fmt.Errorf("write the run's certificates: %w", w.err), t.Remove())
	}
	return t, nil
}

// Remove removes the files.
func (t Trust) Remove() error {
	if t.root == "" {
		return nil
	}
	return os.RemoveAll(t.root)
}

// writer writes files into root and keeps the first error.
type writer struct {
	root string
	err  error
}

func (w *writer) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) file(name string, data []byte) string {
	path := filepath.Join(w.root, name)
	w.keep(os.WriteFile(path, data, 0o644))
	w.keep(os.Chmod(path, 0o644)) // whatever the umask
	return path
}

// hashed writes a directory as openssl-rehash(1) leaves it.
func (w *writer) hashed(name string, ca *x509.Certificate) string {
	dir := filepath.Join(w.root, name)
	w.keep(os.Mkdir(dir, 0o755))
	w.keep(os.Chmod(dir, 0o755))
	hash, err := SubjectHash(ca.RawSubject)
	w.keep(err)
	w.file(filepath.Join(name, hash+".0"), bundle([][]byte{ca.Raw}))
	return dir
}

// php writes a directory with a php.ini, in which a value of any other stands.
func (w *writer) php(bundle string) string {
	dir := filepath.Join(w.root, "php")
	w.keep(os.Mkdir(dir, 0o755))
	w.keep(os.Chmod(dir, 0o755))
	w.file(filepath.Join("php", "proxaudit.ini"), fmt.Appendf(nil, "curl.cainfo = \"%[1]s\"\nopenssl.cafile = \"%[1]s\"\n", bundle))
	return dir
}

func bundle(certs [][]byte) []byte {
	var b bytes.Buffer
	for _, der := range certs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a Buffer does not fail
	}
	return b.Bytes()
}

// aptConfiguration includes the file that APT_CONFIG named. Configuration that
// apt reads afterwards wins (apt.conf(5)).
func aptConfiguration(outer, bundle string) []byte {
	var b bytes.Buffer
	if outer != "" {
		fmt.Fprintf(&b, "#include %q;\n", outer)
	}
	fmt.Fprintf(&b, "Acquire::https::CAInfo %q;\n", bundle)
	return b.Bytes()
}

// wgetConfiguration extends the machine's wgetrc. The user's own is read after
// it and wins.
func wgetConfiguration(outer, bundle string) []byte {
	var b bytes.Buffer
	for _, path := range []string{outer, "/etc/wgetrc", "/usr/local/etc/wgetrc"} {
		if data, err := os.ReadFile(path); err == nil {
			b.Write(data)
			b.WriteByte('\n')
			break
		}
	}
	fmt.Fprintf(&b, "ca_certificate = %s\n", bundle)
	return b.Bytes()
}
