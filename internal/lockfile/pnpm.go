package lockfile

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxYAML bounds what is read as YAML, which takes some 400 bytes for each part.
const maxYAML = 16 << 20

// readPNPM reads pnpm-lock.yaml of versions 5 to 9: the keys of packages are names
// and versions, each with its resolution
// (https://github.com/pnpm/spec/blob/master/lockfile). The rest of the file says
// who depends on whom, and is two thirds of it: it is not looked at.
func readPNPM(r *reader) error {
	if !bytes.HasPrefix(r.data, []byte("lockfileVersion:")) && !bytes.Contains(r.data, []byte("\nlockfileVersion:")) {
		return r.fail(0, "it has no lockfileVersion, so it is no lockfile of pnpm's")
	}
	// pnpm 11 writes a second document, about itself, before the project's.
	for start := 0; start >= 0; {
		section, offset, next := r.section(start, "packages:")
		if err := r.pnpmPackages(section, r.lineAt(offset)-1); err != nil {
			return err
		}
		start = next
	}
	return nil
}

// section returns the lines from the one that begins with key, after start, to the
// next that begins at the margin, and where to look for another one; -1 where
// there is none.
func (r *reader) section(start int, key string) (section []byte, offset, next int) {
	at := start
	if start > 0 || !bytes.HasPrefix(r.data, []byte(key)) {
		i := bytes.Index(r.data[start:], []byte("\n"+key))
		if i < 0 {
			return nil, 0, -1
		}
		at = start + i + 1
	}
	end := at
	for end < len(r.data) {
		i := bytes.IndexByte(r.data[end:], '\n')
		if i < 0 {
			end = len(r.data)
			break
		}
		end += i + 1
		if end < len(r.data) && strings.IndexByte(" \r\n#", r.data[end]) < 0 {
			break
		}
	}
	return r.data[at:end], at, max(end-1, at)
}

// pnpmPackages reads a section; before is how many lines come before it.
func (r *reader) pnpmPackages(section []byte, before int) error {
	if len(section) == 0 {
		return nil
	}
	if entries, ok := pnpmLines(section); ok {
		for i := range entries {
			if err := r.pnpmPackage(entries[i].key, &entries[i].pnpmValue, before+entries[i].line); err != nil {
				return err
			}
		}
		return nil
	}
	return r.pnpmYAML(section, before)
}

// pnpmYAML is pnpmPackages for whatever YAML has.
func (r *reader) pnpmYAML(section []byte, before int) error {
	if len(section) > maxYAML {
		return r.failLine(before+1, 1, "its packages take more than %d MiB", maxYAML>>20)
	}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(section)).Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return r.badYAML(err, before)
	}
	if len(doc.Content) == 0 || len(doc.Content[0].Content) != 2 {
		return nil
	}
	packages := doc.Content[0].Content[1]
	for i := 0; i+1 < len(packages.Content); i += 2 {
		key, value := packages.Content[i], packages.Content[i+1]
		if value.Kind != yaml.MappingNode {
			return r.failLine(before+key.Line, key.Column, "a package without its resolution")
		}
		if err := r.pnpmPackage(key.Value, pnpmOf(value), before+key.Line); err != nil {
			return err
		}
	}
	return nil
}

var yamlLine = lazily(`^yaml: line (\d+): `)

func (r *reader) badYAML(err error, before int) error {
	text, line := err.Error(), before+1
	if m := yamlLine().FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // digits
		line, text = before+n, text[len(m[0]):]
	}
	return r.failLine(line, 1, "it is not YAML: %s", strings.TrimPrefix(text, "yaml: "))
}

func pnpmOf(n *yaml.Node) *pnpmValue {
	r := field(n, "resolution")
	return &pnpmValue{
		kind: text(r, "type"), directory: text(r, "directory"), repo: text(r, "repo"), commit: text(r, "commit"),
		tarball: text(r, "tarball"), integrity: text(r, "integrity"), name: text(n, "name"), version: text(n, "version"),
	}
}

func (r *reader) pnpmPackage(key string, v *pnpmValue, line int) error {
	tarball := v.tarball
	switch {
	case v.kind == "directory" || v.directory != "":
		return nil
	case v.kind != "" || v.repo != "":
		r.elsewhere(line, "git", strings.TrimSpace(v.repo+" "+v.commit))
		return nil
	}
	if kind, local := kindOf(tarball); local {
		return nil
	} else if kind == "" {
		tarball = "" // relative to the registry
	}
	name, version := pnpmName(key)
	if v.name != "" { // beside keys that are addresses
		name, version = v.name, v.version
	}
	if kind, local := kindOf(version); local || strings.HasPrefix(key, "file:") {
		return nil
	} else if kind != "" {
		r.elsewhere(line, kind, version)
		return nil
	}
	return r.add(name, version, Entry{Line: line, URL: tarball, Integrity: v.integrity})
}

// pnpmName reads a key: NAME@VERSION(PEERS) since version 6, with a slash in front
// before version 9, and /NAME/VERSION_PEERS before version 6, where another
// registry's host may stand in front.
func pnpmName(key string) (name, version string) {
	key, _, _ = strings.Cut(key, "(")
	slash := strings.LastIndexByte(key, '/')
	if slash > 0 && slash+1 < len(key) && '0' <= key[slash+1] && key[slash+1] <= '9' && !strings.Contains(key, ":") {
		if name := key[:slash]; strings.LastIndexByte(name, '@') <= strings.LastIndexByte(name, '/')+1 {
			version, _, _ = strings.Cut(key[slash+1:], "_")
			return pnpmOldName(name), version
		}
	}
	key = strings.TrimPrefix(key, "/")
	i := strings.IndexByte(key[min(1, len(key)):], '@') + 1
	if i <= 0 {
		return key, ""
	}
	return key[:i], key[i+1:]
}

// pnpmOldName takes the host off the front of a name.
func pnpmOldName(path string) string {
	path = strings.TrimPrefix(path, "/")
	if i := strings.Index(path, "@"); i >= 0 {
		return path[i:]
	}
	return path[strings.LastIndexByte(path, '/')+1:]
}

// field returns a member of a mapping, or nil.
func field(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func text(n *yaml.Node, key string) string {
	if v := field(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}
