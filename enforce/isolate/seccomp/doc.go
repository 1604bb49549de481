// Package seccomp is the system call filter of a jail: it closes what namespaces
// leave open.
//
// It must never allow a call convention that it has not judged: another
// architecture's numbers mean other calls (seccomp(2), "arch").
package seccomp
