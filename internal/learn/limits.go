package learn

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxPolicy is the largest policy that can be read back, in bytes.
const maxPolicy = 10 << 20

// tooMuch is the error for a run of which more was distinct than is kept.
func (l *Learner) tooMuch() error {
	paths := map[string]int{}
	for k := range l.flows {
		paths[k.host]++
	}
	var b strings.Builder
	for i, host := range byCount(paths) {
		if i == 3 {
			break
		}
		fmt.Fprintf(&b, "; %s had %d distinct paths", plain(host), paths[host])
	}
	return fmt.Errorf("learned more than a policy can list: over %d distinct requests of %d hosts%s: run a smaller part of the build, or write rules for these hosts by hand, with * for the part that changes",
		len(l.flows), len(paths), b.String())
}

// byCount returns the keys of counts, the largest count first.
func byCount(counts map[string]int) []string {
	keys := make([]string, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
	return keys
}
