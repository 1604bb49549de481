package main

import (
	"os"
	"strconv"
)

// sudoCaller returns who called sudo, where root does this for somebody else: the
// files that a run leaves are for them to read.
func sudoCaller() (uid, gid int, ok bool) {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, also := strconv.Atoi(os.Getenv("SUDO_GID"))
	return uid, gid, os.Geteuid() == 0 && err == nil && also == nil && uid > 0 && gid > 0
}
