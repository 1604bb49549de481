package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/rego/regotest"
)

// The policies of these tests say in their reasons which one they are.
const (
	openPolicy   = "version: 1\nallow:\n  - {host: ok.test, reason: open}\n"
	closedPolicy = "version: 1\ndeny:\n  - {host: ok.test, reason: closed}\n"
)

func testPace() pace { return pace{every: 5 * time.Millisecond, settle: 20 * time.Millisecond} }

// watched is a policy under watch, and what was reported.
type watched struct {
	livePolicies
	changes chan change
}

// inBubble runs f where time stands still while anything runs (testing/synctest):
// what a test does to a file at one moment, nobody looks at half-way, however long
// the machine takes.
func inBubble(f func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

// watch loads sources and watches them until the test ends.
func watch(t *testing.T, s policySources, r *remotes, p pace) *watched {
	t.Helper()
	loader, err := newPolicyLoader(s, nil, r)
	if err != nil {
		t.Fatal(err)
	}
	first, err := loader.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{changes: make(chan change, 100)}
	w.current.Store(first)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.livePolicies.watch(ctx, loader, p, func(c change) { w.changes <- c }) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return w
}

// next returns the next change.
func (w *watched) next(t *testing.T) change {
	t.Helper()
	select {
	case c := <-w.changes:
		return c
	case <-time.After(time.Minute):
		t.Fatal("no change was reported")
		return change{}
	}
}

// taken returns the next change that was taken; a file may be caught missing or
// empty before.
func (w *watched) taken(t *testing.T) change {
	t.Helper()
	for {
		if c := w.next(t); c.err == nil {
			return c
		}
	}
}

func (w *watched) reason(t *testing.T) string {
	t.Helper()
	d, err := w.Decide(context.Background(), &policy.Request{Method: "GET", Scheme: "https", Host: "ok.test", Port: 443, Path: "/"})
	if err != nil {
		t.Fatal(err)
	}
	if d.Policy != w.current.Load().hash {
		t.Errorf("the decision names %q, in force is %q", d.Policy, w.current.Load().hash)
	}
	return d.Reason
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace puts a file in the place of another, whole.
func replace(t *testing.T, path, content string) {
	t.Helper()
	put(t, path+".new", content)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestWatch replaces a policy in the ways that files are replaced.
func TestWatch(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, path, content string){
		"written in place":            put,
		"renamed over, as editors do": replace,
		"with the time stamp of the one before": func(t *testing.T, path, content string) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			put(t, path, content)
			if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		},
		"removed, then there again": func(t *testing.T, path, content string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			put(t, path, content)
		},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "policy.yaml")
			put(t, path, openPolicy)
			w := watch(t, policySources{policies: list{path}}, nil, testPace())
			if got := w.reason(t); got != "open" {
				t.Fatalf("at first: %s", got)
			}
			change(t, path, closedPolicy)
			c := w.taken(t)
			if got := w.reason(t); got != "closed" || c.inForce != w.current.Load() {
				t.Errorf("then: %s", got)
			}
		}))
	}
}

// TestWatchLinkedFolder swaps what a link leads to, as Kubernetes does with a
// ConfigMap.
func TestWatchLinkedFolder(t *testing.T) { synctest.Test(t, watchLinkedFolder) }

func watchLinkedFolder(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{"one": "open", "two": "closed"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(root, name, "gate.rego"), "package proxaudit\ndecision := {\"action\": \"allow\", \"reason\": \""+content+"\"}")
	}
	swap := func(to string) {
		if err := os.Symlink(to, filepath.Join(root, "new")); err != nil {
			if runtime.GOOS != "windows" {
				t.Fatal(err)
			}
			t.Skipf("this user may make no symbolic links: %v", err)
		}
		if err := os.Rename(filepath.Join(root, "new"), filepath.Join(root, "policy")); err != nil {
			t.Fatal(err)
		}
	}
	swap("one")
	w := watch(t, policySources{policies: list{filepath.Join(root, "policy")}}, nil, testPace())
	swap("two")
	if w.taken(t); w.reason(t) != "closed" {
		t.Errorf("in force: %s", w.reason(t))
	}
}

