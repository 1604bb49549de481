package learn

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
)

// registry is one base URL under `registries:`.
type registry struct {
	typ, url string
	evidence
	names map[string]bool // packages, whatever their version
	of    int             // distinct packages of its type, over all registries
	lock  string          // why it is there though nothing was read from it
	// reviews are about its name.
	reviews []string
}

// packageLine is one `pkg:` rule.
type packageLine struct {
	purl string
	evidence
	example  string // the least of its requests
	reviews  []string
	networks []netip.Prefix
	locked   []string // the lockfiles that name it
}

const anyVersionReview = "no version was read, so any may be"

// packages finds the registries, fills in what was read from them and returns
// the rest of seen.
func (l *Learner) packages(d *draft, seen []sighting, written writtenAs) ([]sighting, error) {
	recognizer, err := l.recognizer(seen)
	if err != nil {
		return nil, fmt.Errorf("learning a policy: %w", err)
	}
	lines := map[string]*packageLine{}
	networks := map[string][]netip.Prefix{} // by name: index and files may differ
	registries := map[[2]string]*registry{}
	var rest []sighting
	for _, s := range seen {
		q := s.query(s.flow)
		purl, url := recognizer.Identify(q)
		if url == "" || s.gone || s.method == passthrough || s.folded != nil {
			if pattern := recognizer.Index(q); pattern != "" && !s.gone {
				s.path, s.index = pattern, true
			}
			rest = append(rest, s)
			continue
		}
		written.note(s.url(s.path), url+"**")
		line := lines[purl]
		if line == nil {
			line = &packageLine{purl: purl}
			lines[purl] = line
		}
		line.add(s)
		name := nameOf(purl)
		networks[name] = append(networks[name], l.networks(s.endpoint)...)
		at := [2]string{typeOf(purl), url}
		if registries[at] == nil {
			registries[at] = &registry{typ: at[0], url: url, names: map[string]bool{}}
		}
		registries[at].evidence.add(&s.evidence)
		registries[at].names[name] = true
	}
	dropImplied(lines)
	for _, purl := range slices.Sorted(maps.Keys(lines)) {
		line := lines[purl]
		line.networks = sortedNetworks(networks[nameOf(purl)])
		if nameOf(purl) == purl {
			line.reviews = addWord(line.reviews, anyVersionReview)
		}
		d.packages = append(d.packages, line)
	}
	d.registries = sortedRegistries(registries)
	return rest, nil
}

func (p *packageLine) add(s sighting) {
	p.evidence.add(&s.evidence)
	path, _ := mask(s.path)
	if example := s.method + " " + path; p.example == "" || example < p.example {
		p.example = example
	}
	p.reviews = addWord(p.reviews, s.review)
}

// addWord adds word to sorted words.
func addWord(words []string, word string) []string {
	i, known := slices.BinarySearch(words, word)
	if word == "" || known {
		return words
	}
	return slices.Insert(words, i, word)
}

// dropImplied removes what other lines cover. A package of which versions were
// read: their rules cover its metadata, and a rule without a version would cover
// every version. The manifests of an image of which a tag was read: they are
// others when the tag has moved.
func dropImplied(lines map[string]*packageLine) {
	versioned, tagged := map[string]bool{}, map[string]bool{}
	for purl := range lines {
		if name := nameOf(purl); name != purl {
			versioned[name] = true
			tagged[name] = tagged[name] || !ecosystem.ByDigest(purl)
		}
	}
	maps.DeleteFunc(lines, func(purl string, _ *packageLine) bool {
		return versioned[purl] || ecosystem.ByDigest(purl) && tagged[nameOf(purl)]
	})
}

// nameOf cuts version and qualifiers off a canonical purl.
func nameOf(purl string) string {
	if i := strings.IndexAny(purl, "@?"); i >= 0 {
		return purl[:i]
	}
	return purl
}

func typeOf(purl string) string {
	typ, _, _ := strings.Cut(strings.TrimPrefix(purl, "pkg:"), "/")
	return typ
}

func sortedRegistries(found map[[2]string]*registry) []*registry {
	all := map[string]map[string]bool{}
	for _, r := range found {
		if all[r.typ] == nil {
			all[r.typ] = map[string]bool{}
		}
		maps.Copy(all[r.typ], r.names)
	}
	for _, r := range found {
		r.of = len(all[r.typ])
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *registry) int {
		return cmp.Or(cmp.Compare(a.typ, b.typ), cmp.Compare(a.url, b.url))
	})
}

// recognizer knows the registries that the options name and those that seen
// shows.
func (l *Learner) recognizer(seen []sighting) (*ecosystem.Recognizer, error) {
	known, err := ecosystem.New(l.options.Registries)
	if err != nil {
		return nil, err
	}
	all := ecosystem.Registries{}
	for typ, urls := range l.options.Registries {
		all[typ] = slices.Clone(urls)
	}
	for _, s := range sources(known, seen) {
		all[s.typ] = append(all[s.typ], s.scheme+"://"+s.authority()+s.base)
	}
	return ecosystem.New(all)
}
