package replay

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

func TestNewRequest(t *testing.T) {
	for _, tt := range []struct{ method, url, want string }{
		{"GET", "https://OK.test/a%2fb/%61?q=1#f", "GET https://ok.test/a%2Fb/a?q=1"},
		{"GET", "HTTPS://ok.test", "GET https://ok.test/"},
		{"GET", "https://ok.test?q=1", "GET https://ok.test/?q=1"},
		{"POST", "http://ok.test:8080/", "POST http://ok.test:8080/"},
		{"GET", "https://ok.test:443/", "GET https://ok.test/"},
		{"GET", "https://[2001:DB8::1]:8443/", "GET https://[2001:db8::1]:8443/"},
		{"", "tcp://ok.test:22", " tcp://ok.test:22"},
		{"CONNECT", "https://ok.test", "CONNECT https://ok.test"},
	} {
		r, err := NewRequest(tt.method, tt.url)
		if err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.url, err)
		} else if got := r.Method + " " + r.URL(); got != tt.want {
			t.Errorf("%s %s is read as %s, want %s", tt.method, tt.url, got, tt.want)
		}
	}
	for _, tt := range []struct{ method, url string }{
		{"GET", "ok.test/a"}, {"GET", "/a"}, {"GET", "ftp://ok.test/"}, {"GET", "https:///a"}, {"GET", "https://a@ok.test/"},
		{"GET", "https://ok.test:0/"}, {"GET", "https://ok.test/../a"}, {"GET", "https://ok.test/a\\b"}, {"", "https://ok.test/"},
		{"", "tcp://ok.test"}, {"GET", "tcp://ok.test:22"}, {"", "tcp://ok.test:22/a"}, {"CONNECT", "https://ok.test/a"},
	} {
		if r, err := NewRequest(tt.method, tt.url); err == nil {
			t.Errorf("%s %s is read as %s", tt.method, tt.url, r.URL())
		}
	}
}

// read collects what a reader passes on, in words.
func read(t *testing.T, from func(io.Reader, Handler) error, text io.Reader) (got []string, err error) {
	t.Helper()
	err = from(text, Handler{
		Request: func(r Recorded) {
			if r.Own != "" {
				got = append(got, "own "+r.Own)
				return
			}
			got = append(got, fmt.Sprintf("%s %s %s", r.Action, r.Request.Method, r.Request.URL()))
		},
		Malformed: func(place int, err error) { got = append(got, fmt.Sprintf("%d malformed", place)) },
	})
	return got, err
}

func line(rest string) string { return `{"schema":"` + enforce.SchemaID + `",` + rest + "}\n" }

