package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
)

// tableVariable names the file that the table of TestBaseline is written to.
const tableVariable = "PROXAUDIT_BASELINE_TABLE"

// row is a line of the table: what a learned policy did to later builds.
type row struct {
	project           string
	requests, rules   int
	again, warm       int // false denials
	updated, packages int // denials after an update, and the new packages they are about
	unnamed           int // of them, those that are about no new package, or do not name it
	otherDay, changed int // false denials, and the documents that were others
}

// TestBaseline learns a build and repeats it: as it was, with a warm cache, after
// a minor update, on another day. What the policy refuses of the first two and
// the last is a false denial; of the third, only packages that are new may be.
func TestBaseline(t *testing.T) {
	t.Parallel()
	binary := build(t)
	var mu sync.Mutex
	var rows []*row
	t.Run("projects", func(t *testing.T) {
		for _, b := range baselines {
			t.Run(b.dir, func(t *testing.T) {
				t.Parallel()
				needClient(t, b.command[0])
				r := b.measure(t, binary)
				mu.Lock()
				defer mu.Unlock()
				rows = append(rows, r)
			})
		}
	})
	slices.SortFunc(rows, func(a, b *row) int { return strings.Compare(a.project, b.project) })
	table := tableOf(rows)
	t.Log("\n" + table)
	if path := os.Getenv(tableVariable); path != "" {
		write(t, path, table)
	}
}

func tableOf(rows []*row) string {
	var b strings.Builder
	b.WriteString("| project | requests | package rules | (i) again | (ii) warm cache | (iii) minor update | (iv) another day |\n|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d, all of %d new packages | %d, %d documents changed |\n",
			r.project, r.requests, r.rules, r.again, r.warm, r.updated, r.packages, r.otherDay, r.changed)
	}
	return b.String()
}

// measure learns b, and starts to repeat it in all ways at once: each is a test of
// its own, which fills in its part of the row.
func (b baseline) measure(t *testing.T, binary string) *row {
	first, updated := b.prepare(t)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	cold := b.newCaches(t)
	learned := b.build(t, binary, first, cold, nil, "learn", "-o", policy)
	if learned.code != 0 {
		if plain, bare := b.run(t); bare != 0 {
			skip(t, "the client fails without proxaudit too; is there no registry?\n"+plain)
		}
		t.Fatalf("learn: exit code %d\n%s", learned.code, learned.out)
	}
	text := read(t, policy)
	if pulled := learned.packages(); len(pulled) < b.packages || !slices.ContainsFunc(pulled, b.isPulled) {
		t.Errorf("the build pulled %d packages, want at least %d and %s among them: %q", len(pulled), b.packages, b.pulled, pulled)
	}
	r := &row{project: b.dir, requests: learned.requests(), rules: strings.Count(text, "- pkg:")}
	passes := func(t *testing.T, run built) int {
		if run.code != 0 || len(run.denials()) > 0 {
			t.Errorf("exit code %d, denied %s\n%s\n%s", run.code, urls(run.denials()), run.out, text)
		}
		return len(run.denials())
	}
	for name, part := range map[string]func(t *testing.T){
		"again": func(t *testing.T) {
			r.again = passes(t, b.build(t, binary, first, b.newCaches(t), nil, "enforce", "-policy", policy))
		},
		"with a warm cache": func(t *testing.T) {
			r.warm = passes(t, b.build(t, binary, first, cold, nil, "enforce", "-policy", policy))
		},
		"on another day": func(t *testing.T) {
			d := newDay(t)
			r.otherDay = passes(t, b.build(t, binary, first, b.newCaches(t), d.environ(), slices.Concat([]string{"enforce", "-policy", policy}, d.words())...))
			r.changed = int(d.changed.Load())
			if len(d.failures) > 0 {
				t.Errorf("failed: %q", d.failures)
			}
		},
		"after an update": func(t *testing.T) { b.afterUpdate(t, binary, updated, policy, r) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(t)
		})
	}
	return r
}

// afterUpdate builds what was updated: in full, to see all that the policy would
// deny, and under it, to see what a user does.
func (b baseline) afterUpdate(t *testing.T, binary, updated, policy string, r *row) {
	t.Helper()
	text := read(t, policy)
	run := b.build(t, binary, updated, b.newCaches(t), nil, "audit", "-policy", policy)
	if run.code != 0 {
		t.Fatalf("audit of what was updated: exit code %d\n%s", run.code, run.out)
	}
	added := map[string]bool{}
	for _, ev := range run.denials() {
		r.updated++
		if ev.Package == "" || strings.Contains(text, ev.Package+" ") || !strings.Contains(ev.Allow, ev.Package) || !strings.Contains(run.out, ev.Package) {
			r.unnamed++
			t.Errorf("after an update %s %s is denied, of package %q; to add: %q", ev.Method, ev.URL, ev.Package, ev.Allow)
			continue
		}
		added[ev.Package] = true
	}
	r.packages = len(added)
	if r.packages == 0 {
		t.Errorf("the update brought no package: it shows nothing")
	}
	enforced := b.build(t, binary, updated, b.newCaches(t), nil, "enforce", "-policy", policy)
	named := false
	for purl := range added {
		named = named || strings.Contains(enforced.out, "- "+purl)
	}
	if enforced.code == 0 || !named || !strings.Contains(enforced.out, "denied: GET ") {
		t.Errorf("enforce of what was updated: exit code %d, and the summary should name one of %v:\n%s", enforced.code, added, enforced.out)
	}
	if read(t, policy) != text {
		t.Error("enforce changed the policy")
	}
}

func urls(events []enforce.Event) []string {
	var out []string
	for _, ev := range events {
		out = append(out, ev.Method+" "+ev.URL)
	}
	return out
}
