package isolate

import (
	"crypto/rand"
	"errors"
	"os"
	"syscall"

	"github.com/juliendoutre/proxaudit/enforce/isolate/mounts"
	"github.com/juliendoutre/proxaudit/enforce/isolate/supervisor"
)

// supervise answers the calls that the jail's filter hands out, from now on. It
// returns a path by which the jail can see that they are answered.
func (n *Netns) supervise(o NetnsOptions, p mounts.Plan) (probe string, err error) {
	const what = "supervise the jail's connections"
	var m message
	files, err := n.ctl.Receive(&m)
	switch {
	case err != nil:
		return "", refused("drop privileges", n.first.Explain(err))
	case m.Failed != nil:
		return "", &Refusal{Step: m.Failed.Step, Err: m.Failed, Mend: superviseMend(m.Failed)}
	case !m.Supervised || len(files) != 1:
		closeFiles(files)
		return "", refused(what, errors.New("the jail handed out no file"))
	}
	probe = "/proxaudit-probe-" + rand.Text()
	n.watch, err = supervisor.Start(files[0], supervisor.Options{
		PID: n.first.PID, Allowed: p.AllowSockets, Rights: n.first.As.Foreign(), Groups: n.first.As.Groups, Probe: probe, Pair: n.pair, Hidden: o.Hidden,
		Namespaces: o.UserNamespaces, Namespace: o.NoNamespace,
	})
	if err != nil {
		return "", &Refusal{Step: what, Err: err, Mend: superviseMend(err)}
	}
	return probe, nil
}

// superviseMend says what supervision needs of a system.
func superviseMend(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EINVAL):
		return "Linux 5.9 or newer is needed, with CONFIG_SECCOMP_FILTER"
	case errors.Is(err, syscall.EBUSY):
		return "this program is supervised itself, as in some containers; run it outside, or ask for weaker isolation with -isolation=env"
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return "kernel.yama.ptrace_scope must be below 3, and a container must allow pidfd_getfd and process_vm_readv (--security-opt seccomp=unconfined)"
	default:
		return ""
	}
}

// pair has the first process make two connected sockets.
func (n *Netns) pair() (two [2]*os.File, err error) {
	files, err := n.pairs.ask(message{Pair: true}, len(two))
	if err != nil {
		return two, err
	}
	return [2]*os.File(files), nil
}
