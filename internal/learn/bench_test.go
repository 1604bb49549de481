package learn

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/replay"
	"github.com/juliendoutre/proxaudit/policy"
)

// BenchmarkLearn reads 20 recordings of builds, 1,000,000 events together, and
// writes a policy. A build reads 25,000 of 50,000 files of packages, and a
// hundredth as much elsewhere.
func BenchmarkLearn(b *testing.B) {
	var files []string
	for run := range 20 {
		files = append(files, filepath.Join(b.TempDir(), fmt.Sprintf("%d.jsonl", run)))
		writeRecording(b, files[run], run)
	}
	b.ReportAllocs()
	events := 0
	for b.Loop() {
		events = 0
		l := New(Options{})
		for i, name := range files {
			if i > 0 {
				l.NextRun()
			}
			f, err := os.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			err = replay.Each(f, func(_ int, ev *enforce.Event) error { events++; return l.Record(*ev) })
			if err != nil {
				b.Fatal(err)
			}
			_ = f.Close()
		}
		if err := l.WritePolicy(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(events), "ns/event")
	b.ReportMetric(float64(events), "events")
	if peak := peakMemory(); peak > 0 {
		b.ReportMetric(float64(peak), "peak-MiB")
	}
}

// peakMemory is the most that this process ever held, in MiB, or 0 where the
// system does not say.
func peakMemory() (mib int) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, peak, _ := bytes.Cut(status, []byte("VmHWM:"))
	_, _ = fmt.Sscan(string(peak), &mib)
	return mib >> 10
}

func writeRecording(b *testing.B, name string, run int) {
	log, err := enforce.CreateLog(name)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(run), 9))
	node := &policy.Process{PID: 4711, Exe: "/usr/local/bin/node", Argv: []string{"npm", "ci"}, Parents: []string{"/bin/sh", "/usr/bin/make"}}
	curl := &policy.Process{PID: 4712, Exe: "/usr/bin/curl", Argv: []string{"curl", "-fsSL"}}
	for i := range 25_000 {
		n := rng.IntN(50_000)
		path := fmt.Sprintf("/package-%d/-/package-%d-%d.%d.0.tgz", n, n, n%7, n%13)
		ev := enforce.Event{
			Schema: enforce.SchemaID, Time: time.Date(2026, 11, 1+run, 12, i/1000, i%60, i*1000, time.UTC), ID: fmt.Sprintf("%012x-%d", run, i),
			Mode: "learn", Isolation: "netns", Stage: enforce.StageRequest, Action: policy.Log, Reason: "no rule matches", Method: "GET",
			Scheme: "https", Host: "npm.example.org", Port: 443, Protocol: "HTTP/1.1", Process: node,
		}
		switch {
		case i%100 == 1:
			ev.Host, path, ev.Process = "build.example.org", fmt.Sprintf("/tools/%d.%d/cc-%d.%d.tgz", n%50, run, n%50, run), curl
		case i%100 == 2:
			ev.Host, path, ev.Process = "github.com", fmt.Sprintf("/example/tool-%d/releases/download/v1.%d/tool.tgz", n%20, n%30), curl
		}
		ev.Path, ev.URL = path, "https://"+ev.Host+path
		_ = log.Record(ev)
		ev.Stage, ev.Status, ev.ResponseBytes, ev.DurationMS = enforce.StageResponse, 200, int64(n), float64(n)/1000
		ev.Address, ev.SHA256 = "93.184.216.34:443", strings.Repeat("0123456789abcdef", 4)
		_ = log.Record(ev)
	}
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRecorder is what learning adds to each event of a run, alone and with
// as many goroutines as there are processors.
func BenchmarkRecorder(b *testing.B) {
	evs := events(100_000, 20_000)
	for i := range evs {
		evs[i].Process = &policy.Process{Exe: "/usr/bin/node"}
	}
	b.Run("alone", func(b *testing.B) {
		l := New(Options{})
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			_ = l.Record(evs[i%len(evs)])
			i++
		}
	})
	b.Run("contended", func(b *testing.B) {
		l := New(Options{})
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				_ = l.Record(evs[i%len(evs)])
			}
		})
	})
}

// BenchmarkLine is what the line to add costs, for each denied request.
func BenchmarkLine(b *testing.B) {
	p := NewProposer(nil)
	for name, r := range map[string]*policy.Request{
		"path":    {Method: "GET", Scheme: "https", Host: "build.example.org", Port: 443, Path: "/tools/cc-1.2.3.tgz"},
		"release": {Method: "GET", Scheme: "https", Host: "github.com", Port: 443, Path: "/example/tool/releases/download/v1.2.3/tool.tgz"},
		"long":    {Method: "GET", Scheme: "https", Host: "build.example.org", Port: 443, Path: strings.Repeat("/abcdefgh1234ABCD", 240)},
		"slashes": {Method: "GET", Scheme: "https", Host: "build.example.org", Port: 443, Path: strings.Repeat("/a", 2000)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Line(r)
			}
		})
	}
}
