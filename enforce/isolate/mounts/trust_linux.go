package mounts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce/isolate/truststore"
	"golang.org/x/sys/unix"
)

// Where the systems keep their trust stores: Debian and what follows it, Red
// Hat, SUSE, Alpine, Arch (crypto/x509/root_linux.go has the same list).
var (
	trustDirs    = []string{"/etc/ssl/certs", "/etc/pki/tls/certs", "/usr/lib/ssl/certs", "/var/lib/ca-certificates/openssl"}
	trustBundles = []string{
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/tls/cert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem",
		"/var/lib/ca-certificates/ca-bundle.pem", "/etc/ssl/cert.pem", "/usr/lib/ssl/cert.pem",
	}
	javaStores = []string{
		"/etc/ssl/certs/java/cacerts", "/etc/pki/java/cacerts", "/etc/pki/ca-trust/extracted/java/cacerts",
		"/usr/lib/jvm/*/lib/security/cacerts", "/usr/lib/jvm/*/jre/lib/security/cacerts",
		"/opt/*/lib/security/cacerts", "/opt/java/*/lib/security/cacerts",
	}
)

// alias and fileName are how the certificate is called in the stores.
const (
	alias    = "proxaudit"
	fileName = "proxaudit.pem"
)

// content is what a file of a store is to hold, or why it cannot be extended.
type content struct {
	path string
	data []byte
	err  error
}

// extend begins to work out what Java's stores are to hold, besides the other
// steps: that takes as long as they, and only reads. trust waits for it. It comes
// after the step that may hide a store for a moment.
func (t *tree) extend() error {
	if len(t.plan.CA) == 0 {
		return nil
	}
	cert, err := truststore.Certificate(t.plan.CA)
	if err != nil {
		return fmt.Errorf("read the run's certificate: %w", err)
	}
	t.cert, t.java = cert, make(chan []content, 1)
	go func() {
		stores := slices.Clone(javaStores)
		for _, home := range t.plan.JavaHomes {
			stores = append(stores, filepath.Join(home, "lib/security/cacerts"), filepath.Join(home, "jre/lib/security/cacerts"))
		}
		t.java <- changed(stores, func(old []byte) ([]byte, error) { return truststore.Java(old, alias, cert) })
	}()
	return nil
}

// changed returns what the files that exist hold after a change.
func changed(patterns []string, change func([]byte) ([]byte, error)) []content {
	var all []content
	for _, path := range existing(patterns) {
		c := content{path: path}
		if c.data, c.err = os.ReadFile(path); c.err == nil {
			c.data, c.err = change(c.data)
		}
		all = append(all, c)
	}
	return all
}

// trust adds the certificate to every store of the system. A store that cannot
// be extended is left as it was, with a warning: its users will not get through.
func (t *tree) trust() error {
	if t.cert == nil {
		return nil
	}
	s := &stores{tree: t, layers: map[string]string{}}
	for _, dir := range existing(trustDirs) {
		t.warn(s.directory(dir), "add the certificate to "+dir)
	}
	bundles := changed(trustBundles, func(old []byte) ([]byte, error) { return truststore.Bundle(old, t.cert), nil })
	for _, c := range slices.Concat(bundles, <-t.java) {
		t.warn(s.replace(c), "add the certificate to "+c.path)
	}
	if len(bundles) == 0 {
		t.warn(s.alone(), "make a trust store")
	}
	for _, dir := range existing(browserDirs) {
		t.warn(s.browser(dir), "add the certificate to the policies in "+dir)
	}
	s.mount()
	return nil
}

// stores gathers, for each directory, a layer of changed files to lay over it.
type stores struct {
	*tree
	layers map[string]string
	dirs   []string
}

// directory prepares a directory in which OpenSSL finds a certificate by the
// hash of its subject, and others by reading every file.
func (s *stores) directory(dir string) error {
	hash, err := truststore.SubjectHash(s.cert)
	if err != nil {
		return err
	}
	layer, err := s.layer()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(layer, fileName), truststore.PEM(s.cert), 0o644); err != nil {
		return err
	}
	n := 0
	for ; ; n++ { // two subjects may have one hash; OpenSSL counts on (c_rehash(1))
		_, err := os.Lstat(filepath.Join(dir, fmt.Sprintf("%s.%d", hash, n)))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := os.Symlink(fileName, filepath.Join(layer, fmt.Sprintf("%s.%d", hash, n))); err != nil {
		return err
	}
	s.layers[dir] = layer
	s.dirs = append(s.dirs, dir)
	return nil
}

// replace shows another content for a file: in the layer of its directory where
// there is one, else by a bind over it.
func (s *stores) replace(c content) error {
	if c.err != nil {
		return c.err
	}
	for _, dir := range s.dirs {
		if under(c.path, dir) {
			rel, err := filepath.Rel(dir, c.path)
			if err != nil {
				return err
			}
			return writeUnder(s.layers[dir], rel, c.data)
		}
	}
	file, err := s.file(c.data)
	if err != nil {
		return err
	}
	return bind(file, c.path)
}

// alone writes a bundle of one where the system has none at all.
func (s *stores) alone() error {
	if len(s.dirs) == 0 {
		return errors.New("the system has none; only the variables tell tools of the certificate")
	}
	return writeUnder(s.layers[s.dirs[0]], "ca-certificates.crt", truststore.PEM(s.cert))
}

func writeUnder(dir, rel string, data []byte) error {
	path := filepath.Join(dir, rel)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// mount lays the layers over their directories. Root may install certificates,
// into the jail's copy.
func (s *stores) mount() {
	for _, dir := range s.dirs {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = s.overlay(dir, fdPath(fd), s.layers[dir], !s.plan.Root)
			unix.Close(fd)
		}
		if err != nil && s.copied(dir) != nil {
			// What is left is to bind the files that have a counterpart.
			s.warn(err, "add the certificate to "+dir)
			s.bindLayer(dir)
		}
	}
}

func (s *stores) bindLayer(dir string) {
	layer := s.layers[dir]
	err := filepath.WalkDir(layer, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(layer, path)
		if err != nil {
			return err
		}
		if target := filepath.Join(dir, rel); exists(target) {
			return bind(path, target)
		}
		return nil
	})
	s.warn(err, "add the certificate to "+dir)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// existing returns the real paths of what there is, each once.
func existing(patterns []string) []string {
	var all []string
	for _, pattern := range patterns {
		matches := []string{pattern}
		if strings.Contains(pattern, "*") {
			matches, _ = filepath.Glob(pattern) // it fails on bad patterns only
		}
		for _, m := range matches {
			if real, err := realPath(m); err == nil && !slices.Contains(all, real) {
				all = append(all, real)
			}
		}
	}
	return all
}

// realPath follows all links, as filepath.EvalSymlinks does, but has the kernel do
// it: most of what is asked for is not there, and the rest lies deep.
func realPath(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return os.Readlink(fdPath(fd))
}
