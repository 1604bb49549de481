package main

import "os"

// wrapped is what this program does as the command of a benchmark; ok is false
// where it is no such command.
func wrapped() (code int, ok bool) {
	if url := os.Getenv(benchClient); url != "" {
		return fetchOften(url), true
	}
	return 0, false
}
