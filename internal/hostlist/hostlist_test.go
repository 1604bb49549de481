package hostlist

import "testing"

// TestLists holds each list to hosts that it must have, and to ones that it must
// not.
func TestLists(t *testing.T) {
	for _, tt := range []struct {
		name             string
		list             List
		host, path       string
		other, otherPath string
	}{
		{"exfiltration", Exfiltration(), "a.webhook.site", "/x", "webhook.site.example.org", "/x"},
		{"exfiltration, by its path", Exfiltration(), "discord.com", "/api/webhooks/1", "discord.com", "/app"},
		{"DNS over HTTPS", DoH(), "dns.google", "/resolve", "dns.example.org", "/resolve"},
		{"metadata", Metadata(), "metadata.google.internal", "/", "metadata.example.org", "/"},
		{"shared", Shared(), "storage.googleapis.com", "/bucket", "example.org", "/bucket"},
		{"code hosts", CodeHosts(), "api.github.com", "/", "api.example.org", "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.list.Match(tt.host, tt.path, false) == "" {
				t.Errorf("%s%s is not listed", tt.host, tt.path)
			}
			if what := tt.list.Match(tt.other, tt.otherPath, false); what != "" {
				t.Errorf("%s%s is listed: %s", tt.other, tt.otherPath, what)
			}
			for host, entries := range tt.list {
				for _, e := range entries {
					if e.Comment == "" {
						t.Errorf("%s: not said what it is", host)
					}
				}
			}
		})
	}
}

func TestBelow(t *testing.T) {
	l := parse("b.example.org  # one\na.example.org  # two\nexample.net  # three\n")
	for name, want := range map[string]string{"example.org": "a.example.org", "example.net": "example.net", "ample.org": "", "a.example.net": ""} {
		if got, _ := l.Below(name); got != want {
			t.Errorf("Below(%q) = %q, want %q", name, got, want)
		}
	}
}
