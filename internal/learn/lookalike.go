package learn

import (
	"cmp"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/hostname"
)

// A host that was chosen to be taken for another one is a rule like any other, by
// which whoever has that name is let in next week. Nothing shows that it is wrong,
// so it is learned; but the reviewer reads of it.

const foreignLetters = "it has letters that may look like others"

// minLabel is the shortest label of which one letter may be mistaken: of shorter
// ones too many are close to each other.
const minLabel = 5

// domain is a name that somebody registered, and how often it was asked for.
type domain struct {
	name     string
	chosen   string // its own label
	label    string // what that looks like
	requests int
	reviewed bool // the policy that is merged into forwards to it
}

// lookalikes marks the rules and registries whose host is named like one that more
// requests went to, or as many, or that the policy that is merged into forwards to:
// however often who took its name was asked for, that one was reviewed.
func (l *Learner) lookalikes(d *draft) {
	hosts := map[string]int{}
	for k, f := range l.flows {
		hosts[k.host] += f.requests
	}
	for _, r := range d.rules {
		hosts[r.host] = max(hosts[r.host], r.requests)
	}
	for _, r := range d.registries {
		if e, _, err := endpointOf(r.url); err == nil {
			hosts[e.host] = max(hosts[e.host], r.requests)
		}
	}
	reviewed := map[string]bool{}
	if l.options.Existing != nil {
		for _, host := range l.options.Existing.Hosts() {
			host = strings.TrimPrefix(host, "*.")
			hosts[host], reviewed[host] = max(hosts[host], 0), true
		}
	}
	known := newLabels(hosts, reviewed)
	for _, r := range d.rules {
		r.reviews = known.review(r.reviews, r.host, hosts)
	}
	for _, r := range d.registries {
		if e, _, err := endpointOf(r.url); err == nil {
			r.reviews = known.review(nil, e.host, hosts)
		}
	}
}

// labels finds domains by what their labels look like.
type labels struct {
	domains map[string]*domain
	// most has the domain that was asked for most, by label, and near the labels by
	// themselves and by what is left without one of their letters.
	most map[string]*domain
	near map[string][]string
}

func newLabels(hosts map[string]int, reviewed map[string]bool) *labels {
	ls := &labels{map[string]*domain{}, map[string]*domain{}, map[string][]string{}}
	for host, requests := range hosts {
		name, label := hostname.Registrable(host)
		if name == "" {
			continue
		}
		if ls.domains[name] == nil {
			ls.domains[name] = &domain{name: name, chosen: label, label: looks(label)}
		}
		ls.domains[name].requests += requests
		ls.domains[name].reviewed = ls.domains[name].reviewed || reviewed[host]
	}
	for _, d := range ls.domains {
		was := ls.most[d.label]
		if was == nil {
			for _, key := range without(d.label) {
				ls.near[key] = append(ls.near[key], d.label)
			}
		}
		if was == nil || d.before(was) {
			ls.most[d.label] = d
		}
	}
	return ls
}

// review adds what there is to say of a host.
func (ls *labels) review(reviews []string, host string, hosts map[string]int) []string {
	if strings.HasPrefix(host, "xn--") || strings.Contains(host, ".xn--") {
		reviews = addWord(reviews, foreignLetters)
	}
	name, _ := hostname.Registrable(host)
	if name == "" {
		return reviews
	}
	// npm.example.org.evil.test is of evil.test.
	for i := strings.LastIndexByte(host, '.'); i > 0; i = strings.LastIndexByte(host[:i], '.') {
		if _, known := hosts[host[:i]]; known && strings.Contains(host[:i], ".") {
			return addWord(reviews, "its name begins like "+host[:i]+", it is of "+name)
		}
	}
	switch like := ls.like(ls.domains[name]); {
	case like == nil:
	case like.reviewed:
		reviews = addWord(reviews, "is it meant to be of "+name+"? "+like.name+" is in the policy")
	default:
		reviews = addWord(reviews, "is it meant to be of "+name+"? "+like.name+" was asked, too")
	}
	return reviews
}

// before reports whether d is more likely than o to be what a name is meant to look
// like.
func (d *domain) before(o *domain) bool {
	if d.reviewed != o.reviewed {
		return d.reviewed
	}
	return cmp.Or(o.requests-d.requests, cmp.Compare(d.name, o.name)) < 0
}

// like returns the domain that d may be taken for, nil where there is none.
func (ls *labels) like(d *domain) *domain {
	if d.reviewed {
		return nil
	}
	var best *domain
	for _, key := range without(d.label) {
		for _, label := range ls.near[key] {
			o := ls.most[label]
			// Under several suffixes one label is most often one owner's.
			if o.chosen == d.chosen || !o.reviewed && o.requests < d.requests || !oneOff(label, d.label) {
				continue
			}
			if best == nil || o.before(best) {
				best = o
			}
		}
	}
	return best
}

// looks folds what looks alike in the letters that a host may have.
func looks(label string) string {
	return strings.NewReplacer("0", "o", "1", "l", "i", "l", "rn", "m", "vv", "w", "5", "s", "-", "").Replace(label)
}

// without returns a label, and it without each of its letters where it is not short.
// Two labels that are one letter apart, or have two letters swapped, have one of
// these in common.
func without(label string) []string {
	all := []string{label}
	for i := 0; i < len(label) && len(label) >= minLabel; i++ {
		if i == 0 || label[i] != label[i-1] { // else it is the same again
			all = append(all, label[:i]+label[i+1:])
		}
	}
	return all
}

// oneOff reports whether a and b are equal, or one letter or one swap apart.
func oneOff(a, b string) bool {
	if a == b {
		return true
	}
	if min(len(a), len(b)) < minLabel {
		return false
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:]
	switch {
	case len(a) == len(b):
		return a[1:] == b[1:] || len(a) > 1 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:]
	case len(a) == len(b)+1:
		return a[1:] == b
	default:
		return len(b) == len(a)+1 && b[1:] == a
	}
}
