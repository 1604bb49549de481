package main

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// ruleCounts is what the rules of a policy say about themselves.
type ruleCounts struct {
	Rules int `json:"rules"`
	// SingleSightings are rules that learn marked as seen but once, Reviews those
	// that it marked otherwise, and NotSeen those that it no longer saw.
	SingleSightings []ruleNote `json:"single_sightings"`
	Reviews         []ruleNote `json:"reviews"`
	NotSeen         []ruleNote `json:"not_seen"`
	// Writes are rules that let something be sent: other methods than GET and HEAD,
	// and what is not read on its way.
	Writes []ruleNote `json:"writes"`
	// Breadth are rules that let through more than was named, and OpenDefault is
	// true where what no rule matches is forwarded.
	Breadth     []ruleNote `json:"breadth"`
	OpenDefault bool       `json:"open_default"`
}

// ruleNote is a rule, and what there is to say about it.
type ruleNote struct {
	Rule string `json:"rule"`
	Note string `json:"note"`
}

// The words that learn puts into the comments of its rules.
const (
	reviewMark  = "; review: "
	seenOnce    = "seen once"
	seenInOne   = "seen in one run only"
	notSeenMark = "; not seen since "
	againMark   = "; seen again on "
)

func countRules(facts []allowlist.Fact, open bool) *ruleCounts {
	c := &ruleCounts{
		OpenDefault: open, SingleSightings: []ruleNote{}, Reviews: []ruleNote{},
		NotSeen: []ruleNote{}, Writes: []ruleNote{}, Breadth: []ruleNote{},
	}
	for _, f := range facts {
		c.Rules++
		c.evidence(f)
		if f.Action == policy.Deny {
			continue
		}
		if note := writes(f); note != "" {
			c.Writes = append(c.Writes, ruleNote{f.Rule, note})
		}
		for _, note := range breadth(f) {
			c.Breadth = append(c.Breadth, ruleNote{f.Rule, note})
		}
	}
	return c
}

// evidence reads the comments of one rule.
func (c *ruleCounts) evidence(f allowlist.Fact) {
	about := subject(f)
	var once, notSeen bool
	var reviews []string
	for _, comment := range f.Comments {
		comment, since, gone := strings.Cut(comment, notSeenMark)
		comment, _, again := strings.Cut(comment, againMark)
		for _, review := range strings.Split(comment, reviewMark)[1:] {
			if review == seenOnce || review == seenInOne {
				once = once || !again
			} else if !slices.Contains(reviews, review) {
				reviews = append(reviews, review)
			}
		}
		if gone && !notSeen {
			notSeen = true
			c.NotSeen = append(c.NotSeen, ruleNote{f.Rule, about + ": since " + since})
		}
	}
	if once {
		c.SingleSightings = append(c.SingleSightings, ruleNote{f.Rule, about})
	}
	if len(reviews) > 0 {
		c.Reviews = append(c.Reviews, ruleNote{f.Rule, about + ": " + strings.Join(reviews, "; ")})
	}
}

func subject(f allowlist.Fact) string {
	if f.Package != "" {
		return f.Package
	}
	return f.Host
}

// writes says what a rule lets be sent, or "".
func writes(f allowlist.Fact) string {
	var what []string
	for _, m := range f.Methods {
		if m != "GET" && m != "HEAD" && !slices.Contains(f.Schemes, "tcp") {
			what = append(what, m)
		}
	}
	if slices.Contains(f.Schemes, "tcp") {
		what = append(what, "raw TCP")
	}
	if f.Passthrough {
		what = append(what, "undecrypted")
	}
	if len(what) == 0 {
		return ""
	}
	where := f.Host
	switch len(f.Paths) {
	case 0:
	case 1:
		where += f.Paths[0]
	default:
		where += f.Paths[0] + " and " + plural(len(f.Paths)-1, "other path")
	}
	return strings.Join(what, ", ") + " to " + where
}

// breadth says in what a rule is wider than what it names.
func breadth(f allowlist.Fact) []string {
	if f.Package != "" {
		return packageBreadth(f)
	}
	var out []string
	if strings.HasPrefix(f.Host, "*.") {
		out = append(out, "any name below "+f.Host[2:])
	}
	if f.Passthrough || slices.Contains(f.Schemes, "tcp") {
		return out // counted as a way to write
	}
	if f.Paths == nil && f.Via == nil {
		out = append(out, "any path of "+f.Host)
	}
	for _, p := range f.Paths {
		switch {
		case strings.Contains(p, "**"):
			out = append(out, "** in "+f.Host+p)
		case strings.Contains(p, "*"):
			out = append(out, "* in "+f.Host+p)
		}
	}
	return out
}

// packageBreadth is about a package of any name or version.
func packageBreadth(f allowlist.Fact) []string {
	purl, _, _ := strings.Cut(f.Package, "?")
	at := strings.LastIndexByte(purl, '@')
	if at <= strings.LastIndexByte(purl, '/') { // a scope has one too
		at = len(purl)
	}
	switch name, version := purl[:at], strings.TrimPrefix(purl[at:], "@"); {
	case strings.Contains(name, "*"):
		return []string{"any name that " + name + " matches"}
	case version == "":
		return []string{"any version of " + name}
	case f.OneVersion:
		return nil
	default:
		return []string{"versions " + version + " of " + name}
	}
}

// hostOnly is what most allowlists of hosts are: a host and a port, whatever is
// said there.
type hostOnly struct {
	open  bool
	exact map[string]bool // host:port
	below map[string]bool // the same, of what the host is above
}

func newHostOnly(facts []allowlist.Fact, registries map[string][]string, open bool) *hostOnly {
	h := &hostOnly{open: open, exact: map[string]bool{}, below: map[string]bool{}}
	for _, f := range facts {
		if f.Action == policy.Deny {
			continue
		}
		if f.Package != "" {
			typ, _, _ := strings.Cut(strings.TrimPrefix(f.Package, "pkg:"), "/")
			for _, r := range registries[typ] {
				if host, port, ok := endpointOf(r); ok {
					h.exact[host+":"+port] = true
				}
			}
			continue
		}
		hosts, host := h.exact, f.Host
		if rest, ok := strings.CutPrefix(host, "*."); ok {
			hosts, host = h.below, rest
		}
		for _, p := range f.Ports {
			hosts[host+":"+strconv.Itoa(int(p))] = true
		}
		for _, s := range f.Schemes {
			if own := policy.DefaultPort(s); f.Ports == nil && own != 0 {
				hosts[host+":"+strconv.Itoa(int(own))] = true
			}
		}
	}
	return h
}

func (h *hostOnly) permits(url string) bool {
	host, port, ok := endpointOf(withoutUser(url))
	if !ok || h.open {
		return h.open
	}
	if h.exact[host+":"+port] {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	for _, parent, more := strings.Cut(host, "."); more; _, parent, more = strings.Cut(parent, ".") {
		if h.below[parent+":"+port] {
			return true
		}
	}
	return false
}

// endpointOf returns what is connected to for a URL, whatever its path is.
func endpointOf(raw string) (host, port string, ok bool) {
	scheme, rest, _ := strings.Cut(raw, "://")
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	u, err := url.Parse("any://" + authority)
	if err != nil || u.Hostname() == "" {
		return "", "", false
	}
	port = u.Port()
	if port == "" {
		port = strconv.Itoa(int(policy.DefaultPort(scheme)))
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), port, true
}
