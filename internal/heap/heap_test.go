package heap

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 4 << 20: 400, 8 << 20: 200, 10 << 20: 160, 16 << 20: 100, 32 << 20: 50, 1 << 30: 50} {
		if got := percentFor(live); got != want {
			t.Errorf("%d MiB live: %d, want %d", live>>20, got, want)
		}
	}
}

// TestHeapIsBound: what the environment says about garbage is meant for the
// command, and the bound follows what is live from one collection to the next.
func TestHeapIsBound(t *testing.T) {
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(1<<20) // GOGC=off GOMEMLIMIT=1MiB
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
	Bound()
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		t.Errorf("memory limit %d", limit)
	}
	becomes := func(what string, ok func(uint64) bool) {
		t.Helper()
		gogc := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		for deadline := time.Now().Add(2 * time.Minute); ; runtime.GC() {
			if metrics.Read(gogc); ok(gogc[0].Value.Uint64()) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: GOGC is %d", what, gogc[0].Value.Uint64())
			}
		}
	}
	held := make([]byte, 64<<20)
	becomes("64 MiB live", func(p uint64) bool { return p == leastPercent })
	runtime.KeepAlive(held) // and no longer
	becomes("few live", func(p uint64) bool { return p > leastPercent && p <= mostPercent })
}
