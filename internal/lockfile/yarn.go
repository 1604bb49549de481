package lockfile

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
)

// yarnEntry is one entry of yarn.lock: a line at the margin that ends in a colon,
// and the fields that are indented by two spaces.
type yarnEntry struct {
	line int
	key  string
	// version, resolved and integrity are of version 1, resolution and checksum of
	// later ones.
	version, resolved, integrity, resolution, checksum string
}

// readYarn reads yarn.lock, of version 1 and of Berry. Both are written line by
// line by one program each
// (https://github.com/yarnpkg/berry/tree/master/packages/yarnpkg-parsers); the
// second is YAML, of which it uses no more than this. What is indented further
// says who depends on whom.
func readYarn(r *reader) error {
	r.fixed = true // yarn 1 asks no registry where resolved has an address
	var e *yarnEntry
	for offset, line := 0, 1; offset < len(r.data); line++ {
		end := bytes.IndexByte(r.data[offset:], '\n')
		if end < 0 {
			end = len(r.data) - offset
		}
		text := strings.TrimRight(string(r.data[offset:offset+end]), "\r")
		offset += end + 1
		if !utf8.ValidString(text) || strings.HasPrefix(text, "<<<<<<<") || strings.HasPrefix(text, ">>>>>>>") {
			return r.failLine(line, 1, "it is no line of a yarn.lock: a merge that was not finished, or not UTF-8")
		}
		switch {
		case text == "" || text[0] == '#':
		case text[0] != ' ':
			if err := r.yarn(e); err != nil {
				return err
			}
			key, ok := strings.CutSuffix(text, ":")
			if !ok {
				return r.failLine(line, utf8.RuneCountInString(text), "an entry that does not end in a colon")
			}
			e = &yarnEntry{line: line, key: key}
		case e == nil:
			return r.failLine(line, 1, "a field before the first entry")
		case len(text) > 2 && text[:2] == "  " && text[2] != ' ' && !e.field(text[2:]):
			return r.failLine(line, 3, "a value that is not quoted as yarn does")
		}
	}
	return r.yarn(e)
}

// field reads NAME VALUE or NAME: VALUE. It returns false for a broken value.
func (e *yarnEntry) field(text string) bool {
	name, value, _ := strings.Cut(text, " ")
	var to *string
	switch strings.TrimSuffix(name, ":") {
	case "version":
		to = &e.version
	case "resolved":
		to = &e.resolved
	case "integrity":
		to = &e.integrity
	case "resolution":
		to = &e.resolution
	case "checksum":
		to = &e.checksum
	default:
		return true
	}
	plain, ok := unquote(value)
	*to = plain
	return ok
}

// unquote takes the quotes off, which are those of JSON.
func unquote(s string) (string, bool) {
	if !strings.HasPrefix(s, `"`) {
		return s, true
	}
	plain, err := strconv.Unquote(s)
	return plain, err == nil
}

// yarn notes an entry.
func (r *reader) yarn(e *yarnEntry) error {
	if e == nil || e.key == "__metadata" {
		return nil
	}
	if e.resolution != "" {
		return r.berry(e)
	}
	first, _, _ := strings.Cut(e.key, ", ")
	first, ok := unquote(first)
	if !ok || e.version == "" {
		return r.failLine(e.line, 1, "an entry without its version")
	}
	at := strings.IndexByte(first[min(1, len(first)):], '@') + 1
	if at == 0 {
		return r.failLine(e.line, 1, "an entry without a range")
	}
	name, wanted := first[:at], first[at+1:]
	if spec, ok := strings.CutPrefix(wanted, "npm:"); ok { // an alias
		name, _ = cutVersion(spec)
	}
	if e.resolved == "" {
		if kind, local := kindOf(wanted); local || kind != "" {
			return nil // a folder: git and addresses are always resolved
		}
	}
	return r.npm(npmEntry{name: name, version: e.version, resolved: e.resolved, integrity: e.integrity}, e.line)
}

// berry notes an entry by its resolution, NAME@npm:VERSION[::PARAMETERS]. A patch
// is of a package that has an entry of its own.
func (r *reader) berry(e *yarnEntry) error {
	at := strings.IndexByte(e.resolution[1:], '@') + 1
	if at == 0 {
		return r.failLine(e.line, 1, "a resolution without a reference")
	}
	name, reference := e.resolution[:at], e.resolution[at+1:]
	version, npm := strings.CutPrefix(reference, "npm:")
	if !npm {
		kind, local := kindOf(reference)
		if kind == "url" && strings.Contains(reference, "#commit=") {
			kind = "git"
		}
		if !local && kind != "" {
			r.elsewhere(e.line, kind, reference)
		}
		return nil
	}
	version, parameters, _ := strings.Cut(version, "::")
	entry := Entry{Line: e.line, Integrity: e.checksum}
	if values, err := url.ParseQuery(parameters); err == nil {
		if archive := values.Get("__archiveUrl"); archive != "" {
			r.file(archive, e.line, ecosystem.Purl(r.Type, name, version), true)
		}
	}
	return r.add(name, version, entry)
}
