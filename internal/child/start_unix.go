//go:build unix

package child

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// defaultPath is searched where env has no PATH, as execvp(3) does in glibc.
const defaultPath = "/bin:/usr/bin"

var (
	errNotFound  = errors.New("not found in PATH")
	errDirectory = errors.New("is a directory")
)

// lookup finds the file that name stands for. A name with a slash is a path;
// another one is looked for in the directories of env's PATH, where an empty
// entry is the current directory. A file that is found and cannot be executed
// is remembered while the search goes on (execvp(3)); directories are passed
// over, as the shells do.
func lookup(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	if name == "" {
		return "", errNotFound
	}
	failed, reason := "", errNotFound
	for _, dir := range filepath.SplitList(pathOf(env)) {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || info.IsDir() {
			continue
		}
		if err = unix.Access(path, unix.X_OK); err == nil {
			return path, nil
		}
		if failed == "" {
			failed, reason = path, err
		}
	}
	return failed, reason
}

func pathOf(env []string) string {
	path, found := defaultPath, false
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok && !found {
			path, found = v, true
		}
	}
	if path == "" {
		// An empty list is one empty entry; SplitList makes it none.
		return "."
	}
	return path
}

// executable reports why the file at path cannot be executed.
func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return unwrapped(err)
	}
	if info.IsDir() {
		return errDirectory
	}
	return unix.Access(path, unix.X_OK)
}

// newStartError classifies err. path is empty when nothing was found.
func newStartError(name, path string, err error) *StartError {
	e := &StartError{Argv0: name, Code: codeInternal, Err: unwrapped(err)}
	switch {
	case e.Err == errDirectory:
		e.Code, e.hint = codeNotExecutable, "give the path of the program inside it"
	case errors.Is(e.Err, fs.ErrPermission):
		e.Code, e.hint = codeNotExecutable, "make it executable (chmod +x), or run it with its interpreter"
	case e.Err == syscall.ENOEXEC:
		e.Code, e.hint = codeNotExecutable, "it is not a program for this machine; if it is a script, run it with its interpreter (sh FILE) or give it a #! line"
	case e.Err == syscall.E2BIG:
		e.Code, e.hint = codeNotExecutable, "pass fewer or shorter arguments and variables"
	case e.Err == syscall.ENOENT && exists(path):
		e.Code, e.hint = codeNotExecutable, "the interpreter in its first line, or its loader, does not exist"
	case e.Err == errNotFound, e.Err == syscall.ENOENT, e.Err == syscall.ENOTDIR:
		e.Code, e.hint = codeNotFound, notFoundHint(name)
	}
	return e
}

func notFoundHint(name string) string {
	switch {
	case strings.ContainsAny(name, " \t|&;<>$"):
		return "the command is executed as given, without a shell: write each argument as a word of its own, or use sh -c"
	case strings.Contains(name, "/"):
		return "check the path"
	default:
		return "check the spelling and PATH"
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return path != "" && err == nil
}

// unwrapped takes the operation and the path off err; StartError has the name.
func unwrapped(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
