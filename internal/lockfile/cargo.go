package lockfile

import "strings"

// readCargo reads Cargo.lock. The source of most packages is the name of a
// registry rather than an address (that of a git repository nobody fetches any
// more); "sparse+" stands before the address of an index that is read as it is
// (https://doc.rust-lang.org/cargo/reference/registries.html). A package without
// a source is a folder.
func readCargo(r *reader) error {
	return r.tables(func(t *table) error {
		if t.name != "package" {
			return nil
		}
		source := t.fields.get("source").text
		switch kind, address, _ := strings.Cut(source, "+"); kind {
		case "":
			return nil
		case "sparse":
			r.registry(address, t.line)
		case "registry":
		default:
			r.elsewhere(t.line, "git", source)
			return nil
		}
		return r.add(t.fields.get("name").text, t.fields.get("version").text, Entry{Line: t.line, Integrity: t.fields.get("checksum").text})
	})
}
