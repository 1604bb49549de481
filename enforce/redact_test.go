package enforce

import (
	"strings"
	"testing"
)

// Made-up tokens in the shape of real ones, put together so that no scanner
// takes this file for a leak.
var (
	github   = "ghp_" + strings.Repeat("aB3", 12)
	githubPT = "github_pat_" + strings.Repeat("11AB", 10) + "_x"
	npmToken = "npm_" + strings.Repeat("aB3", 12)
	gitlab   = "glpat-" + strings.Repeat("xY-z", 5)
	slack    = "xoxb-" + "123456789012-abcdef"
	awsKey   = "AKIA" + "IOSFODNN7EXAMPLE"
	jwt      = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0" + ".c2lnbmF0dXJl"
	hex64    = strings.Repeat("9f86d081884c7d65", 4)
	base64v  = "q8Zt3nB1xK9vLw0PzR5yT7uJ2mC4dE6f"
)

func TestRedactURL(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"nothing":               {"https://ok.test/a/b?x=1&y=two#top", ""},
		"empty":                 {"", ""},
		"path only":             {"/a/b", ""},
		"scoped package":        {"https://npm.example.org/@scope%2Fpkg/-/pkg-1.0.0.tgz", ""},
		"scoped, plain":         {"https://npm.example.org/@scope/pkg", ""},
		"version":               {"https://ok.test:8443/mod/@v/v1.2.3.zip", ""},
		"digest in the path":    {"https://ok.test/blobs/sha256:" + hex64, ""},
		"IPv6":                  {"https://[2001:db8::1]:8443/@a", ""},
		"user name":             {"ssh://git@ok.test/x", ""},
		"long words":            {"https://ok.test/?q=a-very-long-name-of-a-package-with-version-2-and-more", ""},
		"redirect":              {"https://ok.test/?to=https%3A%2F%2Fok.test%2Fpath%3Fx%3D1", ""},
		"a purl":                {"- pkg:npm/%40scope/name@1.2.3", ""},
		"a tcp rule":            {"- {host: ok.test, ports: [22], schemes: [tcp]}", ""},
		"words like prefixes":   {"https://ok.test/npm_config_registry/ghp_/sk-learn/cio/eyJ.x/task-force", ""},
		"no value":              {"https://ok.test/?token&x=1", ""},
		"empty value":           {"https://ok.test/?token=&x=1", ""},
		"parameter like secret": {"https://ok.test/?tokens=2&secretary=bob&keyword=x&codec=h264", ""},

		"password":              {"https://user:hunter2@ok.test/", "https://user:REDACTED@ok.test/"},
		"password, empty user":  {"https://:hunter2@ok.test/", "https://:REDACTED@ok.test/"},
		"token as user":         {"https://" + github + "@ok.test/", "https://REDACTED@ok.test/"},
		"short token as user":   {"https://" + slack + ":x@ok.test/", "https://REDACTED:REDACTED@ok.test/"},
		"token, empty password": {"https://s3cr3t:@ok.test/", "https://REDACTED:@ok.test/"},
		"old token as user":     {"https://" + hex64[:40] + ":x-oauth-basic@ok.test/", "https://REDACTED:REDACTED@ok.test/"},
		"at sign in it":         {"https://user:p@ss@ok.test/", "https://user:REDACTED@ok.test/"},
		"colon in it":           {"https://user:p:ss@ok.test/", "https://user:REDACTED@ok.test/"},
		"slash in it":           {"https://user:p/ss@ok.test/", "https://user:REDACTED@ok.test/"},
		"question mark in it":   {"https://user:p?ss@ok.test/", "https://user:REDACTED@ok.test/"},
		"number sign in it":     {"https://user:p#ss@ok.test/", "https://user:REDACTED@ok.test/"},
		"no scheme":             {"user:hunter2@ok.test:443", "user:REDACTED@ok.test:443"},
		"two slashes":           {"//user:hunter2@ok.test/", "//user:REDACTED@ok.test/"},
		"URL in the path":       {"https://ok.test/https://u:hunter2@ok.test/", "https://ok.test/https://u:REDACTED@ok.test/"},
		"a line of policy":      {"- GET https://ok.test/bot/" + github, "- GET https://ok.test/bot/REDACTED"},

		"token":                {"https://ok.test/?token=abc&x=1", "https://ok.test/?token=REDACTED&x=1"},
		"last":                 {"https://ok.test/?x=1&api_key=abc", "https://ok.test/?x=1&api_key=REDACTED"},
		"upper case":           {"https://ok.test/?API-KEY=abc", "https://ok.test/?API-KEY=REDACTED"},
		"encoded name":         {"https://ok.test/?access%5Ftoken=abc", "https://ok.test/?access%5Ftoken=REDACTED"},
		"array":                {"https://ok.test/?token[]=abc&token%5B0%5D=d", "https://ok.test/?token[]=REDACTED&token%5B0%5D=REDACTED"},
		"AWS":                  {"https://ok.test/?X-Amz-Credential=a%2Fb&X-Amz-Date=2026&X-Amz-Security-Token=c&X-Amz-Signature=d", "https://ok.test/?X-Amz-Credential=REDACTED&X-Amz-Date=2026&X-Amz-Security-Token=REDACTED&X-Amz-Signature=REDACTED"},
		"Azure":                {"https://ok.test/?sv=2024-01-01&se=2026-01-01T00%3A00%3A00Z&sig=a%2Bb%3D", "https://ok.test/?sv=2024-01-01&se=2026-01-01T00%3A00%3A00Z&sig=REDACTED"},
		"OAuth":                {"/cb?code=abc&state=1", "/cb?code=REDACTED&state=1"},
		"fragment":             {"https://ok.test/cb#access_token=abc&x=1", "https://ok.test/cb#access_token=REDACTED&x=1"},
		"semicolon in it":      {"https://ok.test/?token=ab;cd&x=1", "https://ok.test/?token=REDACTED&x=1"},
		"after a semicolon":    {"https://ok.test/?x=1;token=abc", "https://ok.test/?x=1;token=REDACTED"},
		"matrix parameter":     {"https://ok.test/a;jsessiontoken=abc/b", "https://ok.test/a;jsessiontoken=REDACTED"},
		"equals in it":         {"https://ok.test/?key=a=b==&x=1", "https://ok.test/?key=REDACTED&x=1"},
		"question mark twice":  {"https://ok.test/?x=1?token=abc", "https://ok.test/?x=1?token=REDACTED"},
		"any name, hex":        {"https://ok.test/?v=" + hex64, "https://ok.test/?v=REDACTED"},
		"any name, base64":     {"https://ok.test/?v=" + base64v, "https://ok.test/?v=REDACTED"},
		"any name, UUID":       {"https://ok.test/?v=f47ac10b-58cc-4372-a567-0e02b2c3d479", "https://ok.test/?v=REDACTED"},
		"any name, encoded":    {"https://ok.test/?v=q8Zt3nB1xK9vLw0%2BzR5yT7uJ2mC4dE6%2Ff%3D", "https://ok.test/?v=REDACTED"},
		"no name":              {"https://ok.test/?" + base64v, "https://ok.test/?REDACTED"},
		"in a redirect":        {"https://ok.test/?to=https%3A%2F%2Fok.test%2F%3Ftoken%3Dabc&x=1", "https://ok.test/?to=REDACTED&x=1"},
		"in two redirects":     {"https://ok.test/?to=%2F%3Fto%3D%252F%253Ftoken%253Dabc", "https://ok.test/?to=REDACTED"},
		"password in redirect": {"https://ok.test/?to=https%3A%2F%2Fu%3Ap%40ok.test", "https://ok.test/?to=REDACTED"},
		"secret as a name":     {"https://ok.test/?" + github + "=1", "https://ok.test/?REDACTED=1"},
		"name and value":       {"https://ok.test/?" + github + "=" + base64v, "https://ok.test/?REDACTED=REDACTED"},
		"already done":         {"https://u:REDACTED@ok.test/?token=REDACTED", ""},

		"GitHub in the path":  {"https://ok.test/a/" + github + "/b", "https://ok.test/a/REDACTED/b"},
		"new GitHub":          {"https://ok.test/a/" + githubPT, "https://ok.test/a/REDACTED"},
		"npm in the path":     {"https://ok.test/-/npm/v1/tokens/token/" + npmToken, "https://ok.test/-/npm/v1/tokens/token/REDACTED"},
		"GitLab, other name":  {"https://ok.test/?x=" + gitlab + "&y=1", "https://ok.test/?x=REDACTED&y=1"},
		"Slack":               {"https://ok.test/" + slack, "https://ok.test/REDACTED"},
		"AWS key":             {"https://ok.test/" + awsKey + "/x", "https://ok.test/REDACTED/x"},
		"JWT":                 {"https://ok.test/?x=" + jwt + "&y=1", "https://ok.test/?x=REDACTED&y=1"},
		"JWT after an escape": {"https://ok.test/%20" + jwt, "https://ok.test/%20REDACTED"},
		"in the host":         {"https://" + npmToken + ".evil.test/", "https://REDACTED/"},
		"two in a row":        {"/" + github + "/" + npmToken, "/REDACTED/REDACTED"},
		"cut short elsewhere": {"https://ok.test/" + github + ".tgz", "https://ok.test/REDACTED"},
		"odd bytes are kept":  {"https://ok.test/\xff\x00?token=a\x00b&x=\xfe", "https://ok.test/\xff\x00?token=REDACTED&x=\xfe"},
		"broken escapes":      {"https://ok.test/%?x=%zz&token=%", "https://ok.test/%?x=%zz&token=REDACTED"},
		"space in the value":  {"https://ok.test/?token=a b c", "https://ok.test/?token=REDACTED"},
	} {
		t.Run(name, func(t *testing.T) {
			want := tt.want
			if want == "" {
				want = tt.in
			}
			got := RedactURL(tt.in)
			if got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
			if again := RedactURL(got); again != got {
				t.Errorf("a second time: %q", again)
			}
		})
	}
}

