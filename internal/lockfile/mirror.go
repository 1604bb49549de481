package lockfile

import "slices"

// Mirrored returns the registry of those that the file records in whose place a
// client reads from one of known: the one that most of the file is from, where none
// of them is known. It is "" where one is: the client reads what is recorded, then.
func (l *Lockfile) Mirrored(known []string) string {
	var most Registry
	for _, r := range l.Registries {
		switch {
		case r.Fixed:
		case slices.Contains(known, r.URL):
			return ""
		case r.Packages > most.Packages:
			most = r
		}
	}
	return most.URL
}

// Unnamed returns the registries that a client would read from by what the file
// records, and that are none of known.
func (l *Lockfile) Unnamed(known []string) []Registry {
	mirrored := l.Mirrored(known)
	var out []Registry
	for _, r := range l.Registries {
		if r.URL != mirrored && !slices.Contains(known, r.URL) {
			out = append(out, r)
		}
	}
	return out
}