// TestWatchBroken has policies that cannot be used: each is reported once, and
// the one before stays.
func TestWatchBroken(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  string
	}{
		"misspelled": {func(t *testing.T, path string) { put(t, path, "version: 1\nalow: []\n") }, "alow"},
		"empty":      {func(t *testing.T, path string) { put(t, path, "") }, "empty"},
		"removed": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "no such file"},
		"a folder in its place, with nothing in it": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "no policy is in there"},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "policy.yaml")
			put(t, path, closedPolicy)
			w := watch(t, policySources{policies: list{path}}, nil, testPace())
			before := w.current.Load()
			tt.spoil(t, path)
			c := w.next(t)
			if c.err == nil || !strings.Contains(c.err.Error(), tt.want) || c.inForce != before {
				t.Errorf("reported %+v", c)
			}
			if got := w.reason(t); got != "closed" {
				t.Errorf("in force: %s", got)
			}
			_ = os.Remove(path)
			put(t, path, openPolicy)
			w.taken(t)
			if got := w.reason(t); got != "open" {
				t.Errorf("mended, and in force: %s", got)
			}
		}))
	}
}

// TestWatchHalfWritten writes a policy in two halves. The first half is a valid
// policy that denies nothing; it must never be in force.
func TestWatchHalfWritten(t *testing.T) { synctest.Test(t, watchHalfWritten) }

func watchHalfWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	half := "version: 1\ndefault: allow\n"
	put(t, path, half+"deny:\n  - {host: ok.test, reason: first}\n")
	w := watch(t, policySources{policies: list{path}}, nil, pace{every: 5 * time.Millisecond, settle: 2 * time.Second})
	put(t, path, half)
	time.Sleep(100 * time.Millisecond) // what a slow writer takes
	put(t, path, half+"deny:\n  - {host: ok.test, reason: last}\n")
	if w.taken(t); w.reason(t) != "last" {
		t.Errorf("in force: %s", w.reason(t))
	}
}

// restless is a source that changes each time it is looked at, until it is last.
type restless struct{ digests, loads []string }

func (r *restless) digest(context.Context) (string, error) { return take(&r.digests), nil }

func (r *restless) load(context.Context) (*policies, error) {
	return &policies{hash: take(&r.loads)}, nil
}

// take takes the first of list, and leaves the last.
func take(list *[]string) string {
	first := (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return first
}

// TestWatchChangesWhileRead has a policy that is another one by the time it is
// read: that one has not stood for a moment either.
func TestWatchChangesWhileRead(t *testing.T) {
	var l livePolicies
	l.current.Store(&policies{hash: "first"})
	ctx, cancel := context.WithCancel(t.Context())
	from := &restless{digests: []string{"first", "half", "half", "whole"}, loads: []string{"two thirds", "whole"}}
	l.watch(ctx, from, testPace(), func(c change) {
		if c.inForce.hash != "whole" || c.err != nil {
			t.Errorf("%q is in force, %v", c.inForce.hash, c.err)
		}
		cancel()
	})
}

// slow is a source that takes long to answer.
type slow struct{ restless }

func (s *slow) digest(ctx context.Context) (string, error) {
	time.Sleep(10 * time.Second)
	return s.restless.digest(ctx)
}

// TestWatchSlow: looks that take long, as on a busy machine, are not far apart.
func TestWatchSlow(t *testing.T) { synctest.Test(t, watchSlow) }

func watchSlow(t *testing.T) {
	var l livePolicies
	l.current.Store(&policies{hash: "first"})
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	from := &slow{restless{digests: []string{"first", "first", "second"}, loads: []string{"second"}}}
	l.watch(ctx, from, serverPace(), func(c change) {
		if took := time.Since(began); c.inForce.hash != "second" || took > 2*time.Minute {
			t.Errorf("%q is in force after %v", c.inForce.hash, took)
		}
		cancel()
	})
}

// TestWatchMissing takes a policy away for a moment, as some editors do: that is
// nothing to report.
func TestWatchMissing(t *testing.T) { synctest.Test(t, watchMissing) }

func watchMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	put(t, path, openPolicy)
	w := watch(t, policySources{policies: list{path}}, nil, pace{every: 5 * time.Millisecond, settle: 2 * time.Second})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // what a slow editor takes
	put(t, path, closedPolicy)
	if c := w.next(t); c.err != nil || w.reason(t) != "closed" {
		t.Errorf("%s, %v", w.reason(t), c.err)
	}
}

