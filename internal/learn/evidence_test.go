package learn

import (
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// TestManyRuns: runs are counted beyond the bits of a word.
func TestManyRuns(t *testing.T) {
	l := New(Options{})
	for run := range 200 {
		if run > 0 {
			l.NextRun()
		}
		if run%2 == 1 {
			for _, ev := range get("https://ok.example.org/a") {
				_ = l.Record(ev)
			}
		}
	}
	text := policyOf(t, l)
	for _, want := range []string{"from 200 runs of:", "# seen in 100 of 200 runs, 100 requests, first on 2026-11-24\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

// TestProgramNames: who asked is named by words that end no comment and say no
// secret.
func TestProgramNames(t *testing.T) {
	for exe, want := range map[string]string{
		"/usr/bin/node":                         "node",
		"/opt/python/bin/python3.13":            "python3.13",
		"/usr/bin/g++":                          "g++",
		"curl":                                  "curl",
		"/tmp/build (deleted)":                  "build",
		"/tmp/a; review: none":                  "a__review__none",
		"/tmp/a\n- pkg:npm/evil":                "evil",
		"/tmp/a\n- host: evil.test":             "a_-_host__evil.test",
		"/tmp/\x1b[2J\u202e\xff":                "__2J__",
		"/tmp/":                                 "",
		"":                                      "",
		"/tmp/" + strings.Repeat("x", 100):      strings.Repeat("x", 64),
		"/tmp/ghp_" + strings.Repeat("a1B2", 9): "REDACTED",
	} {
		f := flow{}
		f.requests = 1
		if name := programOf(&enforce.Event{Process: &policy.Process{Exe: exe}}); name != "" {
			f.programs = withProgram(nil, name)
		}
		if got := f.by(); strings.TrimPrefix(got, " by ") != want {
			t.Errorf("%q: got %q, want %q", exe, got, want)
		}
	}
}

// TestManyPrograms: only so many names are kept, always the same ones.
func TestManyPrograms(t *testing.T) {
	texts := map[string]bool{}
	for _, step := range []int{1, 37} {
		var events []enforce.Event
		for i := range 100 {
			exe := "/tmp/p" + string(rune('a'+i*step%100/10)) + string(rune('a'+i*step%100%10))
			events = append(events, by(exe, 24, get("https://ok.example.org/a"))...)
		}
		texts[learned(t, Options{}, events)] = true
	}
	for text := range texts {
		if len(texts) != 1 || !strings.Contains(text, "100 requests by paa, pab and many more, first") {
			t.Errorf("%d policies, such as:\n%s", len(texts), text)
		}
	}
}

func TestDays(t *testing.T) {
	for _, tc := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), "1970-01-01"},
		{time.Date(2026, 11, 24, 23, 59, 59, 999, time.UTC), "2026-11-24"},
		{time.Date(2026, 11, 25, 0, 30, 0, 0, time.FixedZone("", 3600)), "2026-11-24"},
		{time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), "9999-12-31"},
	} {
		if got := dayOf(tc.at).String(); got != tc.want {
			t.Errorf("%v: got %s, want %s", tc.at, got, tc.want)
		}
	}
	if dayOf(time.Time{}) != 0 {
		t.Error("the zero time is a day")
	}
	if got := learned(t, Options{}, []enforce.Event{{Stage: enforce.StageTCP, Scheme: "tcp", Host: "a.example.org", Port: 22}}); strings.Contains(got, "first on") {
		t.Errorf("a day that nobody recorded:\n%s", got)
	}
}
