package rego

import (
	"regexp"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// compared is a field of the input that is compared with a text.
type compared string

// fieldOf returns which field of the request a term is, "" for another.
func fieldOf(t *ast.Term) compared {
	ref, ok := t.Value.(ast.Ref)
	if !ok || !ref.HasPrefix(ast.InputRootRef) || !ref.IsGround() {
		return ""
	}
	name := strings.TrimPrefix(ref.String(), "input.")
	if envoy, ok := strings.CutPrefix(name, "attributes.request.http."); ok {
		if name = envoy; name == "host" {
			name = "authority" // with the port, where it is not the scheme's own
		}
	}
	return compared(name)
}

// comparisons points at texts that a field of the request is compared with and
// never is, and at looks at a host that more hosts pass than are meant. The module is
// as it was written: the compiler puts variables between fields and texts.
func (l *linting) comparisons(m *ast.Module) {
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if !e.IsCall() {
			return false
		}
		name := e.Operator().String()
		args := e.Operands()
		if len(args) < 2 {
			return false
		}
		switch name {
		case "eq", "equal":
			for i := range 2 {
				l.never(fieldOf(args[i]), args[1-i])
			}
		case "internal.member_2":
			l.inText(e, args[1])
			elements(args[1], func(t *ast.Term) { l.never(fieldOf(args[0]), t) })
		case "endswith", "startswith", "contains":
			l.swapped(name, args[0], args[1], "text first, then the part")
			l.part(name, fieldOf(args[0]), args[1])
		case "regex.match":
			l.swapped(name, args[1], args[0], "pattern first, then the text")
			l.pattern(fieldOf(args[1]), args[0])
		}
		return false
	})
}

// inText points at an `in` behind which stands a text: it has no elements.
func (l *linting) inText(e *ast.Expr, list *ast.Term) {
	if s, ok := list.Value.(ast.String); ok {
		l.at(e.Location, "never-equal", "nothing is in a text: in looks into a list, a set or an object", "write == "+shorten(s.String())+" for the whole, or contains(…) for a part")
	}
}

// swapped points at a call whose text is written out and whose part or pattern is the
// client's: whoever chooses the pattern chooses what it matches.
func (l *linting) swapped(name string, text, part *ast.Term, order string) {
	_, written := text.Value.(ast.String)
	if asked := fieldOf(part); written && asked != "" {
		l.at(part.Location, "swapped-arguments", name+" looks for what the client sends in a text that is always the same", order+": exchange the two")
	}
}

// elements calls f for each element of a list or a set that is written out.
func elements(t *ast.Term, f func(*ast.Term)) {
	switch v := t.Value.(type) {
	case *ast.Array:
		v.Foreach(f)
	case ast.Set:
		v.Foreach(f)
	}
}

// never adds a finding where field is never what a term is.
func (l *linting) never(field compared, t *ast.Term) {
	s, ok := t.Value.(ast.String)
	if !ok {
		return
	}
	text, why, mend := string(s), "", ""
	switch field {
	case "host":
		canonical, err := hostname.Canonical(text)
		_, port, portErr := hostname.ParseAuthority(text)
		switch {
		case strings.HasPrefix(text, "*"):
			why, mend = "a star means nothing to ==", `write endswith(input.host, "`+strings.TrimLeft(text, "*")+`"), with a dot in front`
		case err == nil && canonical != text:
			why, mend = "a host is in lower case and in ASCII, without a dot at its end", "write "+canonical
		case portErr == nil && port != 0:
			why, mend = "a host has no port", "compare input.port with the port"
		case err != nil:
			why, mend = "it is no host", "write a name such as build.example.org"
		}
	case "authority":
		if lower := strings.ToLower(text); lower != text {
			why, mend = "a host is in lower case", "write "+lower
		}
	case "method":
		if upper := strings.ToUpper(text); upper != text {
			why, mend = "methods are in capitals", "write "+upper
		}
	case "path":
		if !strings.HasPrefix(text, "/") {
			why, mend = "a path begins with a slash", "write /"+text
		}
	case "scheme":
		if policy.DefaultPort(text) == 0 && text != "tcp" {
			why, mend = "it is no scheme that there is", "write https, http, wss, ws or tcp"
		}
	}
	if why != "" {
		l.at(t.Location, "never-equal", string(field)+" is never "+shorten(t.String())+": "+why, mend)
	}
}

// part points at a look at the beginning, the end or the middle of a host.
func (l *linting) part(name string, field compared, t *ast.Term) {
	s, ok := t.Value.(ast.String)
	if !ok || field != "host" && field != "authority" || name == "endswith" && strings.HasPrefix(string(s), ".") {
		return
	}
	other := "evil" + strings.TrimLeft(string(s), "*")
	mend := `write input.host == "…", or endswith(input.host, ".…") with a dot in front for what is below a domain`
	if name != "endswith" {
		other = string(s) + ".evil.example"
	}
	l.at(t.Location, "loose-host", name+" also holds for "+shorten(escape(other))+", which anyone can own", mend)
}

// pattern points at a regular expression that is none, and at one that finds a host
// within another.
func (l *linting) pattern(field compared, t *ast.Term) {
	s, ok := t.Value.(ast.String)
	if !ok {
		return
	}
	if _, err := regexp.Compile(string(s)); err != nil {
		l.add(policy.Error, t.Location, "bad-pattern", "no regular expression: "+shorten(escape(err.Error()))+"; whatever it is asked about is denied with an error", "correct it; the syntax is RE2's")
		return
	}
	if (field == "host" || field == "authority") && !(strings.HasPrefix(string(s), "^") && strings.HasSuffix(string(s), "$")) {
		l.at(t.Location, "loose-host", "the expression also finds its host within another, which anyone can own", "write ^ in front of it and $ behind it")
	}
}

// headers points at header fields that are asked for by a name which none has.
func (l *linting) headers(m *ast.Module) {
	ast.WalkRefs(m, func(ref ast.Ref) bool {
		for i := 1; i+1 < len(ref) && ref[0].Equal(ast.InputRootDocument); i++ {
			name, ok := ref[i+1].Value.(ast.String)
			if lower := strings.ToLower(string(name)); ok && ref[i].Value.Compare(ast.String("headers")) == 0 && lower != string(name) {
				l.at(ref[i+1].Location, "header-case", "the names of header fields are in lower case here: "+shorten(name.String())+" is never there", `write "`+escape(lower)+`"`)
			}
		}
		return false
	})
}
