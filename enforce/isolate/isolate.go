// Package isolate runs the command so that the proxy is its way to the network,
// and says how strong that is. One backend a file.
//
// It must never start the command when the confinement that was asked for could
// not be made, and it must never weaken one silently.
package isolate

import (
	"context"
	"net"
	"os"
)

// Command is what to run, as the user gave it: no shell, no re-quoting.
type Command struct {
	// Argv is the command and its arguments; Argv[0] is looked up in the PATH of
	// Env.
	Argv []string
	// Env is the whole environment of the command.
	Env []string
	// Stdin, Stdout and Stderr are handed to the command as they are.
	Stdin, Stdout, Stderr *os.File
}

// Jail is a confinement that has been made and awaits its command.
type Jail interface {
	// Name is the word for this backend in flags, events and reports.
	Name() string
	// Advisory is true when the command can go around the proxy if it wants to.
	Advisory() bool
	// Listener is where the command's connections arrive. The caller serves and
	// closes it.
	Listener() net.Listener
	// ProxyURL is the proxy's address as the command must spell it.
	ProxyURL() string
	// Run starts the command, forwards signals to it, waits for it and for
	// everything it left behind, and returns its exit code: 128+n for signal n.
	// When ctx ends, all of it is killed. An error means that the command did
	// not run; see child.StartError.
	Run(ctx context.Context, c Command) (int, error)
	// Close releases what the jail holds.
	Close() error
}
