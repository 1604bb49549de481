package child

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
)

// lookup finds name in this process's PATH, with the extensions of PATHEXT.
func lookup(name string, _ []string) (string, error) { return exec.LookPath(name) }

func newStartError(name, _ string, err error) *StartError {
	e := &StartError{Argv0: name, Code: codeInternal, Err: err}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		e.Code, e.hint = codeNotFound, "check the spelling and PATH"
	case errors.Is(err, fs.ErrPermission):
		e.Code, e.hint = codeNotExecutable, "check that it is a program you may run"
	}
	return e
}

// ExitCode returns the program's exit code.
func ExitCode(state *os.ProcessState) int {
	if state == nil {
		return codeInternal
	}
	return state.ExitCode()
}

// forwarded returns what to keep from ending this process. The console sends
// Ctrl-C to every process attached to it, so nothing is handed on.
func forwarded() []os.Signal { return []os.Signal{os.Interrupt} }

func (p *Process) forward(os.Signal) {}

// terminate ends the command at once: there is no SIGTERM here.
func (p *Process) terminate() { _ = p.proc.Kill() }

// closeOnExec does nothing: handles are inherited only where that was asked for.
func closeOnExec() {}
