//go:build !windows

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/google/renameio/v2"
)

// place is where a file is written when the command has ended.
type place struct {
	path string
	// folder is the one that path led to before the command began, where proxaudit has
	// rights that the command has not: what that makes of the path is not followed.
	folder *os.Root
}

// openPlace is called before the command begins.
func openPlace(path string) (place, error) {
	p := place{path: path}
	if _, _, sudo := sudoIDs(); !sudo || path == "" {
		return p, nil
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	folder, err := os.OpenRoot(filepath.Dir(path))
	return place{filepath.Base(path), folder}, err
}

// write writes the file all at once. One that is there keeps its place and, as
// renameio has it, its permissions. Under sudo it belongs to who called, if the
// folder does.
func (p place) write(data []byte) error {
	path, options := p.path, []renameio.Option{renameio.WithPermissions(0o644), renameio.WithExistingPermissions()}
	if p.folder != nil {
		options = append(options, renameio.WithRoot(p.folder))
	} else if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	f, err := renameio.NewPendingFile(path, options...)
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if p.folder != nil {
		if info, err := p.folder.Stat("."); err == nil && ownedByCaller(info) {
			uid, gid, _ := sudoIDs()
			_ = f.Chown(uid, gid) // not every file system knows owners
		}
	}
	return f.CloseAtomicallyReplace()
}

// sudoCaller returns who called sudo, where root does this for somebody else to
// whom the folder belongs: what a run leaves there is for them to read.
func sudoCaller(folder string) (uid, gid int, ok bool) {
	uid, gid, ok = sudoIDs()
	if info, err := os.Stat(folder); err != nil || !ownedByCaller(info) {
		return 0, 0, false
	}
	return uid, gid, ok
}

func ownedByCaller(folder os.FileInfo) bool {
	uid, _, ok := sudoIDs()
	stat, known := folder.Sys().(*syscall.Stat_t)
	return ok && known && int(stat.Uid) == uid
}

func sudoIDs() (uid, gid int, ok bool) {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, also := strconv.Atoi(os.Getenv("SUDO_GID"))
	return uid, gid, os.Geteuid() == 0 && err == nil && also == nil && uid > 0 && gid > 0
}
