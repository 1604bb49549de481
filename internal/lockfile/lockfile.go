// Package lockfile reads which packages a lockfile names: those that a package
// manager would fetch from a registry, by purl, with the line that names each.
//
// It must never touch the network, run a client, read a file that was not named
// to it, or take for a package of a registry what comes from elsewhere: folders,
// git, addresses of their own. Every reader is bounded in size, depth and count,
// and says file, line and column of what it cannot read.
package lockfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// maxSize bounds a lockfile, in bytes.
	maxSize = 64 << 20
	// maxEntries bounds what one lockfile may name.
	maxEntries = 200_000
	// maxDepth bounds nesting, which package-lock.json of version 1 has.
	maxDepth = 100
	// maxElsewhere bounds what is kept of things that are no packages.
	maxElsewhere = 1000
)

// Lockfile is a file that was read without mistakes. It does not change.
type Lockfile struct {
	// Path is as it was given. Name is its last element, by which rules are named.
	Path, Name string
	// Hash is "sha256:" and the digest of what was read, in hexadecimal.
	Hash string
	// Type is the purl type of all its packages.
	Type string
	// Entries are the packages, in the order of their lines, each purl once.
	Entries []Entry
	// Elsewhere is what the file names that is no package of a registry.
	Elsewhere []Elsewhere
	// Sdists are those of Entries of which the file shows that they are built from
	// source.
	Sdists []Sdist
	// Registries are the base URLs that the file records, the first seen first.
	Registries []Registry
	// Includes are files that this one includes, and that were not read: what is
	// read is what was named.
	Includes []Include
}

// Include is a file that another one includes.
type Include struct {
	Line int
	Path string // as the including file's folder makes it
}

// Entry is one package.
type Entry struct {
	// Package is the canonical purl, as internal/ecosystem spells it. For a Python
	// version that file names may spell in other ways, what follows the "@" is a
	// range that holds that version alone ("==1.0.post1").
	Package string
	Line    int
	// URL is the address that the file records for the package, if it does.
	URL string
	// Integrity is the digest that the file records, in its own words.
	Integrity string
	// ModFile is where a Go proxy has the go.mod, for a module of which nothing else
	// is read; else it is empty.
	ModFile string
}

// Elsewhere is a dependency that comes from no registry.
type Elsewhere struct {
	Line int
	// Kind is "git", "url", or "odd" for what no request could be named after.
	Kind string
	// Text is what the file says, not fit for a terminal.
	Text string
}

// Registry is a base URL that the file records.
type Registry struct {
	URL  string
	Line int // the first that shows it
	// Packages is how many addresses or entries show it.
	Packages int
	// Fixed is true where clients read from there whatever they are set up to use.
	Fixed bool
}

// Read reads the lockfile at path, once. The error is an *Error.
func Read(path string) (*Lockfile, error) {
	data, err := readFile(path)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, &Error{File: path, Message: "cannot read the lockfile: " + err.Error(), Hint: "-lockfile takes a file that a package manager wrote"}
	}
	return Parse(path, data)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > maxSize {
		return nil, fmt.Errorf("it is larger than %d MiB", maxSize>>20)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(data) > maxSize {
		err = fmt.Errorf("it is larger than %d MiB", maxSize>>20)
	}
	return data, err
}

// Digest returns the Hash that Read would give what is at path now.
func Digest(path string) (string, error) {
	data, err := readFile(path)
	if err != nil {
		return "", err
	}
	return digest(data), nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Parse reads data as the lockfile that path names: what kind it is shows in the
// last element. The error is an *Error.
func Parse(path string, data []byte) (l *Lockfile, err error) {
	name := filepath.Base(path)
	f := formatOf(name)
	if f == nil {
		return nil, &Error{File: path, Message: fmt.Sprintf("%q is the name of no lockfile that is known", name), Hint: "known are " + strings.Join(Names(), ", ")}
	}
	r := &reader{
		Lockfile: &Lockfile{Path: path, Name: name, Hash: digest(data), Type: f.typ},
		data:     data, entries: map[string]bool{}, bases: map[string]int{},
	}
	defer func() {
		// The YAML reader has panicked on hostile input before (CVE-2022-28948).
		if p := recover(); p != nil {
			l, err = nil, &Error{File: path, Message: fmt.Sprintf("it cannot be read: %v", p)}
		}
	}()
	if len(data) > maxSize {
		return nil, r.fail(0, "it is larger than %d MiB", maxSize>>20)
	}
	if err := f.read(r); err != nil {
		return nil, err
	}
	slices.SortStableFunc(r.Entries, func(a, b Entry) int { return a.Line - b.Line })
	return r.Lockfile, nil
}