// One of each kind, tail and all, written down apart from the table that finds
// them. What only begins alike stays.
func TestEveryKindOfToken(t *testing.T) {
	alnum := strings.Repeat("aB3d", 20)
	for prefix, tail := range map[string]int{
		"ghp_": 36, "gho_": 36, "ghu_": 36, "ghs_": 36, "ghr_": 36, "github_pat_": 22,
		"glpat-": 20, "gldt-": 20, "glrt-": 20, "glptt-": 40, "glcbt-": 20, "glsoat-": 20, "glft-": 20,
		"npm_": 36, "pypi-AgE": 50, "rubygems_": 48, "cio": 32, "oy2": 43, "dckr_pat_": 27, "dckr_oat_": 27,
		"AKCp": 69, "cmVmdGtuO": 55, "AKIA": 16, "ASIA": 16, "AIza": 35, "GOCSPX-": 28, "ya29.": 60,
		"xoxb-": 40, "xoxp-": 40, "xoxa-": 40, "xoxr-": 40, "xoxs-": 40, "xoxe-": 40, "xoxe.": 40, "xapp-": 40,
		"sk_live_": 24, "sk_test_": 24, "rk_live_": 24, "sk-ant-": 40, "sk-proj-": 40, "sk-": 48,
		"hf_": 34, "hvs.": 24, "hvb.": 24, "dop_v1_": 64, "doo_v1_": 64, "SG.": 22, "dapi": 32,
		"ATATT3": 60, "ATCTT3": 60, "pul-": 40, "sntrys_": 60, "glsa_": 32, "AGE-SECRET-KEY-1": 58,
	} {
		secret := prefix + alnum[:tail]
		if got := RedactURL("/a/" + secret + "/b"); got != "/a/REDACTED/b" {
			t.Errorf("%s…: %s", prefix, got)
		}
		if got := RedactText("no " + secret + ", sorry"); got != "no REDACTED, sorry" {
			t.Errorf("%s…: %s", prefix, got)
		}
		if word := "/a/" + prefix + "ab/b"; RedactURL(word) != word {
			t.Errorf("%s was taken for a token", word)
		}
	}
}
