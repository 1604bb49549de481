// Package heap bounds the garbage that a proxy lets pile up: little while thousands
// of connections are idle, and enough otherwise that collections cost little. A
// request leaves 12 KB of garbage; with the default of Go, which is as much garbage
// as is live, a proxy with 4 MB live collects after each three hundred.
//
// It must never set a memory limit: a proxy that is near one only collects.
package heap

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// leastGarbage is how much may always pile up between two collections, in
	// bytes: while little is live they would come too often to be cheap.
	leastGarbage = 16 << 20
	// mostPercent and leastPercent bound what GOGC says. What thousands of idle
	// connections hold is live; as much again in garbage would double its price.
	mostPercent, leastPercent = 400, 50
)

// Bound makes the garbage collector keep to the bounds above for as long as
// the process lives. GOGC and GOMEMLIMIT in the environment are there for the
// command: GOGC=off, which speeds up a compiler, would let a proxy grow for ever.
func Bound() {
	debug.SetMemoryLimit(math.MaxInt64)
	debug.SetGCPercent(mostPercent)
	afterCollection()
}

// afterCollection adjusts to what was found live, once and after each collection
// from then on: the finalizer of an object that nothing refers to is run by the
// next one (runtime.SetFinalizer).
func afterCollection() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(percentFor(live[0].Value.Uint64() + live[1].Value.Uint64() + live[2].Value.Uint64()))
	type collected struct{ _ *int } // of its own: tiny objects share a block
	runtime.SetFinalizer(new(collected), func(*collected) { afterCollection() })
}

// percentFor returns the GOGC for what was live: a target is reached when the
// heap has grown by that share of it (https://go.dev/doc/gc-guide).
func percentFor(live uint64) int {
	return int(min(max(leastGarbage*100/max(live, 1), leastPercent), mostPercent))
}
