package learn

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

var update = flag.Bool("update", false, "rewrite testdata/*.yaml")

// request is the event that opens an exchange, as the proxy records it.
func request(method, raw string) enforce.Event {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err)
	}
	ev := enforce.Event{
		Stage: enforce.StageRequest, Mode: "learn", Action: policy.Log, Method: method,
		Scheme: u.Scheme, Host: u.Hostname(), Port: policy.DefaultPort(u.Scheme), URL: enforce.RedactURL(raw),
		Time: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
	}
	if p := u.Port(); p != "" {
		fmt.Sscan(p, &ev.Port)
	}
	switch {
	case u.Scheme == "tcp":
		ev.Stage, ev.Method = enforce.StageTCP, ""
	case method == "CONNECT":
		ev.Stage = enforce.StageConnect
	default:
		canonical, err := policy.CanonicalPath(u.EscapedPath())
		if err != nil {
			panic(err)
		}
		ev.Path = enforce.RedactURL(canonical)
	}
	return ev
}

// exchange is a request and its answer. An address is where it was dialled.
func exchange(method, raw string, status int, address ...string) []enforce.Event {
	open := request(method, raw)
	end := open
	end.Stage, end.Status = enforce.StageResponse, status
	if len(address) > 0 {
		end.Address = address[0]
	}
	return []enforce.Event{open, end}
}

func get(raw string) []enforce.Event { return exchange("GET", raw, 200, "93.184.216.34:443") }

// broken is a request that got no answer.
func broken(method, raw, why string) []enforce.Event {
	events := exchange(method, raw, 502)
	events[1].Error = why
	return events
}

func join(parts ...[]enforce.Event) []enforce.Event {
	var out []enforce.Event
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// by names the program that made the requests, on a day of November 2026.
func by(exe string, day int, events []enforce.Event) []enforce.Event {
	for i := range events {
		events[i].Process = &policy.Process{Exe: exe}
		events[i].Time = events[i].Time.AddDate(0, 0, day-events[i].Time.Day())
	}
	return events
}

// learned is the policy of one run or of several.
func learned(t testing.TB, o Options, runs ...[]enforce.Event) string {
	t.Helper()
	l := New(o)
	for i, events := range runs {
		if i > 0 {
			l.NextRun()
		}
		for _, ev := range events {
			if err := l.Record(ev); err != nil {
				t.Fatal(err)
			}
		}
	}
	return policyOf(t, l)
}

func policyOf(t testing.TB, l *Learner) string {
	t.Helper()
	var b bytes.Buffer
	if err := l.WritePolicy(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// enforced reads what was learned as enforce does.
func enforced(t testing.TB, text string) (*allowlist.Policy, *ecosystem.Recognizer) {
	t.Helper()
	p, err := allowlist.Parse("learned.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	r, err := ecosystem.New(p.Registries())
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p, r
}

// ask makes the request of ev again and returns what the policy says.
func ask(t testing.TB, p *allowlist.Policy, r *ecosystem.Recognizer, ev enforce.Event) policy.Decision {
	t.Helper()
	q := &policy.Request{Method: ev.Method, Scheme: ev.Scheme, Host: ev.Host, Port: ev.Port, Path: ev.Path}
	_, q.Query, _ = strings.Cut(ev.URL, "?")
	if ev.Via != "" {
		q.Via = []string{ev.Via}
	}
	q.Package, q.Registry = r.Identify(ecosystem.Query{Method: q.Method, Scheme: q.Scheme, Host: q.Host, Port: q.Port, Path: q.Path})
	d, err := p.Decide(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestGolden: what each kind of build becomes, and that it holds: every request
// passes again, its neighbours do not, and order does not matter, of
// events nor of runs.
func TestGolden(t *testing.T) {
	for _, tc := range slices.Concat(goldens, ecosystemGoldens, []golden{redirectGolden}) {
		t.Run(tc.name, func(t *testing.T) {
			runs := append([][]enforce.Event{tc.events}, tc.more...)
			got := learned(t, tc.options, runs...)
			compare(t, filepath.Join("testdata", tc.name+".yaml"), got)
			p, r := enforced(t, got)
			for _, ev := range join(runs...) {
				if ev.Stage == enforce.StageResponse || ev.Stage == enforce.StageUDP || ev.Stage == enforce.StageDNS {
					continue
				}
				want := policy.Allow
				for _, not := range tc.not {
					if strings.Contains(ev.Method+" "+ev.URL, not) {
						want = policy.Deny
					}
				}
				if d := ask(t, p, r, ev); d.Action != want {
					t.Errorf("%s %s: %v (%s), want %v", ev.Method, ev.URL, d.Action, d.Reason, want)
				}
			}
			for _, line := range tc.neighbours {
				method, raw, _ := strings.Cut(line, " ")
				if d := ask(t, p, r, request(method, raw)); d.Action != policy.Deny {
					t.Errorf("neighbour %s: %v by %s", line, d.Action, d.Rule)
				}
			}
			rng := rand.New(rand.NewPCG(1, 2))
			for range 5 {
				rng.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
				for i := range runs {
					runs[i] = slices.Clone(runs[i])
					rng.Shuffle(len(runs[i]), func(j, k int) { runs[i][j], runs[i][k] = runs[i][k], runs[i][j] })
				}
				if again := learned(t, tc.options, runs...); again != got {
					t.Fatalf("the order of events or of runs changed the policy:\n%s", cmp.Diff(got, again))
				}
			}
		})
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestBadRegistry(t *testing.T) {
	l := New(Options{Registries: ecosystem.Registries{"npm": {"npm.example.org"}}})
	var b bytes.Buffer
	if err := l.WritePolicy(&b); err == nil || b.Len() > 0 {
		t.Fatal(err, b.String())
	}
}
