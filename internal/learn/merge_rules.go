package learn

import (
	"cmp"
	"errors"
	"slices"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// entry is a drafted rule as it is written in a list.
type entry struct {
	isPackage bool
	name      string // the package or the host
	text      string // whole lines, two spaces deep
}

// entries writes the drafted rules, packages first.
func (d *draft) entries() []entry {
	var out []entry
	for _, line := range d.packages {
		p := printer{runs: d.runs}
		p.packageLine(line)
		out = append(out, entry{true, line.purl, p.String()})
	}
	for _, r := range d.rules {
		p := printer{runs: d.runs}
		p.rule(r)
		out = append(out, entry{false, r.host, p.String()})
	}
	for _, b := range d.beside {
		p := printer{runs: d.runs}
		p.besideLine(b)
		out = append(out, entry{false, b.host, p.String()})
	}
	return out
}

// errFlowPolicy is for a policy that is one line of brackets.
var errFlowPolicy = errors.New("the policy as a whole stands in brackets, and rules with comments cannot be put there: write its keys on lines of their own")

// addRules puts rules under allow.
func (p *policyText) addRules(entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	if isFlow(p.root) {
		return errFlowPolicy
	}
	key, list := field(p.root, "allow")
	switch {
	case key == nil:
		depth := p.root.Column + 1
		p.insert(p.headEnd()+1, strings.Repeat(" ", p.root.Column-1)+"allow:\n"+indented(listed(entries, ""), depth))
		return nil
	case !isFlow(list):
		p.placeRules(list, entries)
		return nil
	}
	if end, ok := p.flowEnd(list); ok && len(list.Content) == 0 && list.Line == key.Line && p.lineOf(end) == key.Line {
		// allow: [] becomes a list of lines, as learn would have written it.
		at := p.offset(list)
		for p.data[at-1] == ' ' || p.data[at-1] == '\t' {
			at--
		}
		p.rewrite(at, end-at, "")
		p.insert(key.Line+1, indented(listed(entries, ""), p.root.Column+1))
		return nil
	}
	items, err := flowItems(entries)
	if err != nil {
		return err
	}
	if !p.insertFlow(list, items, true) {
		return errors.New("the list under allow ends where it cannot be seen: begin each rule with a dash, on a line of its own")
	}
	return nil
}

// headEnd returns the last line of what a policy says before its lists.
func (p *policyText) headEnd() int {
	last := 0
	for _, name := range []string{"version", "default", "registries"} {
		if _, value := field(p.root, name); value != nil {
			last = max(last, p.lastLine(value, p.limit(value)))
		}
	}
	return last
}

// listed writes rules one behind the other, as write.go does, set off from what is
// before them.
func listed(entries []entry, apart string) string {
	var b strings.Builder
	b.WriteString(apart)
	for i, e := range entries {
		if i == 0 && e.isPackage {
			b.WriteString(packagesHead + "\n")
		}
		if i > 0 && !e.isPackage {
			b.WriteByte('\n')
		}
		b.WriteString(e.text)
	}
	return b.String()
}

// placeRules puts each rule behind the learned one of its kind that comes before
// it in their order, so that a version stands next to the one it replaces. What
// has none of its kind goes to the end of the list.
func (p *policyText) placeRules(list *yaml.Node, entries []entry) {
	packages, hosts := byName(p.learned(list))
	depth := list.Column - 1
	var rest []entry
	for _, e := range entries {
		kin := hosts
		if e.isPackage {
			kin = packages
		}
		text := indented(e.text, depth)
		behind := sort.Search(len(kin), func(i int) bool { return kin[i].name > e.name })
		switch {
		case len(kin) == 0:
			rest = append(rest, e)
		case behind > 0:
			if !e.isPackage {
				text = "\n" + text
			}
			r := kin[behind-1]
			p.insert(p.lastLine(r.node, r.limit)+1, text)
		default:
			if !e.isPackage {
				text += "\n"
			}
			p.insert(p.commentsAbove(kin[0].line), text)
		}
	}
	if len(rest) > 0 {
		last := list.Content[len(list.Content)-1]
		p.insert(p.lastLine(last, p.limit(list))+1, indented(listed(rest, "\n"), depth))
	}
}

// byName sorts learned rules by what they are about, and those about the same by
// where they stand.
func byName(rules []learnedRule) (packages, hosts []learnedRule) {
	for _, r := range rules {
		switch {
		case r.name == "":
		case r.isPackage:
			packages = append(packages, r)
		default:
			hosts = append(hosts, r)
		}
	}
	order := func(a, b learnedRule) int { return cmp.Compare(a.name, b.name) }
	slices.SortStableFunc(packages, order)
	slices.SortStableFunc(hosts, order)
	return packages, hosts
}

// commentsAbove returns the first line of the comments that belong to a rule: those
// right above it. The heading of the packages belongs to them all.
func (p *policyText) commentsAbove(line int) int {
	for line > 1 {
		above := strings.TrimSpace(p.line(line - 1))
		if !strings.HasPrefix(above, "#") || above == strings.TrimSpace(packagesHead) {
			break
		}
		line--
	}
	return line
}
