package launch

import (
	"os"
	"slices"
	"strings"
)

// ahead is the first process of the run that this program's arguments ask for;
// nil is none. It starts while the rest of the program is being initialised, which
// takes as long: packages are initialised in the order of their paths, once what
// they import is (The Go Programming Language Specification, "Program
// initialization"), and this one imports neither net nor what needs it, so it comes
// before most others.
//
// Until someone asks for it, it waits for the plan of its jail, and has done
// nothing.
var ahead = startAhead(os.Args[1:])

func startAhead(args []string) <-chan outcome {
	if !confined(args) {
		return nil
	}
	return begin(false)
}

// confined reports whether the arguments are likely those of a run whose command
// is confined. A wrong guess is no harm: a process that nobody asks for ends with
// this one, and one that was not started ahead is started when it is asked for.
func confined(args []string) bool {
	end := slices.Index(args, "--")
	own := args
	if end >= 0 {
		own = args[:end]
	}
	if len(own) > 0 && !strings.HasPrefix(own[0], "-") {
		if !slices.Contains([]string{"audit", "learn", "enforce"}, own[0]) {
			return false
		}
	} else if end < 0 {
		return false
	}
	for i, arg := range own {
		name, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case !strings.HasPrefix(arg, "-"):
		case slices.Contains([]string{"server", "from", "h", "help"}, name):
			return false
		case name == "isolation":
			if !given && i+1 < len(own) {
				value = own[i+1]
			}
			if value != "auto" && value != "netns" {
				return false
			}
		}
	}
	return true
}

// First returns a new first process: the one that was started ahead, once, or one
// that is started now. With keepRoot, root stays root also where sudo was used.
func First(keepRoot bool) (*Process, error) { return first(ahead, keepRoot) }

func first(ahead <-chan outcome, keepRoot bool) (*Process, error) {
	if ahead != nil && !keepRoot {
		if o, ok := <-ahead; ok {
			return o.process, o.err
		}
	}
	o := <-begin(keepRoot)
	return o.process, o.err
}
