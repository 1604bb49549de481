package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/juliendoutre/proxaudit/internal/bundle"
	"github.com/juliendoutre/proxaudit/internal/clientenv"
)

// aboutPolicies are the arguments of a verb that says something about policies
// and runs no command.
type aboutPolicies struct {
	policySources
	words []string // what is no flag
}

// parseAbout reads the flags of such a verb, which may stand between its words.
func parseAbout(verb string, args []string, more func(*flag.FlagSet)) (*aboutPolicies, error) {
	a := &aboutPolicies{}
	f := flag.NewFlagSet(verb, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	a.flags(f)
	more(f)
	for len(args) > 0 {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, errHelp
		} else if err != nil {
			return nil, fail("proxaudit help "+verb+" lists the flags", err)
		}
		if args = f.Args(); len(args) > 0 {
			a.words, args = append(a.words, args[0]), args[1:]
		}
	}
	return a, nil
}

// loader returns a loader for the sources, which must be some. What policies
// print is not for these verbs.
func (a *aboutPolicies) loader(verb string, con console) (*policyLoader, error) {
	if len(a.policies)+len(a.lockfiles) == 0 {
		return nil, fail("proxaudit learn -o policy.yaml -- COMMAND writes one", errors.New(verb+" needs a policy: -policy FILE"))
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	return newPolicyLoader(a.policySources, nil, newRemotes(func() *http.Client {
		return bundle.NewClient(clientenv.ReadRoots(os.Environ()).Pool(), clientenv.OuterProxy(os.Environ()))
	}, func(text string) { say(con.err, "warning", text) }))
}

// misused answers wrong usage, or a call for help.
func misused(verb string, err error, con console) int {
	if errors.Is(err, errHelp) {
		return show(con.out, helpText([]string{verb}))
	}
	complain(con.err, err)
	return exitUsage
}

// unwritten answers that standard output took no more.
func unwritten(err error, con console) int {
	return complain(con.err, fmt.Errorf("writing to standard output: %w", err))
}
