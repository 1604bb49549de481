package policy

import "testing"

func TestRespell(t *testing.T) {
	for _, tt := range []struct {
		name       string
		f          func(string) string
		path, want string
	}{
		{"nothing to unescape", Unescape, "/a/b", "/a/b"},
		{"unescaped once", Unescape, "/%61%2fb%252f%C3%a9", "/a/b%2f\u00e9"},
		{"broken escapes stay", Unescape, "/%/%4/%zz/%4z%", "/%/%4/%zz/%4z%"},
		{"at the end", Unescape, "/a%2E", "/a."},
		{"no parameters", CutParameters, "/a/b", "/a/b"},
		{"parameters of each segment", CutParameters, "/a;x=1;y/b;/;z/c", "/a/b//c"},
		{"single slashes", CollapseSlashes, "/a/b/", "/a/b/"},
		{"several slashes", CollapseSlashes, "//a///b////", "/a/b/"},
	} {
		if got := tt.f(tt.path); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
