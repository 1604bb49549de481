package policy

import (
	"bufio"
	"errors"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
)

func TestCanonicalPath(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "/"},
		{"root", "/", "/"},
		{"plain", "/a/b.c", "/a/b.c"},
		{"trailing slash stays", "/a/", "/a/"},
		{"repeated slashes stay", "//a//b", "//a//b"},
		{"parameters stay", "/a;v=1/b", "/a;v=1/b"},
		{"reserved characters stay", "/:@!$&'()+,;=-._~", "/:@!$&'()+,;=-._~"},
		{"unreserved decoded", "/%61dmin%2D%7e", "/admin-~"},
		{"hexadecimal digits in capitals", "/%c3%a9%3b", "/%C3%A9%3B"},
		{"bytes encoded", "/é\xff |", "/%C3%A9%FF%20%7C"},
		{"question mark and hash encoded", "/a?b#c", "/a%3Fb%23c"},
		{"star encoded", "/*", "/%2A"},
		{"encoded star stays", "/%2a", "/%2A"},
		{"encoded slash stays", "/@s%2fn", "/@s%2Fn"},
		{"encoded percent stays", "/100%25", "/100%25"},
		{"encoded percent before a letter", "/%2561", "/%2561"},
		{"three dots", "/a/.../b", "/a/.../b"},
		{"dot files", "/.git/..a/b..", "/.git/..a/b.."},
		{"dots in a parameter", "/a;..", "/a;.."},
		{"Latin-1", "/%C0%C1", "/%C0%C1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := CanonicalPath(tt.in); err != nil || got != tt.want {
				t.Errorf("CanonicalPath(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestCanonicalPathRefuses(t *testing.T) {
	for _, in := range []string{
		"a", "*", "http://ok.test/", "?x",
		"/.", "/..", "/a/../b", "/a/./b", "/a/..", "/../a",
		"/a/%2e%2e/b", "/a/.%2E/b", "/%2e", "/a/%2e/",
		"/a/..%2fb", "/a%2f..%2fb", "/a%2F..", "/..%2F", "/a%2f%2e%2e",
		"/a/%252e%252e/b", "/a/..%252fb", "/a%252f..%252fb", "/%252e", "/a/.%252e/b",
		"/a/..;/b", "/a/..;x=1/b", "/a/.;/b", "/a/..%3b/b", "/a/..%253b/b", "/a/%2e%2e;/b",
		`/a\b`, "/a%5cb", "/a%5Cb", "/a/..%5cb", `/..\`, "/a%255cb", "/a/..%255cb",
		"/a%00b", "/a%0ab", "/a%0d%0ab", "/a\x00", "/a\nb", "/a\tb", "/a%09", "/a\x7f", "/a%7f", "/a%1b", "/a%250ab", "/a%2500",
		"/a%", "/a%2", "/a%zz", "/a%2g", "/%u002e%u002e/", "/a%%32e",
		"/a/%c0%ae%c0%ae/b", "/a%c0%afb", "/a%c1%9cb", "/a/%e0%80%ae/b", "/a/%25c0%25ae/b",
	} {
		if got, err := CanonicalPath(in); !errors.Is(err, ErrPath) || got != "" {
			t.Errorf("CanonicalPath(%q) = %q, %v; want ErrPath", in, got, err)
		}
	}
}

func TestCanonicalPathAllocatesNothing(t *testing.T) {
	for _, path := range []string{"/", "/a/b/c.tgz", "/a;v=1/@b"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = CanonicalPath(path) }); n != 0 {
			t.Errorf("CanonicalPath(%q) allocates %v times", path, n)
		}
	}
}

// FuzzCanonicalPath checks that the form is canonical, that a server behind
// another can find no dot segment in it by decoding once and twice more, and that
// net/http, as the origin, reads the path that was sent and the canonical one as
// the same resource, which nothing in it cleans away.
func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{
		"/a/b", "/%61", "/@s%2fn", "/a/./b", "/%2e/", "/a/..", "/a%00", "/..%5c", "/a/%2E%2e;x/b", "/a/%252e%252e/b", "/..;/", "/a%5c..", "/%c0%ae", "/*", "//a", "/a//b/", "/%", "/a?b#c", "/a%3fb%23c", "/%2a;x=%2F", "/é",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		once, err := CanonicalPath(in)
		if err != nil {
			return
		}
		twice, err := CanonicalPath(once)
		if err != nil || twice != once {
			t.Fatalf("%q, then %q, then %q, %v", in, once, twice, err)
		}
		if !strings.HasPrefix(once, "/") || strings.ContainsAny(once, "\\*?# \x00\r\n") {
			t.Fatalf("%q becomes %q", in, once)
		}
		seen := once
		for range 3 {
			for _, segment := range strings.FieldsFunc(seen, func(r rune) bool { return r == '/' || r == '\\' }) {
				name, _, _ := strings.Cut(segment, ";")
				if name == "." || name == ".." {
					t.Fatalf("%q becomes %q, which may be read as %q", in, once, seen)
				}
			}
			seen = Unescape(seen)
		}
		origin := requested(once)
		if origin == nil || origin.EscapedPath() != once && url.PathEscape(origin.Path) != url.PathEscape(Unescape(once)) || origin.RawQuery+origin.Fragment != "" {
			t.Fatalf("%q becomes %q, of which the origin reads %#v", in, once, origin)
		}
		if sent := requested(in); sent != nil && in != "" && !strings.Contains(in, "?") && sent.Path != origin.Path {
			t.Fatalf("sent as %q the origin reads %q, judged as %q it is %q", in, sent.Path, once, origin.Path)
		}
		// What a mux redirects to is the same path but for repeated slashes.
		cleaned := strings.TrimSuffix(path.Clean(origin.Path), "/")
		if squeezed := strings.TrimSuffix(slashes.ReplaceAllString(origin.Path, "/"), "/"); cleaned != squeezed {
			t.Fatalf("%q becomes %q, which a mux cleans to %q", in, once, cleaned)
		}
	})
}

var slashes = regexp.MustCompile("//+")

// requested is what net/http reads of a request for a path, nil for nothing.
func requested(p string) *url.URL {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + p + " HTTP/1.1\r\nHost: ok.test\r\n\r\n")))
	if err != nil {
		return nil
	}
	return r.URL
}

func BenchmarkCanonicalPath(b *testing.B) {
	for _, path := range []string{"/a/b/c.tgz", "/@scope%2fname"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = CanonicalPath(path)
			}
		})
	}
}
