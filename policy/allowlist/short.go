package allowlist

import (
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// shortRule reads a rule of one line into r: a package, a URL pattern, or
// methods and a URL pattern.
func (p *parser) shortRule(n *yaml.Node, r *rule) bool {
	text, ok := p.text(n, "a rule")
	if !ok {
		return false
	}
	if strings.HasPrefix(text, "pkg:") {
		r.pkg = p.packagePattern(n, text)
		return r.pkg != nil
	}
	if strings.Contains(text, "\n") {
		p.at(n, "a rule as a text stands on one line", "write it behind the dash, without > or |")
		return false
	}
	if i := strings.Index(text, " - "); i >= 0 {
		p.within(n, i+1, "two rules in one: a line that is indented further than the dash above it goes on with its rule", "begin each rule on a line of its own, its dash below the dash above it")
		return false
	}
	methods, url, hasMethods := strings.Cut(text, " ")
	if !hasMethods {
		methods, url = "", text
	}
	url = strings.TrimLeft(url, " ")
	scheme, _, isURL := strings.Cut(url, "://")
	if !isURL {
		p.at(n, quoted(text)+" is not a rule", shortHint(text, p.ruleNames))
		return false
	}
	if i := strings.LastIndexByte(scheme, ' '); i >= 0 || strings.ContainsAny(methods, "|;") {
		if list := spacedMethods(methods + " " + scheme[:max(i, 0)]); list != "" {
			p.at(n, "methods have a comma between them, and no blank", "write "+list+" "+scheme[i+1:]+url[len(scheme):])
			return false
		}
	}
	before := len(p.mistakes)
	if hasMethods {
		offset := 0
		for m := range strings.SplitSeq(methods, ",") {
			if p.methodName(n, offset, m) {
				r.methods = append(r.methods, m)
			}
			offset += len(m) + 1
		}
	}
	p.url(n, r, len(text)-len(url), scheme, url[len(scheme)+3:])
	if r.schemes == schemeTCP && hasMethods {
		p.at(n, "raw tcp has no methods", "write the URL alone")
	}
	return len(p.mistakes) == before
}

// url reads the rest of a URL, which begins at offset, behind its scheme.
func (p *parser) url(n *yaml.Node, r *rule, offset int, scheme, rest string) {
	set, ok := p.schemeName(n, scheme)
	if ok {
		r.schemes = set
	}
	offset += len(scheme) + 3
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	host, port, wildcard, ok := p.authority(n, offset, authority)
	if !ok {
		return
	}
	r.host, r.wildcard = host, wildcard
	if port != 0 {
		r.ports = []uint16{port}
	}
	if set == schemeTCP && port == 0 && r.action != policy.Deny {
		p.at(n, "a tcp rule needs ports", "write tcp://"+authority+":22, or the port that is meant")
	}
	if path == "" {
		return
	}
	if set == schemeTCP {
		p.within(n, offset+len(authority), "raw tcp has no paths", "write the host and the port alone")
		return
	}
	if pat, ok := p.pathAt(n, offset+len(authority), path); ok {
		r.paths = []pattern{pat}
	}
}
