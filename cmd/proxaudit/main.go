// Command proxaudit runs a command whose network traffic it records, learns
// from, or holds to a policy. See help.go for its use.
//
// This package turns a verb and its flags into a run and an exit code. It must
// never start the command before everything that watches it is in place.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Exit codes of proxaudit itself; the command has its own.
const (
	exitOK       = 0
	exitFindings = 1   // check, test, score and doctor found something
	exitUsage    = 2   // check, test, explain and score were called wrongly, or cannot read what they were given
	exitDenied   = 3   // the command succeeded, but something was denied
	exitFailed   = 125 // proxaudit could not do its job
)

func main() {
	os.Exit(run(os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// console is where a run reads and writes; the command gets the same files.
type console struct {
	in       *os.File
	out, err *os.File
}

// run is the whole program but for the exit: verb → what it does → exit code.
func run(args []string, con console) int {
	verb, rest := verbOf(args)
	switch verb {
	case "help":
		return show(con.out, helpText(rest))
	case "version":
		return show(con.out, versionText())
	case "doctor":
		return doctor(con)
	case "check":
		return check(rest, con)
	case "test":
		return test(rest, con)
	case "explain":
		return explain(rest, con)
	case "score":
		return score(rest, con)
	case "audit", "learn", "enforce":
		code, err := wrap(verb, rest, con)
		if err != nil {
			return complain(con.err, err)
		}
		return code
	default:
		return complain(con.err, reserved(verb))
	}
}

// verbOf splits the verb from its arguments. Without one, `audit` is meant: the
// first use proxaudit had.
func verbOf(args []string) (string, []string) {
	if len(args) == 0 {
		return "audit", nil
	}
	switch args[0] {
	case "-h", "-help", "--help":
		return "help", args[1:]
	case "-version", "--version":
		return "version", args[1:]
	case "audit", "learn", "enforce", "help", "version", "check", "test", "explain", "score", "report", "doctor":
		return args[0], args[1:]
	default:
		return "audit", args
	}
}

// reserved is the error for a verb that the contract names and this version
// does not have.
func reserved(verb string) error {
	return &failure{
		err:  fmt.Errorf("the verb %q is not in this version", verb),
		hint: fmt.Sprintf("to run a command of that name, write: proxaudit audit -- %s", verb),
	}
}

func show(w io.Writer, text string) int {
	if _, err := io.WriteString(w, strings.TrimRight(text, "\n")+"\n"); err != nil {
		return exitFailed
	}
	return exitOK
}
