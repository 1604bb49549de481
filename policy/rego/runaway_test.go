package rego

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestRunaway has policies that would go on for minutes or for ever. That the
// test ends is the assertion.
func TestRunaway(t *testing.T) {
	tests := map[string]string{
		"one builtin":           `allow if count(numbers.range(1, 1000000000)) > 0`,
		"nested comprehensions": "big := numbers.range(1, 100000)\nallow if count([1 | some x in big; some y in big; x + y == 0]) == 0",
		"search":                "d := numbers.range(0, 99)\nallow if { some a in d; some b in d; some c in d; some e in d; some f in d; a + b + c + e + f == -1 }",
	}
	for name, rules := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Load(context.Background(), gate(t, "package proxaudit\n"+rules))
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Decide(context.Background(), get())
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "longer than "+Timeout.String()) {
				t.Errorf("error %v, want one about the time", err)
			}
			if got.Action != policy.Deny {
				t.Errorf("decision %+v, want deny", got)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	p := load(t, `allow := true`)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	// Many times, for the evaluation is short enough to win a race.
	for range 1000 {
		got, err := p.Decide(ctx, get())
		if !errors.Is(err, context.Canceled) || got.Action != policy.Deny {
			t.Fatalf("decision %+v, error %v: want deny, cancelled", got, err)
		}
	}
}

// TestCancelledMeanwhile ends the context from within the evaluation: the
// policy prints, and print is where the test gets hold of it.
func TestCancelledMeanwhile(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := Options{Print: writerFunc(func(b []byte) (int, error) { cancel(); return len(b), nil })}
	p, err := o.Load(context.Background(), gate(t, "package proxaudit\n"+
		`allow if { print("now"); count(numbers.range(1, 1000000000)) > 0 }`))
	if err != nil {
		t.Fatal(err)
	}
	p.timeout = time.Hour
	if _, err := p.Decide(ctx, get()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want cancelled", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestPrint(t *testing.T) {
	const rules = "package proxaudit\n" + `allow if { print("path", input.path) }`
	path := gate(t, rules)
	r := get()
	r.Path = "/\x1b[2Jé\n::stop-commands::"
	var out bytes.Buffer
	p, err := Options{Print: &out}.Load(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := p.Decide(context.Background(), r); err != nil || d.Action != policy.Allow {
		t.Fatalf("decision %+v, error %v", d, err)
	}
	if want := path + `:2: path /\x1b[2Jé\n::stop-commands::` + "\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

// TestPrintToNowhere shows that print without a writer changes no decision.
func TestPrintToNowhere(t *testing.T) {
	p := load(t, `allow if { print("path", input.path); input.port == 443 }`)
	if d, err := p.Decide(context.Background(), get()); err != nil || d.Action != policy.Allow {
		t.Errorf("decision %+v, error %v", d, err)
	}
}

// TestConcurrent asks one policy from many goroutines; run with -race.
func TestConcurrent(t *testing.T) {
	root := folder(t, map[string]string{
		"gate.rego": "package proxaudit\nallow if { data.hosts[input.host] == input.port; input.attributes.request.http.headers.accept; glob.match(data.globs[_], [], input.path) }",
		"data.json": `{"hosts": {"h1.test": 443, "h3.test": 443}, "globs": ["/x*", "/a/*"]}`,
	})
	p, err := Load(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	p.timeout = time.Minute
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 50 {
				r := get()
				r.Host = fmt.Sprintf("h%d.test", i)
				d, err := p.Decide(context.Background(), r)
				if err != nil || (d.Action == policy.Allow) != (i == 1 || i == 3) {
					t.Errorf("%s: decision %+v, error %v", r.Host, d, err)
				}
			}
		})
	}
	group.Wait()
}

// TestPatternsAreKept counts allocations: to compile a glob takes some twenty,
// to look a compiled one up takes none.
func TestPatternsAreKept(t *testing.T) {
	const n = 1000
	rules := fmt.Sprintf("allow if { some i in numbers.range(1, %d); glob.match(sprintf(\"h%%d-*.test\", [i]), [\".\"], input.host); i < 0 }", n)
	p := load(t, rules)
	decide := func() {
		if _, err := p.Decide(context.Background(), get()); err != nil {
			t.Fatal(err)
		}
	}
	if got := testing.AllocsPerRun(3, decide) / n; got > 27 {
		t.Errorf("%.0f allocations a pattern", got)
	}
}