func TestEvents(t *testing.T) {
	const request = `"stage":"request","method":"GET","scheme":"https","host":"ok.test","port":443,"path":"/a","url":"https://ok.test/a?q=1#f"`
	for _, tt := range []struct{ name, text, want string }{
		{"a request", line(request + `,"action":"log"`), "log GET https://ok.test/a?q=1"},
		{"without a newline", strings.TrimSpace(line(request + `,"action":"deny"`)), "deny GET https://ok.test/a?q=1"},
		{"what follows from it", line(`"stage":"response","action":"allow"`) + line(`"stage":"dns","action":"allow"`) + line(`"stage":"udp","action":"deny"`) + line(`"stage":"policy","action":"log"`), ""},
		{"raw TCP", line(`"stage":"tcp","scheme":"tcp","host":"ok.test","port":22,"action":"allow"`), "allow  tcp://ok.test:22"},
		{"undecrypted", line(`"stage":"connect","method":"CONNECT","scheme":"https","host":"ok.test","port":443,"action":"allow"`), "allow CONNECT https://ok.test"},
		{"refused by proxaudit", line(`"stage":"request","rule":"proxaudit:path","action":"deny"`), "own proxaudit:path"},
		{"on which nothing was said", line(`"stage":"tcp","scheme":"tcp","host":"ok.test","port":8443,"rule":"proxaudit:silence","action":"log"`), ""},
		{"no action", line(request), "1 malformed"},
		{"a wrong action", line(request + `,"action":"pass"`), "1 malformed"},
		{"an unknown stage", line(`"stage":"later","action":"allow"`), "1 malformed"},
		{"another schema", strings.Replace(line(request+`,"action":"log"`), "event.schema", "other.schema", 1), "1 malformed"},
		{"a host in capitals", strings.Replace(line(request+`,"action":"log"`), "ok.test", "OK.test", 1), "1 malformed"},
		{"a whole event that is too long", line(request + `,"action":"log","request_header":{"X":["` + strings.Repeat("x", maxLine) + `"]}`), "1 malformed"},
		{"no event", "{}\n[]\n1\nx\n\n", "1 malformed, 2 malformed, 3 malformed, 4 malformed, 5 malformed"},
		{"a half line", line(request + `,"action":"log"`)[:100], "1 malformed"},
		{"a line that is too long", strings.Repeat("x", maxLine+1) + "\n" + line(request+`,"action":"log"`), "1 malformed, log GET https://ok.test/a?q=1"},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := read(t, Events, strings.NewReader(tt.text))
			if err != nil || strings.Join(got, ", ") != tt.want {
				t.Errorf("read %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// broken is a file whose disk fails.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("input/output error") }

func TestReadError(t *testing.T) {
	for name, from := range map[string]func(io.Reader, Handler) error{"events": Events, "HAR": HAR} {
		if got, err := read(t, from, broken{}); err == nil {
			t.Errorf("%s: read %q and no error", name, got)
		}
	}
}

func TestHAR(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"entries", `{"x": [1, {"log": 2}], "log": {"version": "1.2", "pages": [{}], "entries": [{"request": {"method": "GET", "url": "wss://ok.test/s"}}, {"request": {"method": "GET", "url": "about:blank"}}, {}, {"request": 1}]}}`, "allow GET wss://ok.test/s, 2 malformed, 3 malformed, 4 malformed"},
		{"none", `{"log": {"entries": []}}`, ""},
	} {
		got, err := read(t, HAR, strings.NewReader(tt.text))
		if err != nil || strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: read %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	for _, text := range []string{"", "[]", "{}", `{"log": []}`, `{"log": {"entries": {}}}`, `{"log": {"entries": [`, `{"log": {"entries": [{"request": {"method": "GET", "url": "https://ok.test/"}}`, `{"log": {"entries": [x]}}`} {
		if got, err := read(t, HAR, strings.NewReader(text)); err == nil {
			t.Errorf("%s: read %q and no error", text, got)
		}
	}
}

// endless is an archive with one entry that does not end.
type endless struct{ begun bool }

func (e *endless) Read(p []byte) (int, error) {
	if !e.begun {
		e.begun = true
		return copy(p, `{"log": {"entries": [{"response": "`), nil
	}
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestHAREndless(t *testing.T) {
	if _, err := read(t, HAR, &endless{}); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("error %v", err)
	}
}

// TestEventsMemory reads a log of 200 MB, and holds little of it.
func TestEventsMemory(t *testing.T) {
	text := line(`"stage":"request","method":"GET","scheme":"https","host":"ok.test","port":443,"path":"/","action":"log","request_header":{"X":["` + strings.Repeat("x", 1<<20) + `"]}`)
	var readers []io.Reader
	for range 200 {
		readers = append(readers, strings.NewReader(text))
	}
	runtime.GC() // what other tests left
	runtime.GC()
	var most uint64
	n := 0
	err := Events(io.MultiReader(readers...), Handler{Request: func(Recorded) {
		n++
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	}})
	if err != nil || n != 200 || most > 64<<20 {
		t.Errorf("%d requests, %d MiB, %v", n, most>>20, err)
	}
}

// FuzzEvents checks that nothing is passed over: a line is a request, malformed,
// or an event about no request.
func FuzzEvents(f *testing.F) {
	f.Add(line(`"stage":"request","method":"GET","scheme":"https","host":"ok.test","port":443,"path":"/a","action":"log"`))
	f.Add("{}\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		requests, malformed := 0, 0
		err := Events(strings.NewReader(text), Handler{
			Request: func(r Recorded) {
				requests++
				if r.Request != nil {
					if _, err := policy.CanonicalPath(r.Request.Path); err != nil {
						t.Errorf("path %q", r.Request.Path)
					}
				}
			},
			Malformed: func(int, error) { malformed++ },
		})
		lines := strings.Count(text, "\n")
		if text != "" && !strings.HasSuffix(text, "\n") {
			lines++
		}
		if err != nil || requests+malformed > lines || requests+malformed < lines-strings.Count(text, `"stage"`)-strings.Count(strings.ToLower(text), "stage") {
			t.Errorf("%d lines: %d requests, %d malformed, %v", lines, requests, malformed, err)
		}
	})
}
