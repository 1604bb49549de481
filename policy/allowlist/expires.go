package allowlist

import (
	"fmt"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// expiry is the last day of a rule, and where it is written.
type expiry struct {
	day          string
	end          int64 // the first second behind the day, in UTC, since 1970
	line, column int
	rule         *rule
}

var looksLikeDate = lazily(`^[0-9]{4}-[01][0-9]-[0-3][0-9]$`)

// expires reads a date. A rule holds to the end of that day, in UTC.
func (p *parser) expires(n *yaml.Node, r *rule) *expiry {
	const hint = "write a date such as 2027-01-31: the last day, in UTC, on which the rule holds"
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!timestamp" && n.ShortTag() != "!!str" {
		p.at(n, "expires must be a date, not "+kind(n), hint)
		return nil
	}
	day, err := time.Parse(time.DateOnly, n.Value)
	if err != nil || day.Year() < 2000 {
		if err != nil && looksLikeDate().MatchString(n.Value) {
			p.at(n, "there is no day "+quoted(n.Value), "write the last day, in UTC, on which the rule holds")
			return nil
		}
		p.at(n, "bad date "+quoted(n.Value), hint)
		return nil
	}
	return &expiry{n.Value, day.AddDate(0, 0, 1).Unix(), n.Line, n.Column, r}
}

// expiries returns those of the rules that have one.
func expiries(rules []*rule) []*expiry {
	var out []*expiry
	for _, r := range rules {
		if r.expires != nil {
			out = append(out, r.expires)
		}
	}
	return out
}

// expired reports whether the rule's last day is over. A deny rule never is: time
// alone opens nothing.
func (r *rule) expired(q *question) bool {
	if r.expires == nil || r.action == policy.Deny {
		return false
	}
	if q.now == 0 {
		q.now = q.clock().Unix()
	}
	return q.now >= r.expires.end
}

// Expired returns a mistake for each rule whose last day is over at a time, in
// the order of the file. Such a rule under allow or log matches nothing any more;
// one under deny still denies. None is a reason not to run: what a policy lets
// through becomes less, never more.
func (p *Policy) Expired(at time.Time) Mistakes {
	var out Mistakes
	for _, e := range p.expiries {
		if at.Unix() < e.end {
			continue
		}
		m := Mistake{
			File: p.file, Line: e.line, Column: e.column,
			Message: fmt.Sprintf("the rule expired on %s and matches nothing any more", e.day),
			Hint:    "review it: give it a later date, or remove it",
		}
		if e.rule.action == policy.Deny {
			m.Message = fmt.Sprintf("the rule expired on %s and still denies: time alone opens nothing", e.day)
			m.Hint = "review it: remove the rule, or its date"
		}
		out = append(out, m)
	}
	return out
}
