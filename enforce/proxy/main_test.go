//go:build unix

package proxy

import (
	"os"
	"testing"
)

// TestMain is also the proxy that benchmarks measure, in a process of its own.
func TestMain(m *testing.M) {
	if via := os.Getenv(benchVia); via != "" {
		serveBench(via)
		return
	}
	os.Exit(m.Run())
}
