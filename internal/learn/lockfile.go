package learn

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/lockfile"
)

// lock adds what lockfiles name to what was seen. A package that both know is one
// line; one that was seen and that no lockfile of its ecosystem names is marked.
func (l *Learner) lock(d *draft) error {
	l.unplaced = nil
	types := map[string][]*lockfile.Lockfile{}
	for _, f := range l.options.Lockfiles {
		types[f.Type] = append(types[f.Type], f)
	}
	for _, typ := range slices.Sorted(maps.Keys(types)) {
		files := types[typ]
		bases := l.lockRegistries(d, typ, files)
		for i, f := range files {
			if len(bases) == 0 && len(f.Entries) > 0 {
				l.unplaced = append(l.unplaced, f)
			}
			var err error
			if files[i], err = f.At(bases); err != nil {
				return fmt.Errorf("learning a policy: %w", err)
			}
		}
		l.lockPackages(d, files, bases)
		markUnlocked(d, typ, files)
		for _, f := range files {
			if err := l.lockBeside(d, f, bases); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(d.packages, func(a, b *packageLine) int { return cmp.Compare(a.purl, b.purl) })
	slices.SortFunc(d.registries, func(a, b *registry) int { return cmp.Or(cmp.Compare(a.typ, b.typ), cmp.Compare(a.url, b.url)) })
	slices.SortFunc(d.beside, func(a, b *besideLine) int {
		return cmp.Or(a.compare(b.endpoint), cmp.Compare(a.why, b.why), slices.Compare(a.paths, b.paths))
	})
	slices.SortFunc(d.left[kindElsewhere], func(a, b *leftLine) int { return cmp.Or(cmp.Compare(a.text, b.text), cmp.Compare(a.why, b.why)) })
	return nil
}

// lockRegistries returns where packages of a type come from: what traffic showed
// and the options name, else what the lockfiles record. A client that reads from
// the recorded address whatever it is set up to use does so in any case, and so do
// clients that have one more registry for some packages: only the one that most of
// a lockfile is recorded from may have a mirror named in its place.
func (l *Learner) lockRegistries(d *draft, typ string, files []*lockfile.Lockfile) []string {
	var bases []string
	for _, r := range d.registries {
		if r.typ == typ {
			bases = append(bases, r.url)
		}
	}
	add := func(base, note string) {
		if !slices.Contains(bases, base) {
			bases = append(bases, base)
			d.registries = append(d.registries, &registry{typ: typ, url: base, lock: note})
		}
	}
	for _, base := range l.options.Registries[typ] {
		add(base, "for "+fileNames(files))
	}
	seen := len(bases) > 0
	for _, f := range files {
		mirrored := f.Mirrored(bases)
		for _, r := range f.Registries {
			switch {
			case r.Fixed, !seen:
				add(r.URL, "in "+f.Name)
			case r.URL != mirrored:
				add(r.URL, fmt.Sprintf("in %s, for %s", f.Name, count(r.Packages, "package")))
			}
		}
	}
	return bases
}

// fileNames names lockfiles, each name once.
func fileNames(files []*lockfile.Lockfile) string {
	var names []string
	for _, f := range files {
		names = addWord(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// locked counts the rules that are there for lockfiles alone.
func (d *draft) locked() int {
	n := len(d.beside)
	for _, line := range d.packages {
		if line.locked != nil && line.requests == 0 {
			n++
		}
	}
	return n
}

// Unplaced returns the lockfiles whose packages nothing that was learned says the
// registry of, once the policy is written. Their rules let nothing through.
func (l *Learner) Unplaced() []*lockfile.Lockfile {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unplaced
}
