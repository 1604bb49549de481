//go:build !windows

package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/google/renameio/v2"
)

// place is where a file is written when the command has ended.
type place struct {
	path string // absolute, and without links as they were before the command began
	// folders are those that lead there, and root is the last of them, where proxaudit
	// has rights that the command has not: what that makes of them is not followed.
	folders []folder
	root    *os.Root
	// pipe is what there is instead of a file: a pipe, a terminal.
	pipe *os.File
}

type folder struct {
	path string
	info os.FileInfo
}

// openPlace is called before the command begins.
func openPlace(path string) (p place, err error) {
	if path == "" {
		return place{}, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		p.pipe, err = os.OpenFile(path, os.O_WRONLY, 0)
		return p, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return place{}, err
	}
	if p.path, err = followed(path); err != nil {
		return place{}, err
	}
	if _, _, sudo := sudoIDs(); !sudo {
		return p, nil
	}
	if err := trustLinks(path, p.path); err != nil {
		return place{}, err
	}
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(p.path)} {
		info, err := os.Stat(dir)
		if err != nil {
			return place{}, err
		}
		p.folders = append(p.folders, folder{dir, info})
	}
	p.root, err = os.OpenRoot(filepath.Dir(p.path))
	return p, err
}

// write writes the file all at once. One that is there keeps, as renameio has it,
// its permissions. Under sudo it belongs to who called, if the folder does.
func (p place) write(data []byte) error {
	if p.pipe != nil {
		_, err := p.pipe.Write(data)
		return cmp.Or(err, p.pipe.Close())
	}
	if err := p.changed(); err != nil {
		return err
	}
	path, options := p.path, []renameio.Option{renameio.WithPermissions(0o644), renameio.WithExistingPermissions()}
	if p.root != nil {
		path, options = filepath.Base(path), append(options, renameio.WithRoot(p.root))
	}
	f, err := renameio.NewPendingFile(path, options...)
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if p.root != nil {
		if info, err := p.root.Stat("."); err == nil && ownedByCaller(info) {
			uid, gid, _ := sudoIDs()
			_ = f.Chown(uid, gid) // not every file system knows owners
		}
	}
	return f.CloseAtomicallyReplace()
}

// changed says what became of the way to the place. A build may make its folders
// anew; it may not lead this program elsewhere, to what it cannot reach by itself.
func (p place) changed() error {
	for _, f := range p.folders {
		if now, err := os.Stat(f.path); err != nil || !os.SameFile(now, f.info) {
			return fmt.Errorf("%s was moved or replaced meanwhile", f.path)
		}
	}
	dir := filepath.Dir(p.path)
	if now, err := followed(dir); err != nil || now != dir {
		return fmt.Errorf("%s was replaced meanwhile by a link", dir)
	}
	return nil
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
	return ok && int(ownerOf(folder)) == uid
}

func sudoIDs() (uid, gid int, ok bool) {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, also := strconv.Atoi(os.Getenv("SUDO_GID"))
	return uid, gid, os.Geteuid() == 0 && err == nil && also == nil && uid > 0 && gid > 0
}
