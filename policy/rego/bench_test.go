package rego

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

func benchmark(b *testing.B, files map[string]string, r *policy.Request) {
	b.Helper()
	p, err := Load(context.Background(), folder(b, files))
	if err != nil {
		b.Fatal(err)
	}
	p.timeout = time.Minute // a busy machine is not what this measures
	// A context that can be cancelled, as every request has one.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if d, err := p.Decide(ctx, r); err != nil || d.Action != policy.Allow {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkDecideTiny(b *testing.B) {
	benchmark(b, map[string]string{"gate.rego": `package proxaudit

default allow := false

allow if {
	input.method == "GET"
	input.host == "ok.test"
	startswith(input.path, "/a/")
}`}, get())
}

// BenchmarkDecideObject answers with an object that names its rule.
func BenchmarkDecideObject(b *testing.B) {
	benchmark(b, map[string]string{"gate.rego": `package proxaudit

decision := {"action": "allow", "reason": "pinned", "rule": "ok"} if input.host == "ok.test"`}, get())
}

func BenchmarkDecideHostSet10k(b *testing.B) {
	hosts := map[string]bool{"ok.test": true}
	for i := range 10_000 {
		hosts[fmt.Sprintf("h%d.example.org", i)] = true
	}
	benchmark(b, map[string]string{
		"gate.rego": "package proxaudit\nallow if data.hosts[input.host]",
		"data.json": marshal(b, map[string]any{"hosts": hosts}),
	}, get())
}

// BenchmarkDecideGlobs1k goes through a thousand globs of the data, ten times
// what OPA's own cache of patterns holds.
func BenchmarkDecideGlobs1k(b *testing.B) {
	globs := []string{}
	for i := range 1000 {
		globs = append(globs, fmt.Sprintf("h%d-*.example.org", i))
	}
	benchmark(b, map[string]string{
		"gate.rego": "package proxaudit\nallow if { some g in data.globs; glob.match(g, [\".\"], input.host) }",
		"data.json": marshal(b, map[string]any{"globs": append(globs, "ok.*")}),
	}, get())
}

// BenchmarkDecideEnvoy uses the parts of the input that cost most.
func BenchmarkDecideEnvoy(b *testing.B) {
	benchmark(b, map[string]string{"gate.rego": `package proxaudit

import input.attributes.request.http as http_request

allow if {
	http_request.method == "GET"
	http_request.host == "ok.test"
	input.parsed_path == ["a", "b"]
}`}, get())
}

func BenchmarkDecideParallel(b *testing.B) {
	p := load(b, `allow if input.host == "ok.test"`)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := get()
		for pb.Next() {
			if d, err := p.Decide(context.Background(), r); err != nil || d.Action != policy.Allow {
				b.Fatal(d, err)
			}
		}
	})
}

func marshal(b *testing.B, v any) string {
	b.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}
