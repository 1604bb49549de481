package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
	"github.com/juliendoutre/proxaudit/policy/rego"
)

// asked are the flags that say more about the request of `proxaudit explain`.
type asked struct {
	processes, headers, via list
	purl                    string
}

// explain says which rule decides about one request, why the others did not, and
// what would change it.
func explain(args []string, con console) int {
	var more asked
	a, err := parseAbout("explain", args, func(f *flag.FlagSet) {
		f.Var(&more.processes, "process", "")
		f.Var(&more.headers, "header", "")
		f.Var(&more.via, "via", "")
		f.StringVar(&more.purl, "package", "", "")
	})
	if err != nil {
		return misused("explain", err, con)
	}
	l, err := a.loader("explain", con)
	if err != nil {
		return misused("explain", err, con)
	}
	r, err := more.request(a.words)
	if err != nil {
		return misused("explain", fail(`write a method and a URL: proxaudit explain -policy policy.yaml GET https://build.example.org/tools/cc.tgz`, err), con)
	}
	p, err := l.load(context.Background())
	if err != nil {
		return misused("explain", err, con)
	}
	e := explanation{policies: p, floors: len(l.floors), request: r}
	e.write(context.Background())
	if _, err := con.out.WriteString(e.text.String()); err != nil {
		return unwritten(err, con)
	}
	return exitOK
}

// request returns the request that the words and the flags describe.
func (a *asked) request(words []string) (*policy.Request, error) {
	r, err := wordsRequest(strings.Join(words, " "))
	if err != nil {
		return nil, err
	}
	for _, h := range a.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("-header %q is not NAME:VALUE", h)
		}
		if r.Header == nil {
			r.Header = map[string][]string{}
		}
		http.Header(r.Header).Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	for _, exe := range a.processes {
		if !path.IsAbs(exe) {
			return nil, fmt.Errorf("-process %q is not a whole path", exe)
		}
	}
	if len(a.processes) > 0 {
		r.Process = &policy.Process{PID: 1, Exe: a.processes[0], Argv: a.processes[:1], Parents: a.processes[1:]}
	}
	if r.Via, err = redirectors(a.via); err != nil {
		return nil, err
	}
	if a.purl != "" {
		if !strings.HasPrefix(a.purl, "pkg:") {
			return nil, errors.New("-package takes a package URL, such as pkg:npm/lodash@4.17.21")
		}
		r.Package, r.Registry = a.purl, r.Scheme+"://"+r.Authority()+"/"
	}
	return r, nil
}

// explanation is what is written about one request.
type explanation struct {
	*policies
	floors  int
	request *policy.Request
	text    strings.Builder
}

func (e *explanation) say(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = enforce.Printable(s)
		}
	}
	fmt.Fprintf(&e.text, format, args...)
}

func (e *explanation) write(ctx context.Context) {
	d := e.ask(ctx, e.request)
	if e.request.Registry == "" {
		e.request.Package, e.request.Registry = e.identify(e.request)
	}
	e.say("%s\n", requestLine(e.request))
	switch {
	case e.request.Registry != "":
		e.say("  package: %s, from %s\n", e.request.Package, e.request.Registry)
	case e.request.Package != "":
		e.say("  package: none; it looks like %s, but its origin does not stand under registries\n", e.request.Package)
	}
	e.say("%s%s\n", d.Action.String(), by(d))
	if d.Reason != "" {
		e.say("  reason: %s\n", d.Reason)
	}
	for _, n := range d.Networks {
		e.say("  may be dialled at: %s\n", n.String())
	}
	for i, one := range e.read {
		e.source(ctx, one, i >= len(e.read)-e.floors)
	}
	e.change(d)
}

func by(d policy.Decision) string {
	switch {
	case d.Rule != "":
		return ", by " + d.Rule
	case d.Default:
		return ", by default"
	default:
		return ""
	}
}

// source explains what one source has to do with it.
func (e *explanation) source(ctx context.Context, one reading, floor bool) {
	name := one.source
	if floor {
		name += " (a floor)"
	}
	switch p := one.policy.(type) {
	case *allowlist.Policy:
		x := p.Explain(e.request)
		if len(x.Matched) == 0 && len(x.Missed) == 0 {
			e.say("\n%s: no rule is about this host or package\n", name)
			return
		}
		e.rules(name, "matches", x.Matched)
		e.rules(name, "does not match", x.Missed)
	case *rego.Policy:
		e.say("\n%s: what was evaluated\n", name)
		lines, err := p.Trace(ctx, e.request)
		if err != nil {
			e.say("  %s\n", err.Error())
		}
		for _, line := range lines {
			e.say("  %s\n", line)
		}
	}
}

func (e *explanation) rules(name, what string, rules []allowlist.Explained) {
	if len(rules) == 0 {
		return
	}
	e.say("\n%s: what %s\n", name, what)
	for _, r := range rules {
		e.say("  %s, under %s:\n", r.Rule, r.Action.String())
		for line := range strings.Lines(r.Text) {
			e.say("    %s\n", strings.TrimRight(line, "\n"))
		}
		for _, d := range r.Differs {
			e.say("    ^ %s\n", d)
		}
	}
}

// change says what would change the decision.
func (e *explanation) change(d policy.Decision) {
	e.text.WriteString("\n")
	line := e.propose(e.request)
	switch {
	case !isYAML(e.edit):
		e.say("to change it, edit %s: what was evaluated says where\n", e.edit)
	case d.Action != policy.Deny:
		e.say("to deny it, add under \"deny:\" in %s: - {host: %q}\n", e.edit, e.request.Host)
	case d.Final:
		e.say("no rule that is added allows it: remove or narrow %s, which denies\n", d.Rule)
	case line == "" && e.request.Line() == "":
		e.say("no rule can name it: %s\n", e.proposer.Unlearned(e.request))
	case line == "":
		e.say("no rule is proposed for it: %s; where it is right nevertheless, write one by hand\n", e.proposer.Unlearned(e.request))
	default:
		e.say("to allow it, add under \"allow:\" in %s: %s\n", e.edit, enforce.RedactURL(line))
	}
}
