package proxy

import (
	"net/http"
	"net/url"
	"testing"
)

// TestCutFlat: the dot segment is taken from reads of archives' files alone.
func TestCutFlat(t *testing.T) {
	for _, tt := range []struct{ method, path, want string }{
		{http.MethodGet, "/r/./Release.gpg", "/r/Release.gpg"},
		{http.MethodHead, "/./Sources.xz", "/Sources.xz"},
		{http.MethodGet, "/r/./by-hash/SHA256/00", "/r/by-hash/SHA256/00"},
		{http.MethodGet, "/r/./a_1.orig.tar.xz", "/r/a_1.orig.tar.xz"},
		{http.MethodGet, "/r/./en.xz", "/r/en.xz"},
		{http.MethodGet, "/r/./pt_BR", "/r/pt_BR"},
		{http.MethodGet, "/r/./en.json", "/r/./en.json"},
		{http.MethodGet, "/r/./admin", "/r/./admin"},
		{http.MethodPost, "/r/./Packages", "/r/./Packages"},
		{http.MethodDelete, "/r/./Packages", "/r/./Packages"},
		{http.MethodGet, "/r/./Release.json", "/r/./Release.json"},
		{http.MethodGet, "/r/%2E/Packages", "/r/%2E/Packages"},
		{http.MethodGet, "/r/Packages", "/r/Packages"},
	} {
		u, err := url.ParseRequestURI(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		if cutFlat(tt.method, u); u.EscapedPath() != tt.want {
			t.Errorf("%s %s is %s, want %s", tt.method, tt.path, u.EscapedPath(), tt.want)
		}
	}
}
