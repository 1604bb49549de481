package child

import "fmt"

// Exit codes of a command that did not start, as env(1) and the shells have
// them.
const (
	codeInternal      = 125
	codeNotExecutable = 126
	codeNotFound      = 127
)

// StartError says why a command did not start.
type StartError struct {
	// Argv0 is the command's name as it was given.
	Argv0 string
	// Code is the exit code to report: 126 when the command was found and could
	// not be executed, 127 when it was not found, 125 for anything else.
	Code int
	// Err is the reason.
	Err error

	hint string
}

// Error implements error, in one line whatever the name holds.
func (e *StartError) Error() string {
	if e.Argv0 == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("cannot start %q: %v", e.Argv0, e.Err)
}

// Hint says what to do next; it may be empty.
func (e *StartError) Hint() string { return e.hint }

// Unwrap returns the reason.
func (e *StartError) Unwrap() error { return e.Err }
