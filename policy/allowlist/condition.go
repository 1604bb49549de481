package allowlist

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// condition is what a parameter of the query or a header field must be.
type condition struct {
	// name is decoded. Under deny it is in lower case, as values are; that of a
	// header field always is.
	name     string
	optional bool    // written with a question mark behind the name: it may be absent
	values   []*glob // any of them
}

// anyName is the key that stands for every parameter that is not listed.
const anyName = "*"

// maxConditions bounds the keys of one query or headers.
const maxConditions = 64

// conditions reads a mapping of names to a pattern or a list of them.
func (p *parser) conditions(n *yaml.Node, what string, a policy.Action, name func(*yaml.Node, string) (string, bool), literal func(*yaml.Node, string) (string, bool)) []condition {
	out := []condition{}
	ok := p.fields(n, what, nil, func(key, v *yaml.Node) {
		c := condition{}
		text := key.Value
		if strings.HasSuffix(text, "?") {
			if a == policy.Deny {
				p.at(key, "a question mark has no meaning under deny: what is absent is not denied", "write "+text[:len(text)-1])
				return
			}
			c.optional, text = true, text[:len(text)-1]
		}
		var ok bool
		if c.name, ok = name(key, text); !ok {
			return
		}
		if a == policy.Deny {
			c.name = strings.ToLower(c.name)
		}
		if slices.ContainsFunc(out, func(o condition) bool { return o.name == c.name }) {
			p.at(key, "the name "+quoted(c.name)+" stands here already in another spelling", "keep one, with a list of patterns")
			return
		}
		c.values = p.patterns(v, key.Value, a, literal)
		out = append(out, c)
	})
	switch {
	case !ok:
		return nil
	case len(out) > maxConditions:
		p.at(n, what+" has too many names", "64 are the most; write several rules")
	}
	return out
}

// patterns reads one pattern, or a list of them.
func (p *parser) patterns(n *yaml.Node, name string, a policy.Action, literal func(*yaml.Node, string) (string, bool)) []*glob {
	nodes := []*yaml.Node{n}
	switch {
	case n.Kind == yaml.SequenceNode:
		nodes = p.items(n, name)
	case isNull(n):
		p.at(n, name+" has no pattern", `write "*" for any value, or "" for the empty one`)
		return nil
	}
	var out []*glob
	for _, item := range nodes {
		text, ok := p.text(item, "a pattern")
		if !ok {
			continue
		}
		if f := checkWord(text); f != nil {
			p.within(item, f.offset, f.message, f.hint)
			continue
		}
		parts := strings.Split(text, "*")
		for i := range parts {
			if ok {
				parts[i], ok = literal(item, parts[i])
			}
			if a == policy.Deny {
				parts[i] = strings.ToLower(parts[i])
			}
		}
		if ok {
			out = append(out, &glob{first: parts[0], rest: parts[1:]})
		}
	}
	return out
}

// checkWord checks a pattern in which a star stands for any run of characters.
func checkWord(text string) *fault {
	switch i := strings.Index(text, "**"); {
	case i >= 0:
		return &fault{i, "two stars in a pattern", "one star stands for any run of characters"}
	case len(text) > maxPattern:
		return &fault{message: "pattern is too long", hint: "a pattern may have 4096 bytes"}
	case strings.Count(text, "*") > maxStars:
		return &fault{message: "pattern has too many stars", hint: "write several patterns"}
	}
	return nil
}

// query reads the conditions of a query. A name or a pattern is written as in a
// URL, where percent-encoding stands for a character that is meant.
func (p *parser) query(n *yaml.Node, a policy.Action) []condition {
	name := func(key *yaml.Node, text string) (string, bool) {
		if text == anyName {
			return anyName, true
		}
		if i := strings.IndexByte(text, '*'); i >= 0 {
			p.within(key, i, "a star stands for every name that is not listed, alone", `write the name, or "*" and the values that any other may have`)
			return "", false
		}
		if text == "" {
			p.at(key, "a parameter without a name", "write its name")
			return "", false
		}
		plain, ok := p.decoded(key, text)
		if plain == anyName {
			p.at(key, "a parameter that is named by a star cannot be told from any", "leave it out")
			ok = false
		}
		return plain, ok
	}
	out := p.conditions(n, "query", a, name, p.decoded)
	if out != nil && len(n.Content) == 0 && a == policy.Deny {
		p.at(n, "query is empty, which changes nothing under deny", "remove query, or name a parameter")
	}
	return out
}

// decoded undoes the percent-encoding of a part of n.
func (p *parser) decoded(n *yaml.Node, text string) (string, bool) {
	if i := strings.IndexAny(text, "&#+"); i >= 0 {
		hint := map[byte]string{'&': "each parameter has its own key; the character itself is written %26", '#': "the character itself is written %23", '+': "write %20 for a space, %2B for a plus"}[text[i]]
		p.at(n, quoted(text[i:i+1])+" cannot stand in a parameter", hint)
		return "", false
	}
	plain, err := url.PathUnescape(text)
	if err != nil {
		p.at(n, "broken percent-encoding in "+quoted(text), "write %25 for a percent sign")
		return "", false
	}
	return plain, true
}

// headers reads the conditions of header fields. What they hold is text, without
// an encoding.
func (p *parser) headers(n *yaml.Node, a policy.Action) []condition {
	name := func(key *yaml.Node, text string) (string, bool) {
		canonical := http.CanonicalHeaderKey(text)
		switch lower := strings.ToLower(text); {
		case !isToken(text):
			p.at(key, "bad header name "+quoted(text), "write a name such as Content-Type")
		case lower == "host":
			p.at(key, "the header Host is the rule's host", "remove it, and name the host")
		case isHopByHop(lower):
			p.at(key, "the header "+canonical+" is about one connection and is not forwarded as it was sent", "remove it")
		case a != policy.Deny && overrides(lower) != 0:
			p.at(key, "a request with the header "+canonical+" matches no "+a.String()+" rule, for a server may take the method or the path from it", "remove it")
		default:
			return strings.ReplaceAll(lower, "_", "-"), true // as equalField does
		}
		return "", false
	}
	plain := func(_ *yaml.Node, text string) (string, bool) { return text, true }
	out := p.conditions(n, "headers", a, name, plain)
	if out != nil && len(n.Content) == 0 {
		p.at(n, "headers is empty, which changes nothing", "remove headers, or name a header")
	}
	return out
}

// isToken is token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~") == "" && !strings.Contains(s, "*")
}

// isHopByHop reports whether a field is about one connection, RFC 9110 section
// 7.6.1, or about the message's framing.
func isHopByHop(lower string) bool {
	switch lower {
	case "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length":
		return true
	}
	return strings.HasPrefix(lower, "proxy-")
}
