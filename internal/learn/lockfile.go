package learn

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/internal/lockfile"
	"github.com/juliendoutre/proxaudit/policy"
)

// besideLine is a rule for what a lockfile's client asks a registry besides
// packages.
type besideLine struct {
	endpoint
	method   string // empty for reads
	paths    []string
	files    []string
	why      string
	networks []netip.Prefix
}

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
// the recorded address whatever it is set up to use does so in any case.
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
		for _, r := range f.Registries {
			if r.Fixed || !seen {
				add(r.URL, "in "+f.Name)
			}
		}
	}
	return bases
}

// lockPackages adds the packages, and what lies elsewhere.
func (l *Learner) lockPackages(d *draft, files []*lockfile.Lockfile, bases []string) {
	networks := l.baseNetworks(bases)
	for _, f := range files {
		ix := lockfile.NewIndex(f)
		spelled := map[*lockfile.Entry]bool{}
		for _, line := range d.packages {
			if e := ix.Find(line.purl); e != nil {
				line.locked, spelled[e] = addWord(line.locked, f.Name), true
			}
		}
		for i := range f.Entries {
			e := &f.Entries[i]
			if spelled[e] || e.ModFile != "" {
				continue
			}
			if l.covers(e.Package, bases) {
				continue
			}
			d.packages = append(d.packages, &packageLine{purl: e.Package, networks: networks, locked: []string{f.Name}})
		}
		// What was seen without a version is the metadata of what is named.
		d.packages = slices.DeleteFunc(d.packages, func(line *packageLine) bool {
			return line.locked == nil && nameOf(line.purl) == line.purl && ix.Has(line.purl)
		})
		for _, e := range f.Elsewhere {
			d.elsewhere(f, e.Line, e.Text, elsewhereWords(e.Kind))
		}
	}
}

func elsewhereWords(kind string) string {
	switch kind {
	case "git":
		return "a git repository"
	case "url":
		return "an address of its own"
	default:
		return "no name or version of a package"
	}
}

func (d *draft) elsewhere(f *lockfile.Lockfile, line int, text, words string) {
	d.left[kindElsewhere] = append(d.left[kindElsewhere], &leftLine{
		text: enforce.RedactText(text), why: fmt.Sprintf("%s:%d: %s", f.Name, line, words),
	})
}

// markUnlocked marks what was seen of an ecosystem and is in none of its lockfiles.
func markUnlocked(d *draft, typ string, files []*lockfile.Lockfile) {
	for _, line := range d.packages {
		if typeOf(line.purl) == typ && line.locked == nil {
			line.reviews = addWord(line.reviews, "not in "+fileNames(files))
		}
	}
}

// fileNames names lockfiles, each name once.
func fileNames(files []*lockfile.Lockfile) string {
	var names []string
	for _, f := range files {
		names = addWord(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// lockBeside adds what a client asks besides packages, but for what was seen
// anyway.
func (l *Learner) lockBeside(d *draft, f *lockfile.Lockfile, bases []string) error {
	for _, r := range f.Rules(bases) {
		if r.Package != "" {
			continue
		}
		e, base, err := endpointOf(r.Base)
		if err != nil {
			return fmt.Errorf("learning a policy: %w", err)
		}
		if method := cmp.Or(r.Method, "GET"); l.coversRequest(&policy.Request{
			Method: method, Scheme: e.scheme, Host: e.host, Port: e.port, Path: base + strings.ReplaceAll(r.Path, "*", "x"),
		}) {
			continue
		}
		d.addBeside(&besideLine{
			endpoint: e, method: r.Method, paths: []string{base + r.Path},
			files: []string{f.Name}, why: r.Why, networks: l.networks(e),
		})
	}
	return nil
}

// addBeside adds a line, or its path to one that says the same.
func (d *draft) addBeside(b *besideLine) {
	for _, r := range d.rules {
		reads := b.method == "" && (r.methods == nil || slices.Contains(r.methods, "GET"))
		if r.endpoint == b.endpoint && !r.passthrough && r.query == "" && len(r.via) == 0 && (reads || slices.Contains(r.methods, b.method)) &&
			slices.ContainsFunc(r.paths, func(p *pathLine) bool { return p.pattern == b.paths[0] }) {
			return
		}
	}
	for _, known := range d.beside {
		if known.endpoint == b.endpoint && known.method == b.method && known.why == b.why {
			known.paths, known.files = addWord(known.paths, b.paths[0]), addWord(known.files, b.files[0])
			return
		}
	}
	d.beside = append(d.beside, b)
}

// endpointOf takes a base URL apart, with a slash at the end of its path.
func endpointOf(base string) (endpoint, string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return endpoint{}, "", err
	}
	host, port, err := hostname.ParseAuthority(u.Host)
	if err != nil {
		return endpoint{}, "", err
	}
	path, err := policy.CanonicalPath(u.EscapedPath())
	if err != nil {
		return endpoint{}, "", err
	}
	if port == 0 {
		port = policy.DefaultPort(u.Scheme)
	}
	return endpoint{u.Scheme, host, port}, strings.TrimSuffix(path, "/") + "/", nil
}

// baseNetworks returns the addresses that rules for packages of registries must
// name.
func (l *Learner) baseNetworks(bases []string) []netip.Prefix {
	var out []netip.Prefix
	for _, base := range bases {
		if e, _, err := endpointOf(base); err == nil {
			out = append(out, l.networks(e)...)
		}
	}
	return sortedNetworks(out)
}

// covers reports whether the policy that is merged into has a rule for a package at
// one of the registries. Such a rule is of use.
func (l *Learner) covers(purl string, bases []string) bool {
	name, version, _ := strings.Cut(purl, "@")
	if version, ok := strings.CutPrefix(version, "=="); ok {
		purl = name + "@" + url.PathEscape(version)
	}
	purl = strings.ReplaceAll(purl, "*", "x")
	for _, base := range bases {
		e, path, err := endpointOf(base)
		if err != nil {
			continue
		}
		if l.coversRequest(&policy.Request{
			Method: "GET", Scheme: e.scheme, Host: e.host, Port: e.port, Path: path, Package: purl, Registry: base,
		}) {
			return true
		}
	}
	return false
}

func (l *Learner) coversRequest(r *policy.Request) bool {
	if l.options.Existing == nil {
		return false
	}
	known := false
	l.options.Existing.Match(r, func(int, bool) { known = true })
	if known {
		l.usage.add(l.options.Existing, r, 0)
	}
	return known
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
