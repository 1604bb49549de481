package proxy

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
)

// TestBodiesAreNotHeld: what is allocated for a body, by all three parties in this
// process, is a small part of it.
func TestBodiesAreNotHeld(t *testing.T) {
	if underRace {
		t.Skip("under the race detector sync.Pool forgets at random, so that what is allocated tells nothing; `go test ./...` runs this")
	}
	const size = 256 << 20
	origin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodPost {
			_, _ = fmt.Fprint(w, n)
			return
		}
		piece := make([]byte, 64<<10)
		for range size / len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s h2=%v", method, h2), func(t *testing.T) {
				w := newWorld(t, enforce.Enforce, allowHost("ok.test"), origin)
				client := w.client(h2)
				get(t, client, w.url("https", "other.test", "/")) // what is made once
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				var body io.Reader
				if method == http.MethodPost {
					body = io.LimitReader(zeros{}, size)
				}
				r, err := http.NewRequest(method, w.url("https", "ok.test", "/"), body)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				n, err := io.Copy(io.Discard, resp.Body)
				if method == http.MethodPost {
					n = w.events.sent(t, w)
				}
				if err != nil || n != size {
					t.Fatalf("%d bytes passed, %v", n, err)
				}
				runtime.ReadMemStats(&after)
				if grown := after.TotalAlloc - before.TotalAlloc; grown > size/8 {
					t.Errorf("%d MiB were allocated for %d MiB", grown>>20, size>>20)
				}
			})
		}
	}
}

// sent returns how many bytes of a request's body passed.
func (m *memory) sent(t *testing.T, w *world) int64 {
	t.Helper()
	w.shutdown()
	return m.one(t, enforce.StageResponse).RequestBytes
}

// zeros is a reader without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
