//go:build !linux || !(amd64 || arm64)

package seccomp

import "errors"

// Install fails: this machine's calls have not been judged.
func Install() error { return InstallHere() }

// InstallHere fails as well.
func InstallHere() error { return errors.New("no system call filter for this machine") }
