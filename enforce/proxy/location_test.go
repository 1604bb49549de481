package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// String is the URL that was remembered, for a test.
func (d *destination) String() string {
	q := policy.Request{Scheme: d.scheme, Host: d.host, Port: d.port, Path: d.path, Query: d.query}
	if d.hasQuery && d.query == "" {
		return q.URL() + "?"
	}
	return q.URL()
}

// TestLocations has what a Location field stands for in an answer to one
// request, "" for nothing that may be remembered.
func TestLocations(t *testing.T) {
	long := strings.Repeat("x", maxLocation)
	for _, tt := range []struct{ location, want string }{
		{"https://cdn.test/a?b=c", "https://cdn.test/a?b=c"},
		{"http://cdn.test:8080/a", "http://cdn.test:8080/a"},
		{"https://cdn.test:443/a", "https://cdn.test/a"},
		{"https://cdn.test", "https://cdn.test/"},
		{"https://cdn.test?b", "https://cdn.test/?b"},
		{"https://cdn.test/a?", "https://cdn.test/a?"},
		{"https://cdn.test/a#b?c", "https://cdn.test/a"},
		{"https://cdn.test/a?b#c", "https://cdn.test/a?b"},
		{"HTTPS://CDN.test/A%7eb", "https://cdn.test/A~b"},
		{"https://cdn.test./a", "https://cdn.test/a"},
		{"https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"},
		{"https://cdn.test/a?u=https://x.test/../?", "https://cdn.test/a?u=https://x.test/../?"},
		{"https://cdn.test/a?Signature=%2B%2f%3D&X=a'b()*", "https://cdn.test/a?Signature=%2B%2f%3D&X=a'b()*"},
		{"https://cdn.test//a//", "https://cdn.test//a//"},
		{"https://cdn.test/@s%2fn/a:b", "https://cdn.test/@s%2Fn/a:b"},
		{"//cdn.test/a?b", "https://cdn.test/a?b"},
		{"//cdn.test:8443", "https://cdn.test:8443/"},
		{"/c?d", "https://ok.test:8443/c?d"},
		{"c?d", "https://ok.test:8443/a/c?d"},
		{"c:d/e", ""}, // a scheme, to whoever reads it as RFC 3986 says
		{"./c:d/e", "https://ok.test:8443/a/c:d/e"},
		{"?d", "https://ok.test:8443/a/b%2Fb?d"},
		{"?", "https://ok.test:8443/a/b%2Fb?"},
		{".", "https://ok.test:8443/a/"},
		{"..", "https://ok.test:8443/"},
		{"./c", "https://ok.test:8443/a/c"},
		{"../c", "https://ok.test:8443/c"},
		{".././c/", "https://ok.test:8443/c/"},

		{"", ""}, {"#a", ""},
		{"../../c", ""}, {"c/../d", ""}, {"c/..", ""}, {"%2e%2e/c", ""}, {"..;/c", ""},
		{"/c/../d", ""}, {"/./c", ""}, {"https://cdn.test/a/../b", ""}, {"https://cdn.test/a/%2E%2e/b", ""},
		{"https://cdn.test/a\\b", ""}, {"https:\\\\cdn.test/a", ""}, {"\\\\cdn.test/a", ""}, {"/\\cdn.test/a", ""},
		{"https:/cdn.test/a", ""}, {"https:cdn.test/a", ""}, {"https:///cdn.test/a", ""}, {"///cdn.test/a", ""}, {"//", ""},
		{"https://user@cdn.test/a", ""}, {"https://user:secret@cdn.test/a", ""}, {"https://ok.test:8443@cdn.test/a", ""},
		{"https://cdn.test:/a", ""}, {"https://cdn.test:0/a", ""}, {"https://cdn.test:65536/a", ""}, {"https://cdn.test:0443/a", ""},
		{"https://0x7f.1/a", ""}, {"https://127.1/a", ""}, {"https://[::1%25lo]/a", ""}, {"https://cdn%2etest/a", ""}, {"https://c,dn.test/a", ""},
		{"ftp://cdn.test/a", ""}, {"javascript:alert(1)", ""}, {"data:text/plain,x", ""}, {"file:///etc/passwd", ""}, {"wss://cdn.test/a", ""},
		{"https://cdn.test/a b", ""}, {" https://cdn.test/a", ""}, {"https://cdn.test/a\t", ""}, {"https://cdn.test/a\x00", ""}, {"https://cdn.test/a?b\x7f", ""},
		{"https://cdn.test/ü", ""}, {"https://ｃdn.test/a", ""}, {"https://cdn.test/a?b=\"c\"", ""}, {"https://cdn.test/a?b=<c>|{d}^`", ""},
		{"https://cdn.test/%", ""}, {"https://cdn.test/%zz", ""}, {"https://cdn.test/a%00b", ""}, {"https://cdn.test/a%5cb", ""},
		{"https://cdn.test/" + long, ""},
		{"https://a.test/, https://b.test/", ""},
	} {
		q := &policy.Request{Method: "GET", Scheme: "https", Host: "ok.test", Port: 8443, Path: "/a/b%2Fb", Query: "q"}
		d, ok := redirection(q, http.StatusFound, http.Header{"Location": {tt.location}})
		if got := d.String(); ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%.80q leads to %s, %v; want %q", tt.location, got, ok, tt.want)
		}
	}
}

