package replay

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// recording is a run of n requests to packages, with their answers.
func recording(n int) []byte {
	var b bytes.Buffer
	log := enforce.NewLog(&b)
	for i := range n {
		path := fmt.Sprintf("/p%d/-/p%d-1.0.%d.tgz", i/10, i/10, i%10)
		ev := enforce.Event{
			Schema: enforce.SchemaID, Time: time.Date(2026, 11, 24, 12, 0, i/100, i, time.UTC), ID: fmt.Sprintf("0123456789ab-%d", i),
			Mode: "learn", Isolation: "netns", Stage: enforce.StageRequest, Action: policy.Log, Method: "GET", Scheme: "https",
			Host: "npm.example.org", Port: 443, Path: path, URL: "https://npm.example.org" + path, Protocol: "HTTP/1.1", Reason: "no rule matches",
			Package: fmt.Sprintf("pkg:npm/p%d@1.0.%d", i/10, i%10),
			Process: &policy.Process{PID: 4711, Exe: "/usr/bin/node", Argv: []string{"npm", "ci"}, Parents: []string{"/bin/sh"}},
		}
		_ = log.Record(ev)
		ev.Stage, ev.Status, ev.ResponseBytes, ev.DurationMS, ev.Address = enforce.StageResponse, 200, 12345, 12.345, "93.184.216.34:443"
		ev.SHA256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		_ = log.Record(ev)
	}
	_ = log.Close()
	return b.Bytes()
}

func BenchmarkEach(b *testing.B) {
	data := recording(50_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Each(bytes.NewReader(data), func(int, *enforce.Event) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/event")
}
