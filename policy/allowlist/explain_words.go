package allowlist

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"
	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/internal/spelling"
	"github.com/juliendoutre/proxaudit/policy"
)

// nodes yields a node and all in it.
func nodes(n *yaml.Node) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) { visit(n, yield) }
}

func visit(n *yaml.Node, yield func(*yaml.Node) bool) bool {
	if !yield(n) {
		return false
	}
	for _, c := range n.Content {
		if !visit(c, yield) {
			return false
		}
	}
	return true
}

// coversName reports whether the rule is about a host.
func (r *rule) coversName(host string) bool {
	if r.wildcard {
		return strings.HasSuffix(host, "."+r.host)
	}
	return r.host == host
}

// registrable returns the domain that somebody registered, or the host itself
// where there is none.
func registrable(host string) string {
	if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return domain
	}
	return host
}

// editDistance is distance for names, the longest of which are compared in part.
func editDistance(a, b string) int {
	const most = 64
	return spelling.Distance(a[:min(len(a), most)], b[:min(len(b), most)])
}

func (s schemes) String() string {
	var names []string
	for _, name := range schemeNames() {
		if s&schemeOf(name) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

func (r *rule) portWords(q *question) string {
	if r.ports == nil {
		return "the scheme's own, " + strconv.Itoa(int(policy.DefaultPort(q.Scheme)))
	}
	var out []string
	for _, p := range r.ports {
		out = append(out, strconv.Itoa(int(p)))
	}
	return strings.Join(out, " or ")
}

// pathWords shows the first patterns of the rule.
func (r *rule) pathWords() string {
	return alternatives(r.paths, func(p *pattern) string { return p.String() })
}

// viaWords says which redirect would have led here, and what did.
func (r *rule) viaWords(q *question) string {
	want := "a redirect from " + alternatives(r.via, (*redirector).String)
	if len(q.Via) == 0 {
		return want + ", and none led to exactly this URL"
	}
	return want + ", not from " + alternatives(q.Via, func(url *string) string { return printable(*url) })
}

// alternatives shows the first of several.
func alternatives[T any](list []T, text func(*T) string) string {
	const most = 5
	var out []string
	for i := range list[:min(len(list), most)] {
		out = append(out, text(&list[i]))
	}
	if len(list) > most {
		out = append(out, strconv.Itoa(len(list)-most)+" others")
	}
	return strings.Join(out, " or ")
}

// String returns the pattern as it may be written.
func (pat *pattern) String() string {
	var b strings.Builder
	b.WriteString(pat.prefix)
	for _, p := range pat.parts {
		b.WriteString(p.kind.String() + p.literal)
	}
	return b.String()
}

// typedWords says of which type a segment of path is not, where a pattern of the
// rule would match but for that.
func (r *rule) typedWords(path string) string {
	for i := range r.paths {
		if words := r.paths[i].typedWords(path); words != "" {
			return ": " + words
		}
	}
	return ""
}

func (pat *pattern) typedWords(path string) string {
	// The pattern with its types forgotten from part n on: the first that they keep
	// from matching is the one in the way.
	for n := range len(pat.parts) + 1 {
		some := pattern{pat.prefix, slices.Clone(pat.parts)}
		for i := n; i < len(some.parts); i++ {
			if some.parts[i].kind.typed() {
				some.parts[i].kind = kindStar
			}
		}
		if matched, _ := some.match(path, true); matched {
			continue
		}
		if n == 0 {
			return ""
		}
		return pat.typedPartWords(n-1, path)
	}
	return ""
}

// typedPartWords is about the typed part i, which path does not have.
func (pat *pattern) typedPartWords(i int, path string) string {
	what := pat.parts[i].kind.String()
	before := pat.prefix
	for _, p := range pat.parts[:i] {
		if p.kind == kindDeep {
			return "no " + what + " stands where the rule has one"
		}
		before += p.literal
	}
	segment := strings.Split(path, "/")[strings.Count(before, "/")]
	if behind := pat.parts[i].literal; strings.HasSuffix(before, "/") && (behind == "" && i == len(pat.parts)-1 || strings.HasPrefix(behind, "/")) {
		return "the segment " + quoted(segment) + " is no " + what
	}
	return "the segment " + quoted(segment) + " has no " + what + " there"
}
