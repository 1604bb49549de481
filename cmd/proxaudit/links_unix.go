//go:build !windows

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/juliendoutre/proxaudit/enforce"
)

// followed returns where an absolute path leads, whose last names may be those of
// nothing yet.
func followed(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) && path != filepath.Dir(path) {
		dir, err := followed(filepath.Dir(path))
		return filepath.Join(dir, filepath.Base(path)), err
	}
	return real, err
}

// trustLinks is for root that was called by sudo: a link that somebody else laid,
// such as the command of an earlier run, must not lead it to what is not theirs.
func trustLinks(path, real string) error {
	if _, _, sudo := sudoIDs(); !sudo {
		return nil
	}
	target, err := os.Stat(real)
	if err != nil {
		target, err = os.Stat(filepath.Dir(real))
	}
	if err != nil {
		return err
	}
	for at := path; at != filepath.Dir(at); at = filepath.Dir(at) {
		link, err := os.Lstat(at)
		if err != nil || link.Mode().Type() != os.ModeSymlink {
			continue
		}
		if owner := ownerOf(link); owner != 0 && owner != ownerOf(target) {
			return fmt.Errorf("%s is a link of user %d to %s, which is not theirs", at, owner, real)
		}
	}
	return nil
}

// createLog opens the file of the events.
func createLog(path string) (*enforce.Log, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		full, err := filepath.Abs(path)
		if err := cmp.Or(err, trustLinks(full, real)); err != nil {
			return nil, err
		}
	}
	return enforce.CreateLog(path)
}

func ownerOf(file os.FileInfo) uint32 {
	if stat, ok := file.Sys().(*syscall.Stat_t); ok {
		return stat.Uid
	}
	return 0
}
