package learn

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

func TestTooManyRequests(t *testing.T) {
	l := New(Options{MaxRequests: 100})
	for i := range 1000 {
		_ = l.Record(request("GET", fmt.Sprintf("https://busy.example.org/%d", i)))
		if i < 10 {
			_ = l.Record(request("GET", fmt.Sprintf("https://calm.example.org/%d", i)))
		}
	}
	var b bytes.Buffer
	err := l.WritePolicy(&b)
	if err == nil || b.Len() > 0 {
		t.Fatalf("%v\n%s", err, b.String())
	}
	for _, want := range []string{"over 100 distinct requests", "busy.example.org had 90 distinct paths", "calm.example.org had 10", "by hand"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if len(l.flows) > 100 {
		t.Errorf("kept %d requests", len(l.flows))
	}
}

func TestTooManyAddresses(t *testing.T) {
	l := New(Options{})
	ev := exchange("GET", "https://rebind.example.org/", 200)[1]
	for i := range maxAddresses + 1 {
		ev.Address = fmt.Sprintf("10.%d.%d.%d:443", i>>16, i>>8&255, i&255)
		_ = l.Record(ev)
	}
	if err := l.WritePolicy(io.Discard); err == nil {
		t.Fatal("no error")
	}
}

func TestTooLongPaths(t *testing.T) {
	l := New(Options{})
	ev := request("GET", "https://long.example.org/")
	for i := range 65 {
		ev.Path = fmt.Sprintf("/%d/%s", i, strings.Repeat("x", 1<<20))
		_ = l.Record(ev)
	}
	if l.keyBytes > maxKeyBytes {
		t.Errorf("kept %d bytes", l.keyBytes)
	}
	if err := l.WritePolicy(io.Discard); err == nil {
		t.Fatal("no error")
	}
}

// TestPolicyTooLarge: fewer requests than are kept may still be more than can be
// read back.
func TestPolicyTooLarge(t *testing.T) {
	l := New(Options{})
	l.maxPolicy = 1000
	for i := range 40 {
		_ = l.Record(request("GET", fmt.Sprintf("https://long.example.org/a/rather/long/path/x%d", i)))
	}
	if err := l.WritePolicy(io.Discard); err == nil {
		t.Fatal("no error")
	}
}

func TestLeftOutIsBounded(t *testing.T) {
	l := New(Options{})
	for i := range 500 {
		for _, ev := range broken("GET", fmt.Sprintf("https://down.example.org/%d", i), strings.Repeat("y", 1000)) {
			_ = l.Record(ev)
		}
	}
	var b bytes.Buffer
	if err := l.WritePolicy(&b); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n > 70 || !strings.Contains(b.String(), "and 450 more") {
		t.Errorf("%d lines:\n%s", n, b.String())
	}
}

func TestConcurrentRecord(t *testing.T) {
	l := New(Options{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				for _, ev := range exchange("GET", fmt.Sprintf("https://ok.example.org/%d", i), 200, "10.0.0.1:443") {
					_ = l.Record(ev)
				}
				if i%50 == g {
					_ = l.WritePolicy(io.Discard)
				}
			}
		})
	}
	wg.Wait()
	var b bytes.Buffer
	if err := l.WritePolicy(&b); err != nil || !strings.Contains(b.String(), "# 800 requests") {
		t.Fatal(err, b.String())
	}
}

func TestWriteErrorIsReturned(t *testing.T) {
	if err := New(Options{}).WritePolicy(failing{}); err != io.ErrShortWrite {
		t.Fatal(err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func events(n, distinct int) []enforce.Event {
	out := make([]enforce.Event, 0, n)
	for i := range n / 2 {
		d := i % distinct
		raw := fmt.Sprintf("https://npm.example.org/p%d/-/p%d-1.0.%d.tgz", d/10, d/10, d%10)
		if d%4 == 0 {
			raw = fmt.Sprintf("https://h%d.example.org/a/%d", d%50, d)
		}
		out = append(out, exchange("GET", raw, 200, "93.184.216.34:443")...)
	}
	return out
}

func BenchmarkRecord(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		evs := events(n, 50_000)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l := New(Options{})
				for i := range evs {
					_ = l.Record(evs[i])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
		})
	}
}

func BenchmarkWritePolicy(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		l := New(Options{})
		for _, ev := range events(n, min(n/2, 100_000)) {
			_ = l.Record(ev)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := l.WritePolicy(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestLineAgrees: what a denial tells the user to add is what learning adds.
func TestLineAgrees(t *testing.T) {
	text := learned(t, Options{}, join(get("https://npm.example.org/@o/n/-/n-1.0.0.tgz"), get("https://ok.example.org/a")))
	_, r := enforced(t, text)
	ev := request("GET", "https://npm.example.org/@o/n/-/n-1.0.0.tgz")
	q := &policy.Request{Method: ev.Method, Scheme: ev.Scheme, Host: ev.Host, Port: ev.Port, Path: ev.Path}
	q.Package, q.Registry = r.Identify(key{endpoint{ev.Scheme, ev.Host, ev.Port}, ev.Method, ev.Path, "", ""}.query(new(flow)))
	if want := "\n  " + q.Line() + "  # "; !strings.Contains(text, want) {
		t.Errorf("no line %q in:\n%s", want, text)
	}
}
