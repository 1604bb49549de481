package allowlist

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// Explanation is why a policy answers as it does.
type Explanation struct {
	// Matched are the rules that match, those that win first.
	Matched []Explained
	// Missed are the rules that came nearest to a match, the nearest first.
	Missed []Explained
}

// Explained is a rule as it is written, and what keeps it from matching.
type Explained struct {
	// Rule is its name, as decisions have it, and Action the list it is in.
	Rule   string
	Action policy.Action
	// Text is the rule's lines, without the indentation they share.
	Text string
	// Differs says, for each part of the rule that does not match, what it asks
	// for and what there is. It is empty for rules that match.
	Differs []string

	distance int
}

// maxMissed is how many rules that do not match are explained.
const maxMissed = 3

// elsewhere is the distance of a rule for another host or package.
const elsewhere = 10

// Explain asks each rule by itself about r. It reads the policy's text again and
// is for a person who waits, not for a run.
func (p *Policy) Explain(r *policy.Request) Explanation {
	var out Explanation
	lines := bytes.Split(p.source, []byte("\n"))
	for _, rule := range p.written() {
		one := Explained{Rule: rule.name, Action: rule.action, Text: rule.text(lines)}
		if p.decides(rule, r) {
			out.Matched = append(out.Matched, one)
			continue
		}
		q := question{Request: r, scheme: schemeOf(r.Scheme), clock: p.clock}
		if one.distance, one.Differs = rule.differs(&q, p.registries); len(one.Differs) > 0 {
			out.Missed = append(out.Missed, one)
		}
	}
	slices.SortStableFunc(out.Matched, func(a, b Explained) int { return wins(b.Action) - wins(a.Action) })
	slices.SortStableFunc(out.Missed, func(a, b Explained) int { return cmp.Compare(a.distance, b.distance) })
	// Rules for other hosts are of use only where none is for this one.
	if len(out.Missed) > 0 && out.Missed[0].distance < elsewhere {
		out.Missed = slices.DeleteFunc(out.Missed, func(e Explained) bool { return e.distance >= elsewhere })
	}
	out.Missed = out.Missed[:min(len(out.Missed), maxMissed)]
	return out
}

// decides reports whether a rule would decide about r, were it the only one: by
// the same code as in a run, so that what is explained is what happens.
func (p *Policy) decides(r *rule, q *policy.Request) bool {
	alone := &Policy{index: newIndex([]*rule{r}), registries: p.registries, clock: p.clock}
	d, err := alone.Decide(context.Background(), q)
	return err == nil && !d.Default
}

// wins orders the lists: the higher one decides.
func wins(a policy.Action) int {
	switch a {
	case policy.Deny:
		return 2
	case policy.Allow:
		return 1
	default:
		return 0
	}
}

// text returns the lines of a rule as they are written.
func (r *rule) text(lines [][]byte) string {
	var out []string
	for i := r.line; i <= min(r.lastLine(), len(lines)); i++ {
		out = append(out, strings.TrimRight(string(lines[i-1]), " \r"))
	}
	indent := len(out[0]) - len(strings.TrimLeft(out[0], " "))
	for i, l := range out {
		out[i] = printable(l[min(indent, len(l)-len(strings.TrimLeft(l, " "))):])
	}
	return strings.Join(out, "\n")
}

// differs returns what keeps a rule from matching, and how far away it is: what
// is about another host altogether is no miss, and returns nothing.
func (r *rule) differs(q *question, registries map[string][]string) (distance int, parts []string) {
	if r.pkg != nil {
		return r.differsPackage(q, registries)
	}
	add := func(differs bool, what, want, got string) {
		if differs {
			parts = append(parts, what+": "+want+", not "+got)
		}
	}
	if !r.coversName(q.Host) {
		if registrable(r.host) != registrable(q.Host) && editDistance(r.host, q.Host) > 2 {
			return 0, nil
		}
		add(true, "host", r.pattern(), q.Host)
		distance = elsewhere
	}
	opaque := q.Method == "CONNECT"
	add(opaque && !r.passthrough && r.action != policy.Deny, "tls", "decrypted", "passthrough")
	add(!opaque && r.passthrough, "tls", "passthrough", "decrypted")
	add(r.schemes&q.scheme == 0, "scheme", r.schemes.String(), q.Scheme)
	add(!r.matchesPort(q), "port", r.portWords(q), strconv.Itoa(int(q.Port)))
	if !opaque && q.scheme != schemeTCP && !r.passthrough {
		add(!r.matchesMethod(q), "method", strings.Join(methodsOr(r.methods), " or "), q.Method)
		add(!r.matchesPath(q), "path", r.pathWords(), q.Path+r.typedWords(q.Path))
		add(!r.matchesHeaders(q), "headers", "what the rule lists", "those of this request")
		add(!r.matchesQuery(q), "query", "what the rule lists", "that of this request")
	}
	if !r.matchesVia(q) {
		parts = append(parts, "via: "+r.viaWords(q))
	}
	return distance + len(parts), append(parts, r.differsElse(q)...)
}

// differsElse is what rules for packages and for hosts have in common.
func (r *rule) differsElse(q *question) (parts []string) {
	if !r.matchesProcess(q) {
		exe := "unknown"
		if q.Process != nil {
			exe = q.Process.Exe
		}
		parts = append(parts, "process: "+strings.Join(r.processes, " or ")+", not "+printable(exe))
	}
	if r.expired(q) {
		parts = append(parts, "expires: the rule was over on "+r.expires.day)
	}
	if q.overridden() != 0 && r.action != policy.Deny {
		parts = append(parts, "headers: no rule allows a request with "+q.overrideHeader())
	}
	return parts
}

func (r *rule) differsPackage(q *question, registries map[string][]string) (distance int, parts []string) {
	typ, _, _ := strings.Cut(strings.TrimPrefix(r.pkg.key, "pkg:"), "/")
	purl, ok := takeApart(q.Package)
	same := ok && (r.pkg.key == purl.key || r.pkg.key == purl.key[:purl.slash] && r.pkg.name != nil && r.pkg.name.match(purl.name()))
	if !same {
		if !ok || !strings.HasPrefix(purl.key, "pkg:"+typ+"/") {
			return 0, nil
		}
		return elsewhere, append([]string{"package: " + r.pkg.key + ", not " + printable(purl.key)}, r.differsElse(q)...)
	}
	if q.Registry == "" {
		parts = append(parts, "registry: "+strings.Join(registries[typ], " or ")+", not "+q.Scheme+"://"+q.Authority()+"/")
	}
	if !r.pkg.matchesVersion(purl.version, r.action == policy.Deny) {
		parts = append(parts, "version: what the rule says, not "+quoted(purl.version))
	}
	if !r.pkg.matchesQualifiers(purl.qualifiers) {
		parts = append(parts, "qualifiers: what the rule says, not "+quoted(purl.qualifiers))
	}
	if !isRead(q) && r.action != policy.Deny {
		parts = append(parts, "method: GET or HEAD, not "+printable(q.Method))
	}
	return len(parts), append(parts, r.differsElse(q)...)
}
