package learn

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// learnedComment is how the comment of a rule begins that was learned: from
// traffic, or from lockfiles, which it names.
var learnedComment = regexp.MustCompile(`^# (?:seen in [0-9]+ of [0-9]+ runs?, |in (.+))`)

// unseenMark stands at the end of the comment of a rule that is no longer seen.
var unseenMark = regexp.MustCompile(`; not seen since [0-9]{4}-[0-9]{2}-[0-9]{2}$`)

// againMark stands behind the comment of a rule that one run alone had, once a later
// one had it too: the counts in the comment are those of the runs that it was learned
// from, and are not counted anew.
const againMark = "; seen again on "

// withoutMarks returns a comment as learning wrote it.
func withoutMarks(comment string) string {
	comment = unseenMark.ReplaceAllString(comment, "")
	if i := strings.LastIndex(comment, againMark); i >= 0 && len(comment) == i+len(againMark)+len("2026-11-24") {
		comment = comment[:i]
	}
	return comment
}

// wasAlone reports whether a comment says that the rule was seen once, or in one run
// only, and first before a day: then what was seen on that day is of another run.
func wasAlone(comment string, on day) bool {
	if on == 0 {
		return false
	}
	_, first, dated := strings.Cut(comment, "first on ")
	return dated && len(first) >= len("2026-11-24") && first[:len("2026-11-24")] < on.String() &&
		(strings.Contains(comment, "; review: "+seenOnce) || strings.Contains(comment, "; review: "+seenInOneRun))
}

// learnedRule is a rule of a policy that was learned.
type learnedRule struct {
	node    *yaml.Node
	line    int // where it begins
	limit   int // a line that it ends before
	comment string
	end     int // the offset behind the comment
	// locked begins with the lockfiles that name it; empty for one from traffic.
	locked    string
	isPackage bool
	// name is the package or the host, in whose order rules stand; it may be "".
	name string
}

// learned returns the rules of a list that were learned, in the order of the file.
func (p *policyText) learned(list *yaml.Node) []learnedRule {
	if list == nil {
		return nil
	}
	var out []learnedRule
	for i, item := range list.Content {
		comment, end := p.comment(item)
		found := learnedComment.FindStringSubmatch(comment)
		if found == nil {
			continue
		}
		r := learnedRule{node: item, line: item.Line, limit: p.limit(list), comment: comment, end: end, locked: found[1]}
		if i+1 < len(list.Content) {
			r.limit = list.Content[i+1].Line
		}
		r.isPackage, r.name = nameOfRule(item)
		out = append(out, r)
	}
	return out
}

// comment returns what stands behind the first line of a rule, with its mark, and
// where it ends.
func (p *policyText) comment(item *yaml.Node) (text string, end int) {
	n := item
	if n.Kind == yaml.MappingNode && !isFlow(n) && len(n.Content) > 1 {
		n = n.Content[1]
	}
	at, ok := p.end(n)
	if !ok || p.lineOf(at) != item.Line {
		return "", 0
	}
	line := strings.TrimRight(p.line(item.Line), " \t")
	rest := line[at-p.lineStart(item.Line):]
	text = strings.TrimLeft(rest, " \t,")
	if text == rest || !strings.HasPrefix(text, "#") {
		return "", 0
	}
	return text, at + len(rest)
}

// nameOfRule returns what a rule is about.
func nameOfRule(item *yaml.Node) (isPackage bool, name string) {
	if item.Kind == yaml.ScalarNode {
		if strings.HasPrefix(item.Value, "pkg:") {
			return true, item.Value
		}
		if _, u, err := cutMethod(item.Value); err == nil {
			return false, u.Hostname()
		}
		return false, ""
	}
	if _, n := field(item, "package"); n != nil {
		return true, n.Value
	}
	if _, n := field(item, "host"); n != nil {
		return false, n.Value
	}
	return false, ""
}

// cutMethod takes a rule of one line apart.
func cutMethod(text string) (method string, u *url.URL, err error) {
	if m, rest, ok := strings.Cut(text, " "); ok {
		method, text = m, rest
	}
	u, err = url.Parse(text)
	return method, u, err
}

// marking says which rules are marked that nothing asked for.
type marking struct {
	// traffic is true where there was some, of runs that did not break off.
	traffic bool
	// lockfiles are the names of those that were read. A rule that other ones name
	// is there whatever these say.
	lockfiles []string
	today     day
}

func (m *marking) is(r *learnedRule) bool {
	if r.locked == "" {
		return m.traffic
	}
	rest, any := r.locked, false
	for more := true; more; {
		more = false
		for _, name := range m.lockfiles {
			if behind, ok := strings.CutPrefix(rest, plain(name)); ok && (behind == "" || strings.ContainsAny(behind[:1], ",:;")) {
				rest, any, more = strings.TrimPrefix(behind, ", "), true, strings.HasPrefix(behind, ", ")
				break
			}
		}
	}
	return any && (rest == "" || strings.ContainsAny(rest[:1], ":;") || learnedComment.MatchString("# "+rest))
}

// mark says behind each learned rule that was not seen that it was not, since the
// day of the last event, and no longer says so behind those that were seen.
func (p *policyText) mark(rules []learnedRule, u *usage, m *marking) (unseen, again int) {
	for _, r := range rules {
		at := unseenMark.FindStringIndex(r.comment)
		first, seen := u.seen(r.line)
		mark := ""
		if own := withoutMarks(r.comment); wasAlone(own, first) && !strings.Contains(r.comment[len(own):], againMark) {
			mark = againMark + first.String()
		}
		switch {
		case seen && at != nil:
			length := at[1] - at[0]
			p.edits = append(p.edits, edit{at: r.end - length, cut: length, text: mark})
			again++
		case mark != "":
			p.edits = slices.Insert(p.edits, 0, edit{at: r.end, text: mark})
		case !seen && at == nil && m.is(&r):
			// First of what is at its place: lines may follow where the last line has no end.
			p.edits = slices.Insert(p.edits, 0, edit{at: r.end, text: "; not seen since " + m.today.String()})
			unseen++
		}
	}
	return unseen, again
}
