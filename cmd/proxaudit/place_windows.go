package main

import (
	"github.com/google/renameio/v2/maybe"

	"github.com/juliendoutre/proxaudit/enforce"
)

// place is where a file is written when the command has ended.
type place struct{ path string }

func openPlace(path string) (place, error) { return place{path}, nil }

// write writes the file, which on Windows cannot be done all at once.
func (p place) write(data []byte) error { return maybe.WriteFile(p.path, data, 0o644) }

// sudoCaller is for systems with sudo.
func sudoCaller(string) (uid, gid int, ok bool) { return 0, 0, false }

func createLog(path string) (*enforce.Log, error) { return enforce.CreateLog(path) }
