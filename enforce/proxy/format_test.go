package proxy

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// TestDenialFormats: a client whose protocol has errors of its own reads the denial
// in them, whole, escaped, and everyone else reads text. It is denied all the same.
func TestDenialFormats(t *testing.T) {
	const hostile = "a\r\nX: 1\x1b[2J\" , \u202e<error>"
	rules := policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) {
		return policy.Decision{Reason: hostile}, nil
	})
	for _, tt := range []struct {
		name, path, agent, kind string
		key                     []string // to the text in JSON; nil for none
	}{
		{"the ping of a registry", "/v2/", "", "application/json", []string{"errors", "message"}},
		{"a manifest", "/v2/acme/demo/manifests/1.0", "", "application/json", []string{"errors", "message"}},
		{"a blob", "/v2/acme/demo/blobs/sha256:00", "", "application/json", []string{"errors", "message"}},
		{"another API of version 2", "/v2/users", "", "text/plain; charset=utf-8", nil},
		{"Composer", "/packages.json", "Composer/2.5.5 (x)", "application/json", []string{"warning"}},
		{"one that mentions it", "/packages.json", "x Composer/2", "text/plain; charset=utf-8", nil},
		{"anybody", "/x", "", "text/plain; charset=utf-8", nil},
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				w := newWorld(t, enforce.Enforce, rules, text("secret"))
				r, err := http.NewRequest(http.MethodGet, w.url("https", "evil.test", tt.path), nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("User-Agent", tt.agent)
				resp, err := w.client(h2).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				w.untouched()
				if err != nil || resp.StatusCode != http.StatusForbidden || resp.Header.Get("Content-Type") != tt.kind || resp.ContentLength != int64(len(body)) {
					t.Errorf("%d %q, %d of %d bytes, %v", resp.StatusCode, resp.Header, resp.ContentLength, len(body), err)
				}
				if strings.ContainsAny(string(body), "\x1b\r\u202e") {
					t.Errorf("raw: %q", body)
				}
				said := string(body)
				if tt.key != nil {
					said = inJSON(t, body, tt.key)
				}
				for _, want := range []string{"proxaudit: denied: GET https://evil.test", `reason: a\r\nX: 1\x1b[2J" , \u202e`, "to allow it, add this"} {
					if !strings.Contains(said, want) {
						t.Errorf("it lacks %q: %s", want, said)
					}
				}
				if tt.agent != "" && tt.key != nil && !strings.Contains(said, `\<error>`) {
					t.Errorf("markup: %s", said)
				}
			})
		}
	}
}

// inJSON is the text at a key, of the first entry where there is a list.
func inJSON(t *testing.T, body []byte, key []string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for _, k := range key {
		m, _ := v.(map[string]any)
		v = m[k]
		if list, ok := v.([]any); ok && len(list) == 1 {
			v = list[0]
		}
	}
	s, _ := v.(string)
	return s
}
