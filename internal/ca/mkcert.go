package ca

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// MkcertFiles returns where mkcert keeps the certificate and the key of its
// authority: in $CAROOT, or else in the platform's folder for data, as `mkcert
// -CAROOT` prints it. It does not look whether they are there.
func MkcertFiles() (cert, key string, err error) {
	root, err := mkcertRoot(runtime.GOOS, os.Getenv)
	if err != nil {
		return "", "", err
	}
	return filepath.Join(root, "rootCA.pem"), filepath.Join(root, "rootCA-key.pem"), nil
}

// mkcertRoot follows getCAROOT in mkcert's main.go.
func mkcertRoot(goos string, getenv func(string) string) (string, error) {
	if root := getenv("CAROOT"); root != "" {
		return root, nil
	}
	var variable string
	var below []string
	switch {
	case goos == "windows":
		variable = "LocalAppData"
	case getenv("XDG_DATA_HOME") != "":
		variable = "XDG_DATA_HOME"
	case goos == "darwin":
		variable, below = "HOME", []string{"Library", "Application Support"}
	default:
		variable, below = "HOME", []string{".local", "share"}
	}
	dir := getenv(variable)
	if dir == "" {
		return "", errors.New("cannot tell where mkcert keeps its CA: set CAROOT, or name the files with -ca-cert and -ca-key")
	}
	return filepath.Join(append(append([]string{dir}, below...), "mkcert")...), nil
}
