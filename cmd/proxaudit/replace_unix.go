//go:build !windows

package main

import (
	"path/filepath"

	"github.com/google/renameio/v2"
)

// replaceFile writes a file all at once. One that is there keeps its place and,
// as renameio has it, its permissions. Under sudo it belongs to who called.
func replaceFile(path string, data []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644), renameio.WithExistingPermissions())
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if uid, gid, ok := sudoCaller(); ok {
		_ = f.Chown(uid, gid) // not every file system knows owners
	}
	return f.CloseAtomicallyReplace()
}
