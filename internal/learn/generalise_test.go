package learn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// sample makes values of a type, and something near it that is none.
var samples = []struct {
	value func(*rand.Rand) string
	not   []string
}{
	{func(r *rand.Rand) string { return fmt.Sprintf("%d.%d.%d", r.IntN(20), r.IntN(20), r.IntN(20)) }, []string{"latest", "1", "x.y", "1.2.3%2Fx"}},
	{func(r *rand.Rand) string { return fmt.Sprint(1 + r.IntN(1e6)) }, []string{"x", "1x", "-1", "1%2F2", "0x1"}},
	{func(r *rand.Rand) string { return strings.Repeat(fmt.Sprintf("%08x", r.Uint32()), 5) }, []string{"0a1b2c3", strings.Repeat("g", 40), "main"}},
	{func(r *rand.Rand) string { return fmt.Sprintf("%08x-0000-4000-8000-00aa00bb00cc", r.Uint32()) }, []string{"7f3c1d2e", "7f3c1d2e-0000-4000-8000-00aa00bb00cg"}},
	{func(r *rand.Rand) string {
		return fmt.Sprintf("20%02d-%02d-%02d", r.IntN(30), 1+r.IntN(12), 1+r.IntN(28))
	}, []string{"2026-13-01", "2026-11", "today"}},
	{func(r *rand.Rand) string { return fmt.Sprintf("cc-%d.%d.tgz", r.IntN(20), r.IntN(20)) }, []string{"cc-x.tgz", "cc-1.2.zip", "ld-1.2.tgz", "cc-1.tgz"}},
}

// TestGeneraliseIsExact: everything that was read passes; whatever has another
// value at a place where one was seen does not, and nothing that has not the
// type at a place where several were seen. Paths are random, so this holds in
// combination too.
func TestGeneraliseIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for round := range 300 {
		var template []int // of each segment: a sample, or none
		for range 1 + rng.IntN(4) {
			template = append(template, rng.IntN(len(samples)+2)-2)
		}
		type segment struct {
			sample int
			values map[string]bool
		}
		var places []segment
		fixed := make([]string, len(template))
		for i, s := range template {
			places = append(places, segment{s, map[string]bool{}})
			fixed[i] = fmt.Sprintf("dir%c", 'a'+i)
			if s >= 0 {
				fixed[i] = samples[s].value(rng)
			}
		}
		varies := rng.Perm(len(template))[0]
		var events []enforce.Event
		var paths [][]string
		for range 1 + rng.IntN(4) {
			path := append([]string{"top"}, fixed...)
			for i, s := range template {
				if s >= 0 && (i == varies || rng.IntN(3) == 0) {
					path[i+1] = samples[s].value(rng)
				}
				places[i].values[path[i+1]] = true
			}
			paths = append(paths, path)
			events = append(events, get("https://build.example.org/"+strings.Join(path, "/"))...)
		}
		text := learned(t, Options{}, events)
		slices.Reverse(events)
		if again := learned(t, Options{}, events); again != text {
			t.Fatalf("round %d: another order:\n%s", round, cmp.Diff(text, again))
		}
		p, r := enforced(t, text)
		for _, path := range paths {
			raw := "https://build.example.org/" + strings.Join(path, "/")
			if d := ask(t, p, r, request("GET", raw)); d.Action != policy.Allow {
				t.Fatalf("round %d: %s: %s\n%s", round, raw, d.Reason, text)
			}
			for i, place := range places {
				other := append([]string(nil), path...)
				var wrong []string
				if place.sample < 0 {
					wrong = []string{"other", "1.2.3", "7"}
				} else {
					wrong = append(wrong, samples[place.sample].not...)
					if len(place.values) == 1 {
						wrong = append(wrong, samples[place.sample].value(rng))
					}
				}
				for _, w := range wrong {
					if place.values[w] {
						continue
					}
					other[i+1] = w
					raw := "https://build.example.org/" + strings.Join(other, "/")
					for _, ask1 := range []string{raw, raw + "/x", raw + "x"} {
						if ask1 == raw+"x" && i != len(places)-1 {
							continue
						}
						if d := ask(t, p, r, request("GET", ask1)); d.Action != policy.Deny {
							t.Fatalf("round %d: %s: %v by %s\n%s", round, ask1, d.Action, d.Rule, text)
						}
					}
				}
			}
			for _, method := range []string{"POST", "PUT", "DELETE"} {
				if d := ask(t, p, r, request(method, raw)); d.Action != policy.Deny {
					t.Fatalf("%s %s: %v", method, raw, d.Action)
				}
			}
		}
	}
}
