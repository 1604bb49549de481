package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// Difference is a request that is decided in two ways.
type Difference struct {
	// Request is its method and URL, without secrets.
	Request string        `json:"request"`
	Was     policy.Action `json:"was"`
	Now     policy.Action `json:"now"`
	// Rule and Reason are those of what is decided now.
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Allow is the entry that would allow what is denied now; "" where none would.
	Allow string `json:"allow,omitempty"`
}

// Counted is a difference, and how often it was added.
type Counted struct {
	Difference
	Times int `json:"times"`
}

// Differences groups differences, however many there are. The zero value is ready
// to use; it is not for concurrent use.
type Differences struct {
	// PolicyName is the file that the reader is told to edit.
	PolicyName string

	byKey map[Difference]*differing
	times int
	lost  int
}

type differing struct{ first, times int }

// Add takes one in.
func (d *Differences) Add(one Difference) {
	d.times++
	if d.byKey == nil {
		d.byKey = map[Difference]*differing{}
	}
	if known, ok := d.byKey[one]; ok {
		known.times++
		return
	}
	if len(d.byKey) >= maxRemembered {
		d.lost++
		return
	}
	d.byKey[one] = &differing{d.times, 1}
}

// Count returns how many were added.
func (d *Differences) Count() int { return d.times }

// All returns them: denials first, then what was forwarded anew, then the rest, each
// once and in the order in which they came; and how many more there are of which
// nothing was kept.
func (d *Differences) All() (all []Counted, lost int) {
	all = []Counted{}
	for _, one := range slices.SortedFunc(maps.Keys(d.byKey), func(x, y Difference) int {
		return cmp.Or(x.order()-y.order(), d.byKey[x].first-d.byKey[y].first)
	}) {
		all = append(all, Counted{one, d.byKey[one].times})
	}
	return all, d.lost
}

// WriteTo prints them in the order of All.
func (d *Differences) WriteTo(w io.Writer) (int64, error) {
	all, more := d.All()
	var b strings.Builder
	shown := map[int]int{}
	for _, one := range all {
		if shown[one.order()]++; shown[one.order()] > maxShown {
			more++
			continue
		}
		fmt.Fprintf(&b, "%s: %s", one.kind(), enforce.Printable(one.Request))
		if one.Times > 1 {
			fmt.Fprintf(&b, " (%d times)", one.Times)
		}
		b.WriteString("\n")
		field(&b, "reason", one.Reason)
		field(&b, "rule", one.Rule)
		if one.Allow != "" {
			field(&b, fmt.Sprintf("to allow it, add under \"allow:\" in %s", cmp.Or(d.PolicyName, "a policy")), one.Allow)
		}
	}
	if more > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (d Difference) order() int {
	switch {
	case d.Now == policy.Deny:
		return 0
	case d.Was == policy.Deny:
		return 1
	default:
		return 2
	}
}

// kind says what becomes of the request now.
func (d Difference) kind() string {
	switch d.order() {
	case 0:
		return "newly denied"
	case 1:
		return "newly allowed"
	default:
		return fmt.Sprintf("%s instead of %s", d.Now, d.Was)
	}
}
