package lockfile

import (
	"cmp"
	"path/filepath"
	"strings"

	"deps.dev/util/semver"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
)

// Includes of requirements are not followed, for what decides is what was named:
// see Lockfile.Includes.

var (
	requirement = lazily(`^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(.*)$`)
	pinned      = lazily(`^\(?\s*===?\s*([A-Za-z0-9.!+_-]+)\s*\)?$`)
	simple      = lazily(`^[0-9]+(?:\.[0-9]+)+$`)
)

// readRequirements reads requirements.txt as `pip-compile --generate-hashes` and
// `uv pip compile` write it
// (https://pip.pypa.io/en/stable/reference/requirements-file-format/). Each
// requirement must be pinned to one version.
func readRequirements(r *reader) error {
	var logical strings.Builder
	start := 0
	flush := func() error {
		line := logical.String()
		logical.Reset()
		return r.requirement(start, strings.TrimSpace(line))
	}
	err := r.lines(func(n int, line string) error {
		if logical.Len() == 0 {
			start = n
		}
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			line = ""
		}
		if more, ok := strings.CutSuffix(line, `\`); ok {
			logical.WriteString(more + " ")
			return nil
		}
		if i := strings.Index(line, " #"); i >= 0 {
			line = line[:i]
		}
		logical.WriteString(line)
		return flush()
	})
	if err != nil {
		return err
	}
	err = flush()
	r.sdists()
	return err
}

// requirement reads one logical line.
func (r *reader) requirement(n int, line string) error {
	switch {
	case line == "":
		return nil
	case line[0] == '-':
		return r.requirementOption(n, line)
	}
	if kind, local := kindOf(line); local {
		return nil
	} else if kind != "" {
		r.elsewhere(n, kind, line)
		return nil
	}
	wanted, options, _ := strings.Cut(line, " --")
	m := requirement().FindStringSubmatch(wanted)
	if m == nil {
		return r.failLine(n, 1, "it is no requirement")
	}
	name, rest := m[1], m[2]
	if address, ok := strings.CutPrefix(rest, "@"); ok {
		address = strings.TrimSpace(address)
		if kind, local := kindOf(address); !local {
			r.elsewhere(n, cmp.Or(kind, "url"), address)
		}
		return nil
	}
	var digests []string
	for word := range strings.FieldsSeq("--" + options) {
		if digest, ok := strings.CutPrefix(word, "--hash="); ok {
			digests = append(digests, digest)
		}
	}
	rest, _, _ = strings.Cut(rest, ";")
	version := pinned().FindStringSubmatch(strings.TrimSpace(rest))
	if version == nil {
		e := r.failLine(n, 1, "%s is not pinned to one version", name)
		e.Hint = "pip-compile --generate-hashes, or uv pip compile --generate-hashes, writes requirements that are"
		return e
	}
	return r.python(name, version[1], n, strings.Join(digests, " "))
}

// requirementOption reads a line that is an option.
func (r *reader) requirementOption(n int, line string) error {
	name, value, ok := strings.Cut(line, "=")
	if word, rest, spaced := strings.Cut(line, " "); spaced && (!ok || len(word) < len(name)) {
		name, value = word, rest
	}
	value = strings.Trim(strings.TrimSpace(value), `"'`)
	switch name {
	case "-r", "--requirement":
		r.Includes = append(r.Includes, Include{n, filepath.Join(filepath.Dir(r.Path), value)})
	case "-i", "--index-url", "--extra-index-url":
		r.registry(value, n)
	case "--no-binary":
		r.noBinary(value)
	case "-e", "--editable":
		if kind, local := kindOf(value); !local && kind != "" {
			r.elsewhere(n, kind, value)
		}
	}
	return nil
}

// python notes a package of which no file is named. A version that file names may
// spell in another way (1.0.post1 and 1.0-1, PEP 440) becomes a range that holds
// it alone, in whatever spelling.
func (r *reader) python(name, version string, line int, integrity string) error {
	if simple().MatchString(version) {
		return r.add(name, version, Entry{Line: line, Integrity: integrity})
	}
	if strings.Contains(version, "*") {
		return r.failLine(line, 1, "%s is not pinned to one version", name)
	}
	purl := ecosystem.PurlName("pypi", name)
	if purl == "" || ecosystem.Purl("pypi", name, version) == "" {
		r.elsewhere(line, "odd", name+" "+version)
		return nil
	}
	if !isPEP440(version) {
		return r.add(name, version, Entry{Line: line, Integrity: integrity}) // older than PEP 440
	}
	return r.addEntry(Entry{Package: purl + "@==" + version, Line: line, Integrity: integrity})
}

// isPEP440 reports whether a policy can compare version as Python does.
func isPEP440(version string) (ok bool) {
	defer func() {
		if recover() != nil { // the reader indexes what it has not measured
			ok = false
		}
	}()
	const longest = 200 // bytes
	_, verr := semver.PyPI.Parse(version)
	_, cerr := semver.PyPI.ParseConstraint("==" + version)
	return verr == nil && cerr == nil && len(version) <= longest
}
