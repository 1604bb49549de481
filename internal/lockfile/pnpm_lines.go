package lockfile

import (
	"bytes"
	"strings"
)

// pnpm writes its packages in few of the forms that YAML has: each key on a line of
// its own, with two spaces before it, its members with four, the resolution in braces
// on one line. Lines of these forms are read here; where any line has another one,
// nothing is, and the YAML reader has the section. It takes three times as long.

// pnpmValue is what is read of a package.
type pnpmValue struct {
	kind, directory, repo, commit, tarball, integrity string // of its resolution
	name, version                                     string
}

// pnpmEntry is a package, and the line of its key in the section, from 1.
type pnpmEntry struct {
	key  string
	line int
	pnpmValue
	// resolved is true once it has a resolution.
	resolved bool
}

// pnpmLines reads a section. It returns false where that takes a YAML reader.
func pnpmLines(section []byte) ([]pnpmEntry, bool) {
	var out []pnpmEntry
	whole := false // what is read of the last member is all of it
	line := 0
	for len(section) > 0 {
		text, rest, _ := bytes.Cut(section, []byte("\n"))
		section = rest
		line++
		if bytes.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
			return nil, false
		}
		s := string(text)
		trimmed := strings.TrimLeft(s, " ")
		switch depth := len(s) - len(trimmed); {
		case line == 1:
			if s != "packages:" {
				return nil, false
			}
		case trimmed == "":
		case trimmed[0] == '#':
			return nil, false
		case depth == 2:
			key, ok := pnpmKey(trimmed)
			if !ok || len(out) > maxEntries || len(out) > 0 && !out[len(out)-1].resolved {
				return nil, false
			}
			out, whole = append(out, pnpmEntry{key: key, line: line}), true
		case depth == 4 && len(out) > 0:
			var ok bool
			if whole, ok = out[len(out)-1].member(trimmed); !ok {
				return nil, false
			}
		case depth > 4 && !whole && len(out) > 0: // of a member that is not looked at
		default:
			return nil, false
		}
	}
	return out, len(out) == 0 || out[len(out)-1].resolved
}

// pnpmKey reads KEY: or 'KEY':.
func pnpmKey(text string) (string, bool) {
	key, ok := strings.CutSuffix(text, ":")
	if inner, quoted := strings.CutPrefix(key, "'"); quoted {
		inner, closed := strings.CutSuffix(inner, "'")
		return inner, ok && closed && !strings.Contains(inner, "'")
	}
	return key, ok && (isPlain(key) || strings.HasPrefix(key, "/") && isPlain(key[1:]))
}

// member reads a member of a package. Whole is true where its lines cannot go on.
func (e *pnpmEntry) member(text string) (whole, ok bool) {
	name, value, ok := strings.Cut(text, ":")
	if !ok || name == "" || strings.Trim(name, letters) != "" || value != "" && value[0] != ' ' {
		return false, false
	}
	value = strings.TrimLeft(value, " ")
	switch name {
	case "resolution":
		if e.resolved {
			return false, false
		}
		e.resolved = true
		return true, e.resolution(value)
	case "name", "version":
		to := &e.name
		if name == "version" {
			to = &e.version
		}
		if *to != "" || !isPlain(value) {
			return false, false
		}
		*to = value
		return true, true
	default:
		return false, isHarmless(value)
	}
}

// resolution reads {NAME: VALUE, NAME: VALUE}.
func (e *pnpmEntry) resolution(text string) bool {
	text, open := strings.CutPrefix(text, "{")
	text, closed := strings.CutSuffix(text, "}")
	if !open || !closed {
		return false
	}
	for part := range strings.SplitSeq(text, ", ") {
		name, value, ok := strings.Cut(part, ": ")
		to := e.field(name)
		if !ok || to == nil || *to != "" || !isPlain(value) {
			return false
		}
		*to = value
	}
	return true
}

// field returns where a member of a resolution goes, nil for one that is not known.
func (v *pnpmValue) field(name string) *string {
	switch name {
	case "integrity":
		return &v.integrity
	case "tarball":
		return &v.tarball
	case "type":
		return &v.kind
	case "directory":
		return &v.directory
	case "repo":
		return &v.repo
	case "commit":
		return &v.commit
	}
	return nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// isPlain reports whether a text is a scalar to YAML as it stands, in braces too.
func isPlain(s string) bool {
	return s != "" && strings.IndexByte(letters+"0123456789", s[0]) >= 0 && !strings.HasSuffix(s, ":") &&
		strings.Trim(s, letters+"0123456789+/=._~@:()-") == ""
}

// isHarmless reports whether the value of a member that is not looked at ends with
// its line, or goes on in lines that are indented further.
func isHarmless(value string) bool {
	switch {
	case value == "" || strings.IndexByte(letters+"0123456789", value[0]) >= 0 || value == ">-" || value == "|-":
		return true
	case strings.Count(value, "'")%2 != 0 || strings.Count(value, `"`)%2 != 0 || strings.Contains(value, `\`):
		return false
	}
	last := value[len(value)-1]
	switch value[0] {
	case '{':
		return last == '}'
	case '[':
		return last == ']'
	case '\'', '"':
		return len(value) > 1 && last == value[0]
	}
	return false
}
