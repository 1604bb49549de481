package enforce_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/juliendoutre/proxaudit/enforce"
)

func event(path string) enforce.Event {
	return enforce.Event{Time: time.Unix(1, 0).UTC(), ID: "1", Mode: "enforce", Stage: enforce.StageRequest, Path: path}
}

func record(t *testing.T, ev enforce.Event) string {
	t.Helper()
	var out bytes.Buffer
	l := enforce.NewLog(&out)
	if err := errors.Join(l.Record(ev), l.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The encoder writes what encoding/json would write under the struct's tags.
func TestRecordWritesWhatTheTagsSay(t *testing.T) {
	withBodies := event("/")
	withBodies.RequestBody, withBodies.ResponseBody = &enforce.Body{}, &enforce.Body{Truncated: true}
	small := event("")
	small.DurationMS, small.Port = 0.0000001, 65535
	for name, ev := range map[string]enforce.Event{
		"every field": fullEvent(), "few fields": event("/"), "empty bodies": withBodies, "small numbers": small,
	} {
		t.Run(name, func(t *testing.T) {
			line := record(t, ev)
			if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "}\n") {
				t.Errorf("not one line: %q", line)
			}
			ev.Schema = enforce.SchemaID
			text, err := json.Marshal(ev)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := json.Unmarshal([]byte(line), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-encoding/json +log):\n%s", diff)
			}
			var back enforce.Event
			if err := json.Unmarshal([]byte(line), &back); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Should a field be added to Event, fullEvent must set it for the comparison to
// count.
func TestFullEventIsFull(t *testing.T) {
	var fields map[string]any
	if err := json.Unmarshal([]byte(record(t, fullEvent())), &fields); err != nil {
		t.Fatal(err)
	}
	for name := range readSchema(t).Properties {
		if _, ok := fields[name]; !ok {
			t.Errorf("%s is not set in fullEvent, or not written", name)
		}
	}
}

func TestRecordRefusesWhatJSONCannotHold(t *testing.T) {
	var out bytes.Buffer
	l := enforce.NewLog(&out)
	for name, change := range map[string]func(*enforce.Event){
		"no number": func(ev *enforce.Event) { ev.DurationMS = math.NaN() },
		"infinity":  func(ev *enforce.Event) { ev.DurationMS = math.Inf(-1) },
		"far year":  func(ev *enforce.Event) { ev.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		ev := event("/")
		change(&ev)
		if l.Record(ev) == nil {
			t.Errorf("%s: recorded", name)
		}
	}
	if out.Len() != 0 || l.Err() != nil {
		t.Errorf("wrote %q, %v", out.String(), l.Err())
	}
	if err := l.Record(event("/")); err != nil {
		t.Errorf("the log is broken although nothing was written: %v", err)
	}
}

// writerFunc is a function used as a writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestRecordWritesWholeLines: however many record at once, each line is written
// once and whole, and a decision before its Record returns.
func TestRecordWritesWholeLines(t *testing.T) {
	var mu sync.Mutex
	var written strings.Builder
	l := enforce.NewLog(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if !bytes.HasSuffix(p, []byte("}\n")) {
			t.Errorf("not whole lines: %.200q", p)
		}
		return written.Write(p)
	}))
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			path := "/" + strings.Repeat("x", i*100)
			if err := l.Record(event(path)); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(written.String(), `"path":"`+path+`"`) {
				t.Errorf("the decision about path %d was not written when Record returned", i)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(written.String(), "\n"); n != 50 {
		t.Errorf("%d lines, want 50", n)
	}
	for line := range strings.Lines(written.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not a line of JSON: %.200q", line)
		}
	}
}

// TestResponsesLeaveInTime: a response leaves with the next decision, by itself
// before long, and at the latest when the log is closed.
func TestResponsesLeaveInTime(t *testing.T) {
	response := event("/response")
	response.Stage = enforce.StageResponse
	writes := make(chan string, 10)
	open := func() *enforce.Log {
		return enforce.NewLog(writerFunc(func(p []byte) (int, error) { writes <- string(p); return len(p), nil }))
	}
	l := open()
	if err := errors.Join(l.Record(response), l.Record(event("/next"))); err != nil {
		t.Fatal(err)
	}
	if got := <-writes; strings.Count(got, "\n") != 2 || !strings.Contains(got, "/response") {
		t.Errorf("with the next decision: %q", got)
	}
	if err := l.Record(response); err != nil {
		t.Fatal(err)
	}
	if got := <-writes; !strings.Contains(got, "/response") { // by the timer
		t.Errorf("by itself: %q", got)
	}
	l = open()
	if err := errors.Join(l.Record(response), l.Close()); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-writes:
		if !strings.Contains(got, "/response") {
			t.Errorf("at the end: %q", got)
		}
	default:
		t.Error("at the end: nothing was written")
	}
}

func TestLogStaysBroken(t *testing.T) {
	full := errors.New("no space left on device")
	for name, tt := range map[string]struct {
		first func([]byte) (int, error)
		want  error
	}{
		"error half-way":    {func(p []byte) (int, error) { return len(p) / 2, full }, full},
		"error at once":     {func([]byte) (int, error) { return 0, full }, full},
		"short, no error":   {func(p []byte) (int, error) { return len(p) - 1, nil }, io.ErrShortWrite},
		"panic in the sink": {func([]byte) (int, error) { panic("sink") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			l := enforce.NewLog(writerFunc(func(p []byte) (int, error) {
				calls++
				if calls == 1 {
					return tt.first(p)
				}
				return len(p), nil
			}))
			func() {
				defer func() { _ = recover() }()
				if err := l.Record(event("/")); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			}()
			if err := l.Record(event("/")); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("the next event: %v", err)
			}
			if calls != 1 {
				t.Errorf("%d writes, want none after half a line", calls)
			}
			if l.Err() == nil || l.Close() == nil {
				t.Error("the error is forgotten")
			}
		})
	}
}
