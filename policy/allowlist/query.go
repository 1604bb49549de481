package allowlist

import (
	"net/url"
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// maxQuery bounds the query that is read, in bytes. A longer one cannot be known.
const maxQuery = 64 << 10

// matchesQuery reports whether the rule covers the request's query.
//
// Under allow and log the query must be all that is listed: each parameter has a
// key and each of its values, where it is repeated, one of that key's patterns;
// each key is there, unless it is optional. Under deny each key must be found
// once, whatever else there is, in upper or lower case and under a second
// encoding. A query that servers read in different ways (a broken escape, a
// semicolon) is covered by no allow rule and by every deny rule; one that may replace
// the method of a POST, by no allow rule but one that lists that parameter by name.
func (r *rule) matchesQuery(q *question) bool {
	switch {
	case r.query == nil:
		return r.action == policy.Deny || !q.methodInQuery()
	case q.scheme == schemeTCP:
		return false
	case len(q.Query) > maxQuery || strings.Contains(q.Query, ";"):
		return r.action == policy.Deny
	case r.action == policy.Deny:
		return r.deniesQuery(q.Query)
	}
	var seen uint64
	for pair := range strings.SplitSeq(q.Query, "&") {
		if pair == "" {
			continue
		}
		name, value, ok := readPair(pair)
		if !ok {
			return false
		}
		i := find(r.query, name)
		if i < 0 || r.query[i].name == anyName && q.methodInQuery() && hasMethodParameter(pair) || !matchesAny(r.query[i].values, value) {
			return false
		}
		seen |= 1 << i
	}
	for i, c := range r.query {
		if seen&(1<<i) == 0 && !c.optional && c.name != anyName {
			return false
		}
	}
	return true
}

func (r *rule) deniesQuery(query string) bool {
	var seen uint64
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		if _, _, ok := readPair(pair); !ok {
			return true
		}
		name, value, _ := strings.Cut(pair, "=")
		for i, c := range r.query {
			if (c.name == anyName || matchesLoosely([]*glob{{first: c.name}}, name) || c.name == indexed(name)) && matchesLoosely(c.values, value) {
				seen |= 1 << i
			}
		}
	}
	return seen == 1<<len(r.query)-1
}

// indexed returns what name is an element of to the servers that build arrays out of
// parameters (PHP, Rails, Express): a[] and a[0] are a, and so is a with blanks
// before it or a zero byte behind it.
func indexed(name string) string {
	name = unescape(strings.ReplaceAll(name, "+", " "), 3)
	name = strings.TrimLeft(name, " ")
	if i := strings.IndexAny(name, "[\x00"); i > 0 {
		name = name[:i]
	}
	return strings.ToLower(name)
}

// matchesLoosely compares what a server may read in text: encoded once or more
// often, with a plus that is a space or one that is not.
func matchesLoosely(patterns []*glob, text string) bool {
	text = strings.ToLower(text)
	for _, s := range [...]string{text, strings.ReplaceAll(text, "+", " ")} {
		once := unescape(s, 1)
		if matchesAny(patterns, strings.ToLower(once)) {
			return true
		}
		if more := unescape(once, 2); more != once && matchesAny(patterns, strings.ToLower(more)) {
			return true
		}
	}
	return false
}

// readPair decodes a parameter as the URL Standard does
// (application/x-www-form-urlencoded), but for broken escapes.
func readPair(pair string) (name, value string, ok bool) {
	name, value, _ = strings.Cut(pair, "=")
	var err, err2 error
	if strings.ContainsAny(name, "%+") {
		name, err = url.QueryUnescape(name)
	}
	if strings.ContainsAny(value, "%+") {
		value, err2 = url.QueryUnescape(value)
	}
	return name, value, err == nil && err2 == nil
}

// find returns the place of the condition for a name, or of that for any, or -1.
func find(list []condition, name string) int {
	rest := -1
	for i := range list {
		switch list[i].name {
		case name:
			if name != anyName {
				return i
			}
			rest = i
		case anyName:
			rest = i
		}
	}
	return rest
}

func matchesAny(patterns []*glob, value string) bool {
	for _, g := range patterns {
		if g.match(value) {
			return true
		}
	}
	return false
}

// matchesHeaders reports whether the rule covers the request's header fields.
// Under allow and log each key must be there, unless it is optional, and each of
// its values match, in every spelling of the name that a server may take for the
// same; see equalField. Under deny one value is enough, in upper or lower case, and
// so is one member of a list, for several fields of a name are one list and one
// field may hold several values (RFC 9110 section 5.3). Fields that are not listed
// do not matter.
func (r *rule) matchesHeaders(q *question) bool {
	switch {
	case r.headers == nil:
		return true
	case q.scheme == schemeTCP:
		return false
	}
	for i := range r.headers {
		if !r.headers[i].matchesHeader(q, r.action == policy.Deny) {
			return false
		}
	}
	return true
}

func (c *condition) matchesHeader(q *question, deny bool) bool {
	found := false
	for name, values := range q.Header {
		if !equalField(name, c.name) {
			continue
		}
		if deny {
			if c.matchesMember(values) {
				return true
			}
			continue
		}
		for _, value := range values {
			if !matchesAny(c.values, value) {
				return false
			}
			found = true
		}
	}
	if deny {
		return false
	}
	return found && !c.isDropped(q) || !found && c.optional
}

// matchesMember reports whether a value of a field matches, as it is or as a server
// may read it: one member of a list, with its parameters or without them, or all
// fields as one list.
func (c *condition) matchesMember(values []string) bool {
	var members []string
	for _, value := range values {
		value = strings.ToLower(value)
		if matchesAny(c.values, value) {
			return true
		}
		for member := range strings.SplitSeq(value, ",") {
			member = strings.Trim(member, " \t")
			bare, _, _ := strings.Cut(member, ";")
			if matchesAny(c.values, member) || matchesAny(c.values, strings.TrimRight(bare, " \t")) {
				return true
			}
			members = append(members, member)
		}
	}
	return len(members) > 1 && matchesAny(c.values, strings.Join(members, ", "))
}

// isDropped reports whether the request says that the field is about this
// connection alone: then it is not forwarded (RFC 9110 section 7.6.1), and the
// server would not see what was decided.
func (c *condition) isDropped(q *question) bool {
	for name, values := range q.Header {
		if !equalField(name, "connection") {
			continue
		}
		for _, value := range values {
			for option := range strings.SplitSeq(value, ",") {
				if equalField(strings.TrimSpace(option), c.name) {
					return true
				}
			}
		}
	}
	return false
}
