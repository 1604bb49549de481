package learn

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

var errRegistries = errors.New("what stands under registries ends where it cannot be seen: write one ecosystem a line")

// addRegistries puts under registries what packages were read from and is not
// there.
func (p *policyText) addRegistries(d *draft, known map[string][]string) error {
	lines := map[string][]string{} // by ecosystem: a URL, and the evidence behind it
	for i, line := range d.registryLines() {
		r := d.registries[i]
		if slices.Contains(known[r.typ], r.url) {
			continue
		}
		// A rule for a package holds at every registry of its kind.
		if len(known[r.typ]) > 0 && !strings.HasSuffix(line, foreignReview) {
			line += "; review: " + foreignReview
		}
		lines[r.typ] = append(lines[r.typ], line)
	}
	if len(lines) == 0 {
		return nil
	}
	if isFlow(p.root) {
		return errFlowPolicy
	}
	_, value := field(p.root, "registries")
	if value == nil {
		at, depth := p.headEnd()+1, strings.Repeat(" ", p.root.Column-1)
		p.insert(at, depth+"registries:\n"+registryBlock(lines, p.root.Column+1))
		return nil
	}
	fresh := map[string][]string{}
	for _, typ := range slices.Sorted(maps.Keys(lines)) {
		key, there := field(value, typ)
		if key == nil {
			fresh[typ] = lines[typ]
			continue
		}
		if !p.addOrigins(value, key, there, lines[typ]) {
			return errRegistries
		}
	}
	return p.addEcosystems(value, fresh)
}

// registryLines returns, for each drafted registry, its URL and the evidence behind
// it, as they are written in a list.
func (d *draft) registryLines() []string {
	p := printer{runs: d.runs}
	p.registries(d.registries)
	var out []string
	for line := range strings.Lines(p.String()) {
		_, text, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if dashed, isItem := strings.CutPrefix(line, "    - "); isItem {
			text, ok = strings.TrimSuffix(dashed, "\n"), true
		}
		if ok {
			out = append(out, text)
		}
	}
	return out
}

func registryBlock(lines map[string][]string, depth int) string {
	var b strings.Builder
	indent := strings.Repeat(" ", depth)
	for _, typ := range slices.Sorted(maps.Keys(lines)) {
		if len(lines[typ]) == 1 {
			b.WriteString(indent + typ + ": " + lines[typ][0] + "\n")
			continue
		}
		b.WriteString(indent + typ + ":\n")
		b.WriteString(dashes(lines[typ], depth+2))
	}
	return b.String()
}

func dashes(lines []string, depth int) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.Repeat(" ", depth) + "- " + line + "\n")
	}
	return b.String()
}

// origins drops the evidence from lines, for brackets.
func origins(lines []string) []flowItem {
	var out []flowItem
	for _, line := range lines {
		url, _, _ := strings.Cut(line, "  #")
		out = append(out, flowItem{text: url})
	}
	return out
}

// addEcosystems adds keys to registries.
func (p *policyText) addEcosystems(registries *yaml.Node, fresh map[string][]string) error {
	switch {
	case len(fresh) == 0:
		return nil
	case !isFlow(registries):
		last := registries.Content[len(registries.Content)-1]
		p.insert(p.lastLine(last, p.limit(registries))+1, registryBlock(fresh, registries.Column-1))
		return nil
	}
	var items []flowItem
	for _, typ := range slices.Sorted(maps.Keys(fresh)) {
		urls := origins(fresh[typ])
		text := urls[0].text
		if len(urls) > 1 {
			text = "[" + strings.Join(each(urls, func(i flowItem) string { return i.text }), ", ") + "]"
		}
		items = append(items, flowItem{text: typ + ": " + text})
	}
	if !p.insertFlow(registries, items, false) {
		return errRegistries
	}
	return nil
}

// addOrigins adds to the registries of one ecosystem.
func (p *policyText) addOrigins(registries, key, there *yaml.Node, lines []string) bool {
	at := p.offset(there)
	behind, ok := p.end(there)
	switch {
	case !ok:
		return false
	case there.Kind == yaml.SequenceNode && isFlow(there):
		return p.insertFlow(there, origins(lines), false)
	case there.Kind == yaml.SequenceNode:
		p.insert(p.lineOf(behind-1)+1, dashes(lines, there.Column-1))
	case isFlow(registries):
		p.rewrite(at, 0, "[")
		for _, o := range origins(lines) {
			p.rewrite(behind, 0, ", "+o.text)
		}
		p.rewrite(behind, 0, "]")
	case there.Line != key.Line:
		p.rewrite(at, 0, "- ")
		p.insert(p.lineOf(behind-1)+1, dashes(lines, there.Column-1))
	default:
		// One origin behind its key becomes the first of a list; its line keeps all
		// that stands on it.
		keyEnd, ok := p.end(key)
		colon := bytes.IndexByte(p.data[keyEnd:at], ':')
		if !ok || colon < 0 {
			return false
		}
		from, depth := keyEnd+colon+1, registries.Column+1
		p.rewrite(from, at-from, "\n"+strings.Repeat(" ", depth)+"- ")
		p.insert(p.lineOf(behind-1)+1, dashes(lines, depth))
	}
	return true
}
