package clientenv

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Roots are the certificate authorities that the command would trust without
// this program: the system's and those that the outer environment names. They
// are what upstream connections are verified against, and what the command is
// given, together with the run's own.
type Roots struct {
	// Warnings say which files that the outer environment names could not be
	// used. A variable that names a missing file is common, and the client
	// would have ignored it or failed by itself; so this is no error.
	Warnings []error

	certs  [][]byte // DER
	system int      // so many of certs are the system's
	text   []byte   // the system's own file
	inText int      // so many of certs are in it
	seen   map[string]bool
	files  map[string]bool
}

// ReadRoots reads the system's roots, and adds those in the files that outer's
// variables and the user's and the machine's configuration of known clients
// name. Configuration inside a project is not read: a checkout must not add to
// what is trusted.
func ReadRoots(outer []string) *Roots {
	r := &Roots{seen: map[string]bool{}, files: map[string]bool{}}
	for _, path := range systemBundles() {
		if data, err := os.ReadFile(path); err == nil && r.addPEM(data, false) == nil {
			r.files[path], r.text, r.inText = true, data, len(r.certs)
			break
		}
	}
	for _, der := range systemStore() {
		r.add(der)
	}
	r.system = len(r.certs)
	for _, s := range outerFiles(outer) {
		r.addFile(s)
	}
	if len(r.certs) == 0 {
		r.Warnings = append(r.Warnings, errors.New("no root certificates found on this system: install the ca-certificates package, or name a bundle in SSL_CERT_FILE"))
	}
	return r
}

// Pool returns the roots for verifying upstream servers. It parses every
// certificate (about 2 ms for a system's usual set), so call it when the first
// connection needs it.
func (r *Roots) Pool() *x509.CertPool {
	pool, rest := systemPool(r.certs, r.system)
	for _, der := range rest {
		if c, err := x509.ParseCertificate(der); err == nil {
			pool.AddCert(c)
		}
	}
	return pool
}

// addFile adds what a file holds, or every file of a directory.
func (r *Roots) addFile(s source) {
	path := s.path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if r.files[path] || r.files[s.path] {
		return
	}
	r.files[path] = true
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case info.IsDir():
		err = r.addDir(path)
	case s.java:
		err = r.addJava(path, s.password)
	default:
		var data []byte
		if data, err = os.ReadFile(path); err == nil {
			err = r.addPEM(data, true)
		}
	}
	if err != nil {
		r.Warnings = append(r.Warnings, fmt.Errorf("%s names %s, which was left out: %w", s.from, s.path, unwrapped(err)))
	}
}

// addDir adds the certificates in a directory such as SSL_CERT_DIR names; files
// of other kinds may lie there too.
func (r *Roots) addDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if data, err := os.ReadFile(path); err == nil {
			_ = r.addPEM(data, true)
		}
	}
	return nil
}

var errNoCertificate = errors.New("no PEM certificate in it")

// addPEM adds the certificates in data. With check, one that Go cannot parse is
// an error and left out: one bad entry makes some clients refuse a whole bundle.
func (r *Roots) addPEM(data []byte, check bool) error {
	found, bad := 0, error(nil)
	for {
		var der []byte
		if der, data = nextCertificate(data); der == nil {
			break
		}
		if check && !r.seen[string(der)] {
			if _, err := x509.ParseCertificate(der); err != nil {
				bad = err
				continue
			}
		}
		r.add(der)
		found++
	}
	if found == 0 && bad == nil {
		return errNoCertificate
	}
	return bad
}

var (
	pemBegin = []byte("-----BEGIN CERTIFICATE-----")
	pemEnd   = []byte("-----END CERTIFICATE-----")
)

// nextCertificate returns the first certificate in PEM text and what follows
// it. What a bundle usually holds is decoded directly, in a third of the time
// that pem.Decode takes; everything else is left to that.
func nextCertificate(data []byte) (der, rest []byte) {
	for {
		i := bytes.Index(data, pemBegin)
		if i < 0 {
			return nil, nil
		}
		body := data[i+len(pemBegin):]
		end := bytes.Index(body, pemEnd)
		if end < 0 {
			return nil, nil
		}
		rest = body[end+len(pemEnd):]
		der = make([]byte, base64.StdEncoding.DecodedLen(end))
		if n, err := base64.StdEncoding.Decode(der, body[:end]); err == nil && n > 0 {
			return der[:n], rest
		}
		if block, _ := pem.Decode(data[i : len(data)-len(rest)]); block != nil {
			return block.Bytes, rest
		}
		data = rest
	}
}

func (r *Roots) add(der []byte) {
	if key := string(der); !r.seen[key] {
		r.seen[key] = true
		r.certs = append(r.certs, der)
	}
}

// unwrapped takes the operation and the path off err, which is said already.
func unwrapped(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
