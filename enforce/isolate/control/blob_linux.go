package control

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Blob writes v as JSON into an anonymous file (memfd_create(2)), for what may
// be longer than a message: an environment can be megabytes.
func Blob(v any) (*os.File, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("proxaudit", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make an anonymous file: %w", err)
	}
	f := os.NewFile(uintptr(fd), "blob")
	if _, err := f.WriteAt(data, 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("write an anonymous file: %w", err)
	}
	return f, nil
}

// ReadBlob reads what Blob wrote and closes f.
func ReadBlob(f *os.File, v any) error {
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, info.Size()))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}
