package learn

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// learnedComment is how the comment of a rule begins that was learned from
// traffic. One that a lockfile names ("# in FILE") is not there because it was
// seen, and is not marked when it is not.
var learnedComment = regexp.MustCompile(`^# seen in [0-9]+ of [0-9]+ runs?, `)

// unseenMark stands at the end of the comment of a rule that is no longer seen.
var unseenMark = regexp.MustCompile(`; not seen since [0-9]{4}-[0-9]{2}-[0-9]{2}$`)

// learnedRule is a rule of a policy that was learned.
type learnedRule struct {
	node      *yaml.Node
	line      int // where it begins
	limit     int // a line that it ends before
	comment   string
	end       int // the offset behind the comment
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
		if !learnedComment.MatchString(comment) {
			continue
		}
		r := learnedRule{node: item, line: item.Line, limit: p.limit(list), comment: comment, end: end}
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

// mark says behind each learned rule that was not seen that it was not, since the
// day of the last event, and no longer says so behind those that were seen.
func (p *policyText) mark(rules []learnedRule, u *usage, partial bool, today day) (unseen, again int) {
	for _, r := range rules {
		at := unseenMark.FindStringIndex(r.comment)
		switch seen := u.seen(r.line); {
		case seen && at != nil:
			length := at[1] - at[0]
			p.edits = append(p.edits, edit{at: r.end - length, cut: length})
			again++
		case !seen && at == nil && !partial:
			// First of what is at its place: lines may follow where the last line has no end.
			p.edits = slices.Insert(p.edits, 0, edit{at: r.end, text: "; not seen since " + today.String()})
			unseen++
		}
	}
	return unseen, again
}
