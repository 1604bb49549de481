package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/juliendoutre/proxaudit/enforce"
)

// maxSockets bounds the sockets that are told of.
const maxSockets = 8

// nameServices are where the C library asks for users and hosts before it looks by
// itself (nss-systemd(8), nscd(8)). Nobody misses their answers.
var nameServices = []string{"/run/systemd/", "/run/nscd/"}

// hiddenSockets are the paths of Unix sockets that the command was refused. The
// zero value is empty; it is safe for concurrent use.
type hiddenSockets struct {
	mu    sync.Mutex
	paths []string
	// namespaces are the programs that were refused a user namespace.
	namespaces []string
}

// noNamespace keeps a program that was refused a user namespace. It is called
// while that waits.
func (h *hiddenSockets) noNamespace(exe string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.namespaces) < maxSockets && !slices.Contains(h.namespaces, exe) {
		h.namespaces = append(h.namespaces, exe)
	}
}

// refused keeps a path. It is called while the command waits.
func (h *hiddenSockets) refused(path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if filepath.IsAbs(path) && len(h.paths) < maxSockets && !slices.Contains(h.paths, path) && !isNameService(path) {
		h.paths = append(h.paths, path)
	}
}

func isNameService(path string) bool {
	path = strings.TrimPrefix(filepath.Clean(path), "/var")
	return slices.ContainsFunc(nameServices, func(dir string) bool { return strings.HasPrefix(path, dir) })
}

// hints, a line each, say what became of the sockets that there are outside. A path is the
// command's own word and proves nothing.
func (h *hiddenSockets) hints() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, path := range h.paths {
		if info, err := os.Stat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
			all = append(all, fmt.Sprintf("the command asked for the socket %s, which is hidden from it: what serves it acts outside, around the proxy; -allow-socket %s keeps it all the same", enforce.Printable(path), enforce.Printable(argument(path))))
		}
	}
	for _, exe := range h.namespaces {
		all = append(all, fmt.Sprintf("%s asked for a user namespace of its own, which a confined command does not get; -allow-user-namespaces lets it, and shows it more of the kernel to attack", enforce.Printable(cmp.Or(exe, "a program"))))
	}
	return all
}

// argument spells a word for a shell.
func argument(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+@:", r)
	}
	if strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// saySockets tells of what was hidden or refused where the command failed: it may be
// why.
func (s *session) saySockets() {
	if s.code == 0 {
		return
	}
	for _, hint := range s.sockets.hints() {
		say(s.console.err, "hint", hint)
	}
}