// TestWatchWhileDeciding decides all the while. Every answer is that of one
// policy as a whole: its reason goes with its digest.
func TestWatchWhileDeciding(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	put(t, path, openPolicy)
	w := watch(t, policySources{policies: list{path}}, nil, testPace())
	hashes := map[string]string{w.current.Load().hash: "open"}
	replace(t, path, closedPolicy)
	w.taken(t)
	hashes[w.current.Load().hash] = "closed"

	stop := make(chan struct{})
	var deciding sync.WaitGroup
	for range 4 {
		deciding.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				d, err := w.Decide(context.Background(), &policy.Request{Method: "GET", Scheme: "https", Host: "ok.test", Port: 443, Path: "/"})
				if err != nil || hashes[d.Policy] != d.Reason {
					t.Errorf("%+v, %v", d, err)
					return
				}
			}
		})
	}
	for i := range 6 {
		replace(t, path, []string{openPolicy, closedPolicy}[i%2])
		w.taken(t)
	}
	close(stop)
	deciding.Wait()
}

// TestWatchRegistries has a request whose package was named under a policy that
// is gone: what that one called a registry earns nothing from the next.
func TestWatchRegistries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	with := func(registry string) string {
		return "version: 1\nregistries: {npm: https://" + registry + "/}\nallow: [pkg:npm/lodash]\n"
	}
	put(t, path, with("old.example.org"))
	w := watch(t, policySources{policies: list{path}}, nil, testPace())
	r := &policy.Request{Method: "GET", Scheme: "https", Host: "old.example.org", Port: 443, Path: "/lodash"}
	if r.Package, r.Registry = w.identify(r); r.Registry == "" {
		t.Fatal("not named")
	}
	if d, err := w.Decide(context.Background(), r); err != nil || d.Action != policy.Allow {
		t.Fatalf("%+v, %v", d, err)
	}
	replace(t, path, with("new.example.org"))
	w.taken(t)
	if d, err := w.Decide(context.Background(), r); err != nil || d.Action != policy.Deny {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestWatchRemote has a floor at a bundle server, which is asked again and again
// whether it has another one.
func TestWatchRemote(t *testing.T) {
	signer, err := regotest.NewSigner("ES256")
	if err != nil {
		t.Fatal(err)
	}
	build := func(reason string) []byte {
		data, err := regotest.Bundle(fstest.MapFS{"gate.rego": {Data: []byte("package proxaudit\ndecision := {\"action\": \"deny\", \"reason\": \"" + reason + "\"}")}}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var content atomic.Pointer[[]byte]
	var unchanged atomic.Int32
	serve := func(data []byte) { content.Store(&data) }
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data := *content.Load()
		w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(data))))
		if r.Header.Get("If-None-Match") == w.Header().Get("ETag") {
			unchanged.Add(1)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	defer server.Close()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "policy.yaml"), openPolicy)
	put(t, filepath.Join(dir, "key.pem"), string(signer.Public))
	r := newRemotes(server.Client, func(string) {})
	r.pause, r.every = time.Millisecond, 10*time.Millisecond

	serve(build("first"))
	w := watch(t, policySources{
		policies: list{filepath.Join(dir, "policy.yaml")}, floors: list{server.URL + "/org.tar.gz"}, bundleKey: filepath.Join(dir, "key.pem"),
	}, r, testPace())
	if got := w.reason(t); got != "the floor denies it: first" {
		t.Fatal(got)
	}
	serve(build("second"))
	if w.taken(t); w.reason(t) != "the floor denies it: second" {
		t.Errorf("in force: %s", w.reason(t))
	}
	serve([]byte("no bundle"))
	if c := w.next(t); c.err == nil || w.reason(t) != "the floor denies it: second" {
		t.Errorf("in force: %s, %v", w.reason(t), c.err)
	}
	serve(build("third"))
	if w.taken(t); w.reason(t) != "the floor denies it: third" {
		t.Errorf("in force: %s", w.reason(t))
	}
	for asked := unchanged.Load(); unchanged.Load() < asked+2; {
		time.Sleep(time.Millisecond)
	}
	server.Close()
	if c := w.next(t); c.err == nil || !strings.Contains(c.err.Error(), "fetching the policy") || w.reason(t) != "the floor denies it: third" {
		t.Errorf("in force: %s, %v", w.reason(t), c.err)
	}
}
