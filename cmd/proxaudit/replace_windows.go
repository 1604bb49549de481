package main

import "github.com/google/renameio/v2/maybe"

// replaceFile writes a file, which on Windows cannot be done all at once.
func replaceFile(path string, data []byte) error {
	return maybe.WriteFile(path, data, 0o644)
}
