package isolate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/juliendoutre/proxaudit/enforce/isolate/control"
	"github.com/juliendoutre/proxaudit/internal/child"
)

// stopGrace is what the command gets between SIGTERM and SIGKILL when the
// context ends.
const stopGrace = 5 * time.Second

// errGone means that the jail ended without saying how the command did.
var errGone = errors.New("the jail ended before its command did")

// Run implements Jail. It may be called once. When ctx ends, the command gets
// SIGTERM and, five seconds later, the jail is killed; the error is then the
// context's cause, and the code still the command's.
func (n *Netns) Run(ctx context.Context, c Command) (int, error) {
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	if len(c.Argv) == 0 {
		return 0, &child.StartError{Code: 125, Err: errors.New("no command given")}
	}
	std, err := jailStdio(c.Stdin, c.Stdout, c.Stderr)
	if err != nil {
		return 0, &child.StartError{Argv0: c.Argv[0], Code: 125, Err: err}
	}
	defer std.close()
	r := &run{n: n, tty: openTerminal(n.first.PID), signals: make(chan os.Signal, 64), news: make(chan message)}
	defer r.tty.close()
	signal.Notify(r.signals, r.forwarded()...)
	defer signal.Stop(r.signals)
	r.tty.begin(c.Stdout)
	defer r.tty.take()
	go r.listen()
	if err := r.start(c, std); err != nil {
		return 0, err
	}
	std.started()
	code, err := r.wait(ctx)
	std.finish()
	n.icmp.Close() // what was refused belongs to the run: nothing is left that could send
	return code, err
}

// run is a command that has been asked for.
type run struct {
	n       *Netns
	tty     *terminal
	signals chan os.Signal
	news    chan message // of the command; closed when there will be none
	silence error        // why the jail fell silent, once news is closed
}

func (r *run) start(c Command, std *stdio) error {
	fail := func(code int, err error) error {
		return &child.StartError{Argv0: c.Argv[0], Code: code, Err: err}
	}
	blob, err := control.Blob(command{Argv: raw(c.Argv), Env: raw(r.n.first.As.Environ(c.Env))})
	if err != nil {
		return fail(125, err)
	}
	err = r.n.ctl.Send(message{Start: true}, append([]*os.File{blob}, std.jail[:]...)...)
	blob.Close()
	if err != nil {
		return fail(125, err)
	}
	switch m, ok := <-r.news; {
	case !ok:
		return fail(125, fmt.Errorf("%w: %w", errGone, r.silence))
	case !m.Started:
		return fail(cmp.Or(m.Code, 125), errors.New(m.Text))
	}
	return nil
}

// wait passes signals in and news out until the command and all that it left
// behind have ended. The namespaces take the kernel some milliseconds more to
// free, for which Close waits.
func (r *run) wait(ctx context.Context) (int, error) {
	done, cause := ctx.Done(), error(nil)
	var kill <-chan time.Time
	for {
		select {
		case m, ok := <-r.news:
			switch {
			case !ok:
				r.n.first.Kill()
				r.n.first.Wait()
				if cause == nil {
					cause = errGone
				}
				return 128 + int(syscall.SIGKILL), cause
			case m.Exited != nil:
				return exitCode(syscall.WaitStatus(*m.Exited)), cause
			case m.Stopped != 0:
				r.tty.stopped(m.Stopped, r.send)
			}
		case s := <-r.signals:
			r.forward(s.(syscall.Signal))
		case <-done:
			done, cause = nil, context.Cause(ctx)
			r.send(syscall.SIGTERM, false)
			r.send(syscall.SIGCONT, true)
			kill = time.After(r.n.grace)
		case <-kill:
			r.n.first.Kill()
		}
	}
}

// listen reads what the jail says until the command has ended, or has not started,
// or the jail falls silent. It begins before the command is asked for: who reaches
// a published port then is answered too.
func (r *run) listen() {
	defer close(r.news)
	defer close(r.n.ended)
	for {
		var m message
		files, err := r.n.ctl.Receive(&m)
		if err != nil {
			r.silence = err
			return
		}
		switch {
		case m.Dial != 0:
			r.n.dials.deliver(m, files)
			continue
		case m.Pair:
			r.n.pairs.deliver(m, files)
			continue
		}
		r.news <- m
		if m.Exited != nil || m.Code != 0 {
			return
		}
	}
}

// forwarded are the signals that are passed on. What was ignored when this
// program started stays ignored, here and in the jail.
func (r *run) forwarded() []os.Signal {
	all := []os.Signal{syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGWINCH}
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(s) {
			all = append(all, s)
		}
	}
	return all
}

// forward passes s on. What a terminal sends it sends to a whole group.
func (r *run) forward(s syscall.Signal) {
	switch s {
	case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH:
		r.send(s, true)
	case syscall.SIGTSTP:
		r.send(s, true)
		r.tty.take()
		// Stop as we would have, had the signal not been caught.
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case syscall.SIGCONT:
		r.tty.again()
		r.send(s, true)
	default:
		r.send(s, false)
	}
}

// send passes a signal in; a jail that has just ended does not need it.
func (r *run) send(s syscall.Signal, group bool) {
	_ = r.n.ctl.Send(message{Signal: s, Group: group})
}

func exitCode(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

func raw(all []string) [][]byte {
	out := make([][]byte, len(all))
	for i, s := range all {
		out[i] = []byte(s)
	}
	return out
}
