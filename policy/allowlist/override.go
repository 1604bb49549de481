package allowlist

import (
	"slices"
	"strings"
)

// override says what else than its path and method a server may take from a request.
type override uint8

const (
	overridesMethod override = 1 << iota // by a header field
	overridesPath                        // by a header field
	methodInQuery
	overridesKnown // the request has been looked at
)

// lookedAt looks at the request once. Raw TCP has neither header nor query.
func (q *question) lookedAt() override {
	if q.overrides != 0 {
		return q.overrides
	}
	q.overrides = overridesKnown
	if q.scheme == schemeTCP {
		return q.overrides
	}
	for name := range q.Header {
		q.overrides |= overrides(name)
	}
	if strings.EqualFold(q.Method, "POST") && hasMethodParameter(q.Query) {
		q.overrides |= methodInQuery
	}
	return q.overrides
}

// overridden returns what the request's headers may replace.
func (q *question) overridden() override {
	return q.lookedAt() & (overridesMethod | overridesPath)
}

// methodInQuery reports whether the query may replace the method.
func (q *question) methodInQuery() bool { return q.lookedAt()&methodInQuery != 0 }

// methodParameter is what Symfony and what is built on it, Express's method-override
// and others take the method of a POST from, of no other request. In a form it is
// in the body, which no policy sees.
const methodParameter = "_method"

// listsMethod reports whether the rule's query lists it.
func (r *rule) listsMethod() bool {
	return slices.ContainsFunc(r.query, func(c condition) bool { return c.name == methodParameter })
}

// hasMethodParameter reports whether a query has it, in a spelling that a server may
// read as it: parameters are divided by a semicolon as well (HTML 4 appendix
// B.2.2), and PHP takes a dot for an underscore.
func hasMethodParameter(query string) bool {
	for query != "" {
		pair := query
		if i := strings.IndexAny(query, "&;"); i >= 0 {
			pair, query = query[:i], query[i+1:]
		} else {
			query = ""
		}
		name, _, _ := strings.Cut(pair, "=")
		if len(name) >= len(methodParameter) && strings.ReplaceAll(indexed(name), ".", "_") == methodParameter {
			return true
		}
	}
	return false
}

// overrides returns what a header field may replace. Some frameworks take the
// method or the path from these fields, so a rule that names either would be
// compared with what is not executed.
func overrides(name string) override {
	if len(name) < len("X-HTTP-Method") || name[0]|0x20 != 'x' {
		return 0
	}
	switch {
	case equalField(name, "x-http-method-override"), equalField(name, "x-http-method"),
		equalField(name, "x-method-override"):
		return overridesMethod
	case equalField(name, "x-original-url"), equalField(name, "x-rewrite-url"):
		return overridesPath
	default:
		return 0
	}
}

// equalField compares field names without regard to case, and takes "_" for
// "-": CGI and its heirs (RFC 3875 section 4.1.18) cannot tell them apart.
func equalField(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	if strings.EqualFold(name, lower) {
		return true
	}
	return strings.EqualFold(strings.ReplaceAll(name, "_", "-"), lower)
}
