package clientenv

import (
	"bytes"
	"crypto/x509"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

const listSeparator = os.PathListSeparator

func systemBundles() []string { return nil }

func systemCertDir() string { return "" }

// systemStore returns what the ROOT store of the user and the machine holds.
// Windows fetches further roots when it needs them; those are not here.
func systemStore() [][]byte {
	name, err := windows.UTF16PtrFromString("ROOT")
	if err != nil {
		return nil
	}
	store, err := windows.CertOpenSystemStore(0, name)
	if err != nil {
		return nil
	}
	defer func() { _ = windows.CertCloseStore(store, 0) }()
	var all [][]byte
	var c *windows.CertContext
	for {
		if c, err = windows.CertEnumCertificatesInStore(store, c); err != nil || c == nil {
			return all
		}
		all = append(all, bytes.Clone(unsafe.Slice(c.EncodedCert, c.Length)))
	}
}

// systemPool returns the pool to start from and the certificates still to add.
func systemPool(certs [][]byte, system int) (*x509.CertPool, [][]byte) {
	if pool, err := x509.SystemCertPool(); err == nil {
		return pool, certs[system:]
	}
	return x509.NewCertPool(), certs
}
