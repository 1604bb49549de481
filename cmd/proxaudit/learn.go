package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
)

// learnFlags are the flags of learn alone.
type learnFlags struct {
	learned     string // -o
	from        list
	merge, diff string
	failOnDrift bool
	// learnLock is apart from the flags of policies: what is learned is no policy yet.
	learnLock lockfileFlags
}

func (o *learnFlags) flags(f *flag.FlagSet) {
	f.StringVar(&o.learned, "o", "", "")
	f.Var(&o.from, "from", "")
	f.StringVar(&o.merge, "merge", "", "")
	f.StringVar(&o.diff, "diff", "", "")
	f.BoolVar(&o.failOnDrift, "fail-on-drift", false, "")
	o.learnLock.flags(f)
}

// learnsFromRecordings are the flags that go with -from; the others are for a run.
func learnsFromRecordings() []string {
	return []string{"from", "o", "merge", "diff", "fail-on-drift", "lockfile", "registry"}
}

// recordings takes the words behind -from for further recordings: a shell makes
// them of -from *.jsonl. Flags may follow them, as what is learned is no command.
func (o *learnFlags) recordings(f *flag.FlagSet, args []string) error {
	for rest := f.Args(); len(rest) > 0; rest = f.Args() {
		if behind := len(args) - len(rest); behind > 0 && args[behind-1] == "--" {
			return fail("drop -from to run the command, or the command to learn from recordings", errors.New("-from runs no command"))
		}
		o.from = append(o.from, rest[0])
		args = rest[1:]
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return errHelp
		} else if err != nil {
			return fail("proxaudit help learn lists the flags", err)
		}
	}
	var other error
	f.Visit(func(given *flag.Flag) {
		if !slices.Contains(learnsFromRecordings(), given.Name) {
			other = fail("drop it, or drop -from to run a command", fmt.Errorf("-%s is for a run, and -from runs nothing", given.Name))
		}
	})
	return other
}

// check finds flags of learn that contradict each other.
func (o *learnFlags) check() error {
	i, twice := repeated(o.from)
	switch {
	case twice:
		return fail("each recording is a run; name it once", fmt.Errorf("%s is given twice", o.from[i]))
	case o.merge != "" && o.diff != "":
		return fail("drop one of them: -diff prints what -merge would change", errors.New("-merge and -diff are two answers"))
	case o.failOnDrift && o.policy() == "":
		return fail("name the policy with -diff or -merge", errors.New("-fail-on-drift compares with a policy, and none is named"))
	case o.diff != "" && o.learned != "" && sameFile(o.diff, o.learned):
		return fail("-merge changes the policy; -diff takes another -o, or none", errors.New("-o would put the difference in the place of the policy"))
	}
	return o.learnLock.check()
}

// policy returns the policy that -merge or -diff names, "" where there is none.
func (o *learnFlags) policy() string { return cmp.Or(o.merge, o.diff) }
