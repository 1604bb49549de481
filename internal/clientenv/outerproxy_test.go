package clientenv

import (
	"net/url"
	"strings"
	"testing"
)

func TestOuterProxy(t *testing.T) {
	for _, tt := range []struct {
		name, outer, url, want string // outer: variables, one a space
	}{
		{"none", "", "https://ok.test/", ""},
		{"https", "HTTPS_PROXY=http://proxy.test:3128", "https://ok.test/", "http://proxy.test:3128"},
		{"https is not for http", "HTTPS_PROXY=http://proxy.test:3128", "http://ok.test/", ""},
		{"http", "HTTP_PROXY=http://proxy.test:3128", "http://ok.test/", "http://proxy.test:3128"},
		{"credentials are kept", "https_proxy=http://u:p%40@proxy.test:3128", "https://ok.test/", "http://u:p%40@proxy.test:3128"},
		{"lower case first", "HTTPS_PROXY=http://a.test:1 https_proxy=http://b.test:2", "https://ok.test/", "http://b.test:2"},
		{"an empty one does not count", "https_proxy= HTTPS_PROXY=http://a.test:1", "https://ok.test/", "http://a.test:1"},
		{"a bare host and port", "https_proxy=proxy.test:3128", "https://ok.test/", "http://proxy.test:3128"},
		{"all", "ALL_PROXY=socks5://proxy.test:1080", "https://ok.test/", "socks5://proxy.test:1080"},
		{"a scheme's own before all", "ALL_PROXY=socks5://a.test:1 HTTPS_PROXY=http://b.test:2", "https://ok.test/", "http://b.test:2"},
		{"excepted", "HTTPS_PROXY=http://proxy.test:3128 NO_PROXY=.ok.test,10.0.0.0/8", "https://a.ok.test/", ""},
		{"excepted network", "HTTPS_PROXY=http://proxy.test:3128 no_proxy=10.0.0.0/8", "https://10.1.2.3/", ""},
		{"loopback never", "HTTPS_PROXY=http://proxy.test:3128", "https://127.0.0.1:8443/", ""},
		{"ourselves", "HTTPS_PROXY=http://127.0.0.1:8000", "https://ok.test/", ""},
		{"ourselves by name", "HTTPS_PROXY=http://localhost:8000", "https://ok.test/", ""},
		{"ourselves by another address", "HTTPS_PROXY=http://[::1]:8000", "https://ok.test/", ""},
		{"another proxy here", "HTTPS_PROXY=http://127.0.0.1:3128", "https://ok.test/", "http://127.0.0.1:3128"},
		{"our port elsewhere", "HTTPS_PROXY=http://proxy.test:8000", "https://ok.test/", "http://proxy.test:8000"},
		{"no URL", "HTTPS_PROXY=http://:pw@%zz", "https://ok.test/", "error"},
		{"no URL, where none is needed", "HTTPS_PROXY=http://%zz NO_PROXY=ok.test", "https://ok.test/", ""},
		{"an unknown scheme", "HTTPS_PROXY=ftp://secret@proxy.test", "https://ok.test/", "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			proxy, err := OuterProxy(strings.Fields(tt.outer), "127.0.0.1:8000")(u)
			got := ""
			switch {
			case err != nil:
				got = "error"
				if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "pw") {
					t.Errorf("the error shows credentials: %v", err)
				}
			case proxy != nil:
				got = proxy.String()
			}
			if got != tt.want {
				t.Errorf("proxy %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}
