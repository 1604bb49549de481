package replay

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// lineOf is one event as the log writes it.
func lineOf(t *testing.T, ev enforce.Event) string {
	t.Helper()
	var b bytes.Buffer
	log := enforce.NewLog(&b)
	if err := errors.Join(log.Record(ev), log.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestEachReadsWholeEvents: what was recorded comes back as it was.
func TestEachReadsWholeEvents(t *testing.T) {
	var log strings.Builder
	want := []enforce.Event{
		{Stage: enforce.StageDNS, ID: "run-1", Host: "ok.example.org", Action: policy.Log, Mode: "learn"},
		{
			Stage: enforce.StageRequest, ID: "run-2", Method: "GET", Scheme: "https", Host: "ok.example.org", Port: 443, Path: "/a", URL: "https://ok.example.org/a?b=c",
			Process: &policy.Process{PID: 1, Exe: "/usr/bin/curl", Argv: []string{"curl", "\x1b"}}, RequestHeader: map[string][]string{"Accept": {"a", "b"}}, Action: policy.Allow,
		},
		{Stage: enforce.StageResponse, ID: "run-2", Host: "ok.example.org", Status: 200, Address: "10.0.0.1:443", Error: "x", Action: policy.Allow, DurationMS: 1.5},
		{Stage: enforce.StageUDP, ID: "run-3", Host: "ok.example.org", Port: 443, Blocked: true},
		{Stage: enforce.StagePolicy, ID: "run-4", Reason: "read again"},
		{Stage: enforce.StageTCP, ID: "run-5", Scheme: "tcp", Host: "ok.example.org", Port: 22},
		{Stage: enforce.StageResponse, ID: "run-5", Scheme: "tcp", Host: "ok.example.org", Port: 22},
	}
	for i := range want {
		log.WriteString(lineOf(t, want[i]))
		want[i].Schema = enforce.SchemaID
	}
	var got []enforce.Event
	// A pipe begins with a space; see enforce.CreateLog. The last line lacks its end.
	err := Each(strings.NewReader(" "+strings.TrimSuffix(log.String(), "\n")), func(line int, ev *enforce.Event) error {
		if line != len(got)+1 {
			t.Errorf("line %d after %d events", line, len(got))
		}
		got = append(got, *ev)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestEachIsStrict: half a recording is none, and the error names the line.
func TestEachIsStrict(t *testing.T) {
	request := lineOf(t, enforce.Event{Stage: enforce.StageRequest, ID: "run-1", Host: "ok.example.org", Action: policy.Log})
	response := lineOf(t, enforce.Event{Stage: enforce.StageResponse, ID: "run-1", Host: "ok.example.org", Action: policy.Log, Status: 200})
	other := lineOf(t, enforce.Event{Stage: enforce.StageRequest, ID: "another-1", Host: "ok.example.org", Action: policy.Log})
	for _, tc := range []struct{ name, log, want string }{
		{"nothing", "", ""},
		{"an exchange", request + response, ""},
		{"answered twice", request + response + response, ""},
		{"windows line ends", strings.ReplaceAll(request+response, "\n", "\r\n"), ""},
		{"cut at the end", request + response[:40], "line 2: the recording is cut off here: not an event: "},
		{"cut between bytes of a character", request + `{"host":"` + "\xc3", "line 2: the recording is cut off here"},
		{"cut, then another", request + response[:40] + "\n" + other, "line 2: not an event: "},
		{"cut, then another on its line", request + response[:40] + other, "line 2: not an event: "},
		{"two on a line", strings.TrimSuffix(request, "\n") + response, "line 1: not an event: "},
		{"another run", request + response + other, `line 3: another run begins here (its IDs begin with "another", not with "run"): keep each run in a file of its own`},
		{"the end only", response, `line 1: a response to "run-1", which is on no line before it: the recording lacks its beginning`},
		{"the answer first", response + request, "line 1: a response to"},
		{"an empty line", request + "\n" + response, "line 2: an empty line"},
		{"another schema", strings.Replace(request, "event.schema.json", "event-2.schema.json", 1), "line 1: not an event: the schema is "},
		{"no schema", `{"stage":"request","action":"log"}` + "\n", `line 1: not an event: the schema is ""`},
		{"no action", strings.Replace(request, `"action":"log",`, "", 1), "line 1: not an event: it has no action"},
		{"a null action", strings.Replace(request, `"action":"log"`, `"action":null`, 1), "line 1: not an event: it has no action"},
		{"an unknown action", strings.Replace(request, `"action":"log"`, `"action":"maybe"`, 1), "line 1: not an event: "},
		{"an unknown stage", strings.Replace(request, `"stage":"request"`, `"stage":"later"`, 1), `line 1: not an event: unknown stage "later"`},
		{"a wrong type", strings.Replace(request, `"ok.example.org"`, `7`, 1), "line 1: not an event: "},
		{"a port too large", strings.Replace(request, `"action"`, `"port":65536,"action"`, 1), "line 1: not an event: "},
		{"no JSON", request + "hello\n", "line 2: not an event: "},
		{"a list", "[]\n", "line 1: not an event: "},
		{"a HAR", "{\n  \"log\": {}\n}\n", "line 1: not an event: "},
		{"a huge line", request + strings.Repeat("x", maxLine+1) + "\n", "line 2: the line is longer than 4 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := Each(strings.NewReader(tc.log), func(int, *enforce.Event) error { return nil })
			switch {
			case tc.want == "":
				if err != nil {
					t.Error(err)
				}
			case err == nil || !strings.HasPrefix(err.Error(), tc.want):
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// TestEachEnds: with the first error of who takes the events.
func TestEachEnds(t *testing.T) {
	line := lineOf(t, enforce.Event{Stage: enforce.StageRequest, ID: "run-1"})
	calls := 0
	stop := errors.New("enough")
	err := Each(strings.NewReader(line+line), func(int, *enforce.Event) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// FuzzEach: whatever a recording holds, it is read whole or the error names a
// line that it has; and what was read is written again as the same event.
func FuzzEach(f *testing.F) {
	f.Add([]byte(`{"schema":"` + enforce.SchemaID + `","ts":"2026-11-24T12:00:00Z","id":"run-1","mode":"learn","stage":"request","host":"a.example.org","port":443,"action":"log","blocked":false}` + "\n"))
	f.Add([]byte(`{"schema":"` + enforce.SchemaID + `","ts":"2026-11-24T12:00:00Z","id":"run-1","mode":"learn","stage":"tcp","action":"deny","blocked":true,"process":{"pid":1,"exe":"/a","argv":["\u001b"]},"request_header":{"A":["b"]},"request_body":{"base64":"/w=="}}`))
	f.Add([]byte("{}\n\n[]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := bytes.Count(data, []byte("\n")) + 1
		last := 0
		err := Each(bytes.NewReader(data), func(line int, ev *enforce.Event) error {
			if line != last+1 {
				t.Fatalf("line %d after %d", line, last)
			}
			last = line
			var again enforce.Event
			text := lineOf(t, *ev)
			if err := Each(strings.NewReader(strings.Replace(text, `"stage":"response"`, `"stage":"request"`, 1)), func(_ int, ev *enforce.Event) error { again = *ev; return nil }); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			want := *ev
			if again.Stage = want.Stage; !cmp.Equal(want, again, cmpopts.EquateEmpty()) {
				t.Fatal(cmp.Diff(want, again))
			}
			return nil
		})
		var at int
		if _, scanErr := fmt.Sscanf(fmt.Sprint(err), "line %d:", &at); err != nil && (scanErr != nil || at != last+1 || at > lines) {
			t.Fatalf("after %d of %d lines: %v", last, lines, err)
		}
	})
}
