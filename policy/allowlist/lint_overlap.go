package allowlist

import (
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// maxComparisons bounds how many pairs of rules are compared: about a second.
const maxComparisons = 20_000_000

// overlaps points at rules that can have no effect, because of others.
func (w *linting) overlaps() {
	buckets := map[string][]placed{}
	live := w.live()
	for _, r := range live {
		buckets[r.bucketKey()] = append(buckets[r.bucketKey()], r)
	}
	left := maxComparisons
	for _, a := range live {
		if left -= w.overlapped(a, buckets); left < 0 {
			w.at(a, policy.Note, "overlaps-not-searched", "too many rules for one host: from here on, duplicates and shadowed rules are not looked for", "write patterns instead of single paths")
			return
		}
	}
}

// live returns the rules that are not over: those are pointed at already, and
// match nothing.
func (w *linting) live() []placed {
	var live []placed
	for _, r := range w.rules {
		if r.action == policy.Deny || r.expires == nil || r.expires.end > w.Now.Unix() {
			live = append(live, r)
		}
	}
	return live
}

// overlapped looks for a rule that leaves nothing to a, and returns how many it
// looked at.
func (w *linting) overlapped(a placed, buckets map[string][]placed) (compared int) {
	for _, key := range a.coveringKeys() {
		for _, b := range buckets[key] {
			if compared++; w.overlap(a, b) {
				return compared
			}
		}
	}
	return compared
}

// bucketKey is where a rule is found by those that it may cover.
func (r *rule) bucketKey() string {
	switch {
	case r.pkg != nil:
		return r.pkg.key
	case r.wildcard:
		return "*." + r.host
	default:
		return r.host
	}
}

// coveringKeys are the keys of rules that may cover r.
func (r *rule) coveringKeys() []string {
	keys := []string{r.bucketKey()}
	if r.pkg != nil {
		if r.pkg.name == nil {
			keys = append(keys, r.pkg.key[:strings.LastIndexByte(r.pkg.key, '/')+1])
		}
		return keys
	}
	for _, host, more := strings.Cut(r.host, "."); more; _, host, more = strings.Cut(host, ".") {
		keys = append(keys, "*."+host)
	}
	return keys
}

// overlap adds a finding when b leaves nothing to a.
func (w *linting) overlap(a, b placed) bool {
	if a.rule == b.rule || wins(b.action) < wins(a.action) || !b.covers(a.rule) {
		return false
	}
	switch {
	case b.action == policy.Deny && a.action != policy.Deny:
		message := "the rule never decides: " + b.name + " denies all of it, and deny beats " + a.action.String()
		if a.passthrough && (b.paths != nil || b.methods != nil || b.query != nil || b.headers != nil) {
			message = "no connection passes undecrypted by this rule: what " + b.name + " denies could not be seen in it"
		}
		w.at(a, policy.Warning, "beaten-rule", message, "remove one of the two, or narrow the deny rule")
	case b.action != a.action:
		w.at(a, policy.Warning, "shadowed-rule", "the rule never decides: "+b.name+" allows all of it, and allow beats log", "remove one of the two")
	case a.rule.covers(b.rule):
		if a.index < b.index {
			return false // it is b that is the duplicate
		}
		w.at(a, policy.Warning, "duplicate-rule", "the rule says what "+b.name+" says", "remove one of the two")
	default:
		w.at(a, policy.Warning, "shadowed-rule", "the rule adds nothing: "+b.name+" covers all of it", "remove it, or narrow the other one")
	}
	return true
}
