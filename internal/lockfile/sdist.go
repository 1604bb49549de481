package lockfile

import (
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
)

// Sdist is a Python package that is built where it is installed. What it is built
// with is named by its pyproject.toml (PEP 518), and by no lockfile.
type Sdist struct {
	// Package is as in Entry.
	Package string
	Line    int
}

// noBinary takes the value of pip's --no-binary: names, or what stands for all or
// for none.
func (r *reader) noBinary(value string) {
	for name := range strings.SplitSeq(value, ",") {
		switch name = strings.TrimSpace(name); name {
		case ":none:":
			r.fromSource = nil
		case ":all:":
			r.fromSource = append(r.fromSource, "")
		default:
			r.fromSource = append(r.fromSource, ecosystem.PurlName("pypi", name))
		}
	}
}

// sdists notes the packages that --no-binary names.
func (r *reader) sdists() {
	for _, e := range r.Entries {
		name, _, _ := strings.Cut(e.Package, "@")
		if slices.Contains(r.fromSource, "") || slices.Contains(r.fromSource, name) {
			r.Sdists = append(r.Sdists, Sdist{e.Package, e.Line})
		}
	}
}
