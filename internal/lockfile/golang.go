package lockfile

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
)

// toolchain is the module that the go command fetches to become another version
// of itself (https://go.dev/doc/toolchain#module).
const toolchain = "golang.org/toolchain"

// readGoSum reads go.sum: for each module a line with the digest of its files and
// one of its go.mod (https://go.dev/ref/mod#go-sum-files). Where only the latter is
// there, the module takes part in choosing versions and its files are not read.
func readGoSum(r *reader) error {
	whole := map[string]bool{}
	err := r.lines(func(n int, line string) error {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			return nil
		}
		if len(fields) != 3 || !strings.HasPrefix(fields[2], "h") || !strings.Contains(fields[2], ":") {
			return r.failLine(n, 1, "it is no line of a go.sum: a module, its version and a digest are wanted")
		}
		e := Entry{Line: n, Integrity: fields[2]}
		version, mod := strings.CutSuffix(fields[1], "/go.mod")
		if mod {
			e.ModFile = modFile(fields[0], version)
		} else {
			whole[ecosystem.Purl(r.Type, fields[0], version)] = true
		}
		return r.add(fields[0], version, e)
	})
	r.Entries = slices.DeleteFunc(r.Entries, func(e Entry) bool { return e.ModFile != "" && whole[e.Package] })
	return err
}

// modFile is where a proxy has a go.mod (https://go.dev/ref/mod#goproxy-protocol).
// It is empty where there can be none.
func modFile(path, version string) string {
	escaped, err := module.EscapePath(path)
	escapedVersion, verr := module.EscapeVersion(version)
	if err != nil || verr != nil {
		return ""
	}
	return escaped + "/@v/" + escapedVersion + ".mod"
}

// readGoMod reads go.mod. It names the modules that the build takes packages from,
// and what it is to be built with; go.sum names those, too, of which the go.mod
// is read.
func readGoMod(r *reader) error {
	f, err := modfile.Parse(r.Path, r.data, nil)
	var list modfile.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		return r.failLine(list[0].Pos.Line, list[0].Pos.LineRune, "%v", list[0].Err)
	} else if err != nil {
		return r.fail(0, "%v", err)
	}
	if err := r.toolchain(f); err != nil {
		return err
	}
	replaced := map[module.Version]bool{}
	for _, x := range f.Replace {
		replaced[x.Old] = true
		if x.New.Version == "" {
			continue // a folder
		}
		if err := r.add(x.New.Path, x.New.Version, Entry{Line: x.Syntax.Start.Line}); err != nil {
			return err
		}
	}
	for _, x := range f.Require {
		if replaced[x.Mod] || replaced[module.Version{Path: x.Mod.Path}] {
			continue
		}
		if err := r.add(x.Mod.Path, x.Mod.Version, Entry{Line: x.Syntax.Start.Line}); err != nil {
			return err
		}
	}
	return nil
}

// toolchain notes the version of Go that the module asks for, which an older go
// command fetches: for this machine's system, which nobody knows who reads this.
func (r *reader) toolchain(f *modfile.File) error {
	name, line := "", 0
	if f.Go != nil {
		name, line = "go"+f.Go.Version, f.Go.Syntax.Start.Line
	}
	if f.Toolchain != nil {
		name, line = f.Toolchain.Name, f.Toolchain.Syntax.Start.Line
	}
	if !toolchainName().MatchString(name) {
		return nil
	}
	return r.addEntry(Entry{Package: "pkg:golang/" + toolchain + "@v0.0.1-" + name + ".*", Line: line})
}

// toolchainName is that of a release or a release candidate.
var toolchainName = lazily(`^go1\.[0-9]+(?:\.[0-9]+|rc[0-9]+)$`)
