package learn

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// TestManyTypedPathsFold: a million paths that differ in a number, a digest or a
// secret are a few lines, and take the memory of a few.
func TestManyTypedPathsFold(t *testing.T) {
	l := New(Options{MaxRequests: 10_000})
	rng := rand.New(rand.NewPCG(7, 8))
	hex := func(n int) string {
		var b strings.Builder
		for b.Len() < n {
			fmt.Fprintf(&b, "%016x", rng.Uint64())
		}
		return b.String()[:n]
	}
	record := func(raw string) {
		for _, ev := range get(raw) {
			_ = l.Record(ev)
		}
	}
	for i := range 60_000 {
		record(fmt.Sprintf("https://build.example.org/jobs/%d/log", i))
		record("https://build.example.org/cas/" + hex(64))
		record("https://build.example.org/session/" + hex(32) + "/state")
		record(fmt.Sprintf("https://build.example.org/tools/%d.%d/cc-%d.%d.tgz", i/1000, i%1000, i/1000, i%1000))
	}
	record("https://build.example.org/once/1")
	if n := len(l.flows) + len(l.folded); n > 10_000 || l.keyBytes > 10_000*200 {
		t.Errorf("kept %d requests, %d bytes", n, l.keyBytes)
	}
	text := policyOf(t, l)
	for _, want := range []string{
		"- /jobs/{int}/log  # 60000 requests, over 1000 paths, e.g. /jobs/0/log\n",
		"- /cas/{sha}  # 60000 requests, over 1000 paths, e.g. /cas/00",
		"- /session/*/state  # 60000 requests, over 1000 paths, e.g. /session/*/state; review: " + maskedReview + "\n",
		"- /tools/{version}/cc-{version}.tgz  # 60000 requests, over 1000 paths, e.g. /tools/0.0/cc-0.0.tgz\n",
		"- /once/1\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

// TestFoldingKeepsOrderOut: whether families were folded on the way or at the end
// cannot be told from the policy.
func TestFoldingKeepsOrderOut(t *testing.T) {
	var events []enforce.Event
	for i := range foldAt + 200 {
		status := 200
		switch i % 10 {
		case 1:
			status = 404
		case 2:
			status = 500
		}
		events = append(events, exchange("GET", fmt.Sprintf("https://build.example.org/jobs/%d/log", i), status)...)
		events = append(events, exchange("GET", fmt.Sprintf("https://down.example.org/jobs/%d/log", i), 500)...)
		events = append(events, exchange("HEAD", fmt.Sprintf("https://build.example.org/x/%d", i), 200)...)
		events = append(events, exchange("PUT", fmt.Sprintf("https://build.example.org/results/%d", i), 200)...)
		events = append(events, get(fmt.Sprintf("https://github.com/example/tool/issues/%d", i%50))...)
	}
	want := learned(t, Options{}, events)
	for _, not := range []string{"/issues/{int}", "/results/{int}", "GET https://build.example.org"} {
		if strings.Contains(want, not) {
			t.Errorf("%s in:\n%s", not, want)
		}
	}
	for _, line := range []string{"1200 requests, first on 2026-11-24, over 1000 paths, e.g. /jobs/0/log\n    paths:\n      - /jobs/{int}/log\n", "#   GET https://down.example.org/jobs/{int}/log  (1200 requests: answered 500)\n"} {
		if !strings.Contains(want, line) {
			t.Errorf("no %s in:\n%s", line, want)
		}
	}
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 1))
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		if got := learned(t, Options{MaxRequests: 4500}, events); got != want {
			t.Fatalf("seed %d: %s", seed, cmp.Diff(want, got))
		}
	}
	p, r := enforced(t, want)
	for _, line := range []string{"GET https://build.example.org/jobs/x/log", "GET https://build.example.org/x/7", "PUT https://build.example.org/results/5000", "GET https://down.example.org/jobs/1/log"} {
		method, raw, _ := strings.Cut(line, " ")
		if d := ask(t, p, r, request(method, raw)); d.Action != policy.Deny {
			t.Errorf("%s: %v by %s", line, d.Action, d.Rule)
		}
	}
}

// TestSourceCodeDoesNotFold: what the forms of URLs show of a host keeps its paths
// as they are, and where that is seen too late, there is no policy.
func TestSourceCodeDoesNotFold(t *testing.T) {
	var events []enforce.Event
	for i := range foldAt + 100 {
		events = append(events, get(fmt.Sprintf("https://git.example.org/example/tool/issues/%d", i))...)
	}
	events = append(events, get("https://git.example.org/example/tool/releases/download/v1/x")...)
	text := learned(t, Options{}, events)
	p, r := enforced(t, text)
	if d := ask(t, p, r, request("GET", "https://git.example.org/example/tool/issues/5000")); d.Action != policy.Deny {
		t.Errorf("%v by %s", d.Action, d.Rule)
	}
	if d := ask(t, p, r, request("GET", "https://git.example.org/example/tool/issues/500")); d.Action != policy.Allow {
		t.Errorf("%v: %s", d.Action, d.Reason)
	}
	l := New(Options{MaxRequests: foldAt + 50})
	for _, ev := range events {
		_ = l.Record(ev)
	}
	var b bytes.Buffer
	if err := l.WritePolicy(&b); err == nil || b.Len() > 0 {
		t.Errorf("no error, %d bytes", b.Len())
	}
}

// TestManyPathsThatDoNotFold end in an error, with memory for what is kept alone.
func TestManyPathsThatDoNotFold(t *testing.T) {
	l := New(Options{})
	ev := request("GET", "https://busy.example.org/")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 1_000_000 {
		ev.Path = fmt.Sprintf("/words/%x-and-%x", i, i*7)
		_ = l.Record(ev)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 100<<20 {
		t.Errorf("holds %d MiB", grown>>20)
	}
	var b bytes.Buffer
	if err := l.WritePolicy(&b); err == nil || b.Len() > 0 || !strings.Contains(err.Error(), "busy.example.org had 100000 distinct paths") {
		t.Errorf("%v, %d bytes", err, b.Len())
	}
}
