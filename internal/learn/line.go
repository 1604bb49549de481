package learn

import (
	"strconv"
	"strings"
	"sync"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
)

// Proposer says what to add to a policy so that a request that was denied is
// allowed: what learning from that request alone would write, on one line. It is
// immutable, and safe for concurrent use.
type Proposer struct {
	lists      func() *lists // read when the first request is denied
	recognizer *ecosystem.Recognizer
}

// NewProposer returns a Proposer for policies whose registries are those of r.
func NewProposer(r *ecosystem.Recognizer) *Proposer {
	return &Proposer{sync.OnceValue(newLists), r}
}

// Line returns the entry to put under `allow:` so that r is allowed. It differs
// from policy.Request.Line where learning does: what git asks for is told by its
// query, files of code hosts and of registries by their kind, and what looks like
// a secret is masked; a comment says what deserves a look. From a rule for reads
// it differs in that the method is named.
//
// It is empty where learning writes no rule, see Unlearned.
func (p *Proposer) Line(r *policy.Request) string {
	k, l, v := p.judge(r)
	if !v.learned {
		return ""
	}
	read := isRead(r.Method)
	switch {
	case r.Scheme == "tcp", r.Method == passthrough:
		return r.Line()
	case read && r.Package != "" && r.Registry != "":
		if nameOf(r.Package) == r.Package {
			return reviewed(r.Line(), []string{anyVersionReview})
		}
		return r.Line()
	case read && r.Redirector() != "":
		return r.Line()
	}
	s := sighting{key: k, flow: new(flow)}
	if pattern := p.recognizer.Index(k.query(s.flow)); pattern != "" {
		s.path, s.index = pattern, true
	}
	lines := map[place]*pathLine{}
	at := l.line(lines, s, s.reading(codeHosts{k.endpoint: l.lists.showsCode(k)}))
	line := r.Line()
	if at.pattern != r.Path || at.query != "" {
		line = l.flowLine(at, r.Method)
	}
	return reviewed(line, lines[at].reviews)
}

// reviewed puts what a person should look at behind a line.
func reviewed(line string, reviews []string) string {
	if len(reviews) == 0 {
		return line
	}
	return line + "  # " + comment("was denied", "", reviews)
}

// Unlearned returns why learning writes no rule for r, or "": no rule can be about
// it, or its host takes in whatever is sent to it, hands out credentials, or
// answers lookups of names.
func (p *Proposer) Unlearned(r *policy.Request) string {
	_, _, v := p.judge(r)
	return v.why
}

func (p *Proposer) judge(r *policy.Request) (key, *Learner, verdict) {
	k := key{endpoint{r.Scheme, r.Host, r.Port}, r.Method, r.Path, serviceIn(r.Path, r.Query), ""}
	if r.Scheme == "tcp" || r.Method == passthrough {
		k.path = ""
	}
	l := &Learner{lists: p.lists()}
	return k, l, l.judge(k, &flow{ok: 1})
}

// flowLine returns a rule on one line.
func (l *Learner) flowLine(at place, method string) string {
	var b strings.Builder
	b.WriteString("- {host: " + quoted(at.host) + ", methods: [" + quoted(method) + "], paths: [" + quoted(at.pattern) + "]")
	if at.query != "" {
		b.WriteString(", query: " + at.query)
	}
	if !at.ownPort() {
		b.WriteString(", ports: [" + strconv.Itoa(int(at.port)) + "]")
	}
	if at.scheme != "https" {
		b.WriteString(", schemes: [" + at.scheme + "]")
	}
	if ns := l.networks(at.endpoint); len(ns) > 0 {
		b.WriteString(", networks: [" + quoted(ns[0].String()) + "]")
	}
	return b.String() + "}"
}
