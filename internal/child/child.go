// Package child starts the command, hands signals on to it, and turns how it
// ended into an exit code.
//
// The command stays in the caller's process group and session, as under env or
// time: the terminal, Ctrl-C, Ctrl-Z and pipelines are the shell's business.
// The package must never run a shell, never stand between the command and its
// stdin, stdout and stderr, and never return while something the command left
// behind still runs (where the system allows it: Linux).
//
// Only one Process may run at a time, and while it runs the program should not
// start other processes: on Linux every new child of this process counts as
// left behind by the command when the command has ended.
package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"
)

const (
	// stopGrace is what the command gets between SIGTERM and SIGKILL when the
	// context ends.
	stopGrace = 5 * time.Second
	// leftGrace is what processes left behind get between the two.
	leftGrace = time.Second
)

// Process is a command that has been started. Wait must be called once.
type Process struct {
	proc    *os.Process
	exited  <-chan exit
	signals chan os.Signal
	left    *leftovers

	stopGrace, leftGrace time.Duration
}

type exit struct {
	state *os.ProcessState
	err   error
}

// Start starts argv with exactly the environment env. argv[0] is looked up in
// the PATH of env as execvp(3) does; no shell is involved. A nil file is the
// null device, as for os/exec. No other file descriptor is inherited.
//
// From here until Wait returns, signals do not end the caller: they are kept
// and handed on by Wait. An error is always a *StartError.
func Start(argv, env []string, stdin, stdout, stderr *os.File) (*Process, error) {
	if len(argv) == 0 {
		return nil, &StartError{Code: codeInternal, Err: errors.New("no command given")}
	}
	path, err := lookup(argv[0], env)
	if err != nil {
		return nil, newStartError(argv[0], path, err)
	}
	files, closeFiles, err := stdio(stdin, stdout, stderr)
	if err != nil {
		return nil, newStartError(argv[0], path, err)
	}
	defer closeFiles()

	p := &Process{signals: make(chan os.Signal, 64), stopGrace: stopGrace, leftGrace: leftGrace}
	if p.left, err = adopt(); err != nil {
		return nil, newStartError(argv[0], path, err)
	}
	if s := forwarded(); len(s) > 0 {
		signal.Notify(p.signals, s...)
	}
	closeOnExec()
	p.proc, p.exited, err = spawn(path, argv, &os.ProcAttr{Env: env, Files: files, Sys: attributes()})
	if err != nil {
		p.release()
		return nil, newStartError(argv[0], path, err)
	}
	p.left.command = p.proc.Pid
	return p, nil
}

// stdio replaces nil files by the null device.
func stdio(files ...*os.File) (all []*os.File, closeAll func(), err error) {
	var null *os.File
	closeAll = func() {
		if null != nil {
			_ = null.Close()
		}
	}
	for _, f := range files {
		if f == nil && null == nil {
			if null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
				return nil, closeAll, err
			}
		}
		if f == nil {
			f = null
		}
		all = append(all, f)
	}
	return all, closeAll, nil
}

// spawn starts the program and waits for it, both on one thread that lives as
// long as the program: PR_SET_PDEATHSIG fires when the thread that forked ends,
// not when the process does (prctl(2)).
func spawn(path string, argv []string, attr *os.ProcAttr) (*os.Process, <-chan exit, error) {
	type started struct {
		proc *os.Process
		err  error
	}
	begun := make(chan started, 1)
	exited := make(chan exit, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		proc, err := os.StartProcess(path, argv, attr)
		begun <- started{proc, err}
		if err != nil {
			return
		}
		state, err := proc.Wait()
		exited <- exit{state, err}
	}()
	s := <-begun
	return s.proc, exited, s.err
}

// Wait hands signals on to the command until it ends, ends whatever it left
// behind, and returns its exit code as ExitCode does. SIGINT and SIGQUIT are
// not handed on while the caller is in the foreground of its terminal: there
// the terminal has sent them to the command already.
//
// When ctx ends the command gets SIGTERM, five seconds, and SIGKILL, and the
// error is the context's cause; the code is still the command's. Any other
// error means that something could not be ended or waited for.
func (p *Process) Wait(ctx context.Context) (int, error) {
	defer p.release()
	done, cause := ctx.Done(), error(nil)
	var kill <-chan time.Time
	for {
		select {
		case e := <-p.exited:
			if e.err != nil {
				e.err = fmt.Errorf("wait for the command: %w", e.err)
			}
			return ExitCode(e.state), errors.Join(cause, e.err, p.left.end(p.leftGrace))
		case s := <-p.signals:
			p.forward(s)
		case <-p.left.changed:
			p.left.sweep()
		case <-p.left.again():
			p.left.sweep()
		case <-done:
			done, cause = nil, context.Cause(ctx)
			p.terminate()
			kill = time.After(p.stopGrace)
		case <-kill:
			_ = p.proc.Kill()
		}
	}
}

// release gives signals back their default action.
func (p *Process) release() {
	signal.Stop(p.signals)
	p.left.release()
}
