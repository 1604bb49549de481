package isolate

import (
	"errors"
	"os"
	"strings"
	"syscall"
)

// refused says in words why a step failed and what to do about it.
func refused(step string, err error) error {
	if err == nil {
		return nil
	}
	return &Refusal{Step: step, Err: err, Mend: mend(err)}
}

// mend names the usual reason of an error. What was tried and failed decides;
// the settings that are looked at here only tell which words to use.
func mend(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EUSERS):
		return "user namespaces are used up or turned off; raise user.max_user_namespaces (a jail inside a jail is not possible)"
	case errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EINVAL):
		return "this kernel lacks something that is needed; run `proxaudit doctor`"
	case !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EACCES):
		return ""
	case inContainer():
		return "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined, or ask for weaker isolation with -isolation=env"
	case setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return "AppArmor allows user namespaces to named programs only; " + withSudo + ", or install this profile as /etc/apparmor.d/proxaudit and run `apparmor_parser -r` on it:\n" + apparmorProfile()
	case setting("kernel/unprivileged_userns_clone") == "0":
		return "set kernel.unprivileged_userns_clone to 1, or " + withSudo
	default:
		return "user namespaces are not allowed here; " + withSudo + ", or ask for weaker isolation with -isolation=env"
	}
}

// withSudo keeps the variables and the search path, which sudo takes away.
const withSudo = "run `sudo -E env \"PATH=$PATH\" proxaudit ...`, and the command still runs as you"

func setting(name string) string {
	data, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// inContainer reports whether one of the usual runtimes says so.
func inContainer() bool {
	for _, path := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return os.Getenv("container") != "" || os.Getenv("KUBERNETES_SERVICE_HOST") != ""
}

// apparmorProfile is what Ubuntu's own programs with user namespaces have.
func apparmorProfile() string {
	exe, err := os.Executable()
	if err != nil {
		exe = "/usr/local/bin/proxaudit"
	}
	return "abi <abi/4.0>,\ninclude <tunables/global>\nprofile proxaudit " + exe + " flags=(unconfined) {\n  userns,\n}"
}
