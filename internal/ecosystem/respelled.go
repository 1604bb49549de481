package ecosystem

import (
	"iter"
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// Respelled yields the packages of registered registries, and the registries, that
// the request names to a server that reads its path otherwise than it is written:
// unescaped once or more often, without the parameters of segments, without
// repeated slashes (nginx merges them, Tomcat cuts parameters off, most servers
// unescape before they look), or without its query. They must not earn the request anything, for another
// server reads something else; they are what a rule that denies is to be asked
// about. It yields nothing for nearly every request.
func (r *Recognizer) Respelled(q Query) iter.Seq2[string, string] {
	return func(yield func(purl, registry string) bool) {
		if r == nil || !q.reads() || q.RawQuery == "" && !strings.ContainsAny(q.Path, "%;") && !strings.Contains(q.Path, "//") {
			return
		}
		seen := map[string]bool{}
		if written, registry := r.Identify(q); registry != "" {
			seen[written] = true
		}
		q.RawQuery = "" // see grammar.elsewhere
		path := q.Path
		for range 4 {
			for _, q.Path = range [...]string{policy.CollapseSlashes(path), policy.CollapseSlashes(policy.CutParameters(path))} {
				purl, registry := r.Identify(q)
				if registry == "" || seen[purl] {
					continue
				}
				seen[purl] = true
				if !yield(purl, registry) {
					return
				}
			}
			plain := policy.Unescape(path)
			if plain == path {
				return
			}
			path = plain
		}
	}
}