// TestEmptySegments: clients agree about empty segments, but for those that a path
// begins with once its dot segments are gone: from /a/ the reference ..//c leads to
// //c (RFC 3986 section 5.2.4), with net/url to /c.
func TestEmptySegments(t *testing.T) {
	for _, tt := range []struct{ path, location, want string }{
		{"/a//b", "c", "https://ok.test/a//c"},
		{"/a//b", "./c", "https://ok.test/a//c"},
		{"/a//b", "../c", "https://ok.test/a/c"},
		{"/a//b/c", "../d", "https://ok.test/a//d"},
		{"/a/b/c", "..//d", "https://ok.test/a//d"},
		{"//a", "../b", "https://ok.test/b"},
		{"//a", "b//c", "https://ok.test//b//c"},
		{"/a/b", "..//c", ""},
		{"/a/b", "./.././/c", ""},
		{"//", "..///.cd", ""},
	} {
		q := &policy.Request{Method: "GET", Scheme: "https", Host: "ok.test", Port: 443, Path: tt.path}
		d, ok := resolve(q, tt.location)
		if got := d.String(); ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%q from %q leads to %s, %v; want %q", tt.location, tt.path, got, ok, tt.want)
		}
	}
}

// TestRedirection has which responses are redirects at all.
func TestRedirection(t *testing.T) {
	q := &policy.Request{Method: "GET", Scheme: "https", Host: "ok.test", Port: 443, Path: "/"}
	one := http.Header{"Location": {"https://cdn.test/"}}
	for status := 100; status < 600; status++ {
		want := status == 301 || status == 302 || status == 303 || status == 307 || status == 308
		if _, ok := redirection(q, status, one); ok != want {
			t.Errorf("status %d: %v", status, ok)
		}
	}
	for name, h := range map[string]http.Header{"none": {}, "empty": {"Location": {}}, "two": {"Location": {"https://cdn.test/", "https://cdn.test/"}}} {
		if d, ok := redirection(q, 302, h); ok {
			t.Errorf("%s leads to %s", name, d.String())
		}
	}
	q.Scheme = "wss"
	if d, ok := redirection(q, 302, one); ok {
		t.Errorf("a WebSocket leads to %s", d.String())
	}
}

// FuzzLocation checks that what is remembered is a URL in canonical form, and the
// one that net/url resolves the reference to.
func FuzzLocation(f *testing.F) {
	for _, ref := range []string{"https://cdn.test/a?b#c", "//cdn.test:8443/a", "../c/./d", "?", "a:b", "/a/%2e", "https:///a", "..;/c"} {
		f.Add("/a/b/c", ref)
	}
	f.Add("//", "..///.cd")
	f.Fuzz(func(t *testing.T, path, ref string) {
		base, err := policy.CanonicalPath(path)
		if err != nil {
			return
		}
		q := &policy.Request{Method: "GET", Scheme: "https", Host: "ok.test", Port: 443, Path: base}
		d, ok := resolve(q, ref)
		if !ok {
			return
		}
		if again, err := policy.CanonicalPath(d.path); err != nil || again != d.path {
			t.Errorf("%q leads to the path %q: %v", ref, d.path, err)
		}
		if again, err := hostname.Canonical(d.host); err != nil || again != d.host || d.port == 0 {
			t.Errorf("%q leads to %q port %d: %v", ref, d.host, d.port, err)
		}
		if strings.ContainsFunc(d.query, notInURI) || strings.Contains(d.query, "#") || d.query != "" && !d.hasQuery {
			t.Errorf("%q has the query %q", ref, d.query)
		}
		from, err := url.Parse(q.URL())
		if err != nil {
			return
		}
		to, err := from.Parse(ref)
		if err != nil {
			return // net/url knows no name with an underscore and a colon, say
		}
		other, err := policy.CanonicalPath(to.EscapedPath())
		if host, _ := hostname.Canonical(to.Hostname()); err != nil || to.Scheme != d.scheme || host != d.host || other != d.path || to.RawQuery != d.query {
			t.Errorf("%q from %q leads to %s, net/url says %s, %v", ref, q.URL(), d.String(), to, err)
		}
	})
}
