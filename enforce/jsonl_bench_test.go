package enforce

import (
	"io"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// requestEvent is what a package manager's request is recorded as.
func requestEvent() Event {
	return Event{
		Time: time.Date(2026, 3, 4, 5, 6, 7, 891011121, time.UTC), ID: "01JNZ5W8K3T7Q2", Mode: "enforce",
		Stage: StageRequest, Isolation: "netns", Method: "GET", Scheme: "https", Host: "npm.example.org", Port: 443,
		Path: "/lodash/-/lodash-4.17.21.tgz", URL: "https://npm.example.org/lodash/-/lodash-4.17.21.tgz", Protocol: "HTTP/1.1",
		Action: policy.Allow, Rule: "policy.yaml:7", Package: "pkg:npm/lodash@4.17.21", Registry: "https://npm.example.org/",
		Process: &policy.Process{PID: 4242, Exe: "/usr/bin/node", Argv: []string{"npm", "ci"}, Parents: []string{"make", "bash"}},
	}
}

func BenchmarkRecord(b *testing.B) {
	plain := requestEvent()
	odd := requestEvent()
	odd.Path = "/b\u00fccher\u202e"
	for name, ev := range map[string]Event{"plain": plain, "escaped": odd} {
		b.Run(name, func(b *testing.B) {
			l := NewLog(io.Discard)
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Record(ev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
