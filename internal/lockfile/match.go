package lockfile

import (
	"net/url"
	"strings"

	"deps.dev/util/semver"
)

// Index finds the packages of a lockfile by how requests name them.
type Index struct {
	exact map[string]*Entry
	// ranges has, by name, the Python packages whose version stands behind "==", and
	// the Go toolchains of any system.
	ranges map[string][]*Entry
	names  map[string]bool
}

// NewIndex returns the index of l.
func NewIndex(l *Lockfile) *Index {
	ix := &Index{exact: map[string]*Entry{}, ranges: map[string][]*Entry{}, names: map[string]bool{}}
	for i := range l.Entries {
		e := &l.Entries[i]
		name, version, _ := strings.Cut(e.Package, "@")
		ix.names[name] = true
		if strings.HasPrefix(version, "==") || strings.HasSuffix(version, ".*") {
			ix.ranges[name] = append(ix.ranges[name], e)
		} else {
			ix.exact[e.Package] = e
		}
	}
	return ix
}

// Has reports whether some version of a package is named; purl has none.
func (ix *Index) Has(purl string) bool { return ix.names[purl] }

// Find returns the entry of the package that purl names with its version, nil
// where there is none.
func (ix *Index) Find(purl string) *Entry {
	if e := ix.exact[purl]; e != nil {
		return e
	}
	name, version, _ := strings.Cut(purl, "@")
	if len(ix.ranges[name]) == 0 {
		return nil
	}
	version, err := url.PathUnescape(version)
	if err != nil {
		return nil
	}
	for _, e := range ix.ranges[name] {
		_, wanted, _ := strings.Cut(e.Package, "@")
		prefix, anySystem := strings.CutSuffix(wanted, "*")
		if anySystem && strings.HasPrefix(version, prefix) || samePython(version, strings.TrimPrefix(wanted, "==")) {
			return e
		}
	}
	return nil
}

// samePython reports whether PEP 440 takes a for another spelling of b.
func samePython(a, b string) (same bool) {
	defer func() {
		if recover() != nil { // the reader indexes what it has not measured
			same = false
		}
	}()
	va, err := semver.PyPI.Parse(a)
	if err != nil {
		return false
	}
	vb, err := semver.PyPI.Parse(b)
	return err == nil && va.Compare(vb) == 0
}
