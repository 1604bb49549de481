package learn

import (
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/lockfile"
	"github.com/juliendoutre/proxaudit/policy"
)

// TestLockfileElsewhere: of what a lockfile names that comes from no registry,
// nothing is allowed; the lines that are proposed let in exactly that repository or
// address, once a reviewer moves them.
func TestLockfileElsewhere(t *testing.T) {
	const sha = "0123456789abcdef0123456789abcdef01234567"
	lock := parsed(t, "Gemfile.lock", "GIT\n  remote: https://git.example.org/acme/demo\n  revision: "+sha+"\n  specs:\n    demo (1.0.0)\n    demo-extra (1.0.0)\n\n"+
		"GIT\n  remote: git@git.example.org:acme/ssh.git\n  revision: "+sha+"\n  specs:\n    other (1.0.0)\n\nPATH\n  remote: here\n  specs:\n    local (1.0.0)\n")
	text := learned(t, Options{Lockfiles: []*lockfile.Lockfile{lock}}, nil)
	fetch := []*policy.Request{gitRequest("GET", "/acme/demo/info/refs", "service=git-upload-pack"), gitRequest("POST", "/acme/demo/git-upload-pack", "")}
	for _, r := range fetch {
		if decided(t, text, r) {
			t.Errorf("%s %s is allowed without a word of a reviewer", r.Method, r.Path)
		}
	}
	var signed []string
	for line := range strings.Lines(text) {
		if rule, ok := strings.CutPrefix(line, "# "); ok && strings.HasPrefix(rule, "  - {") {
			if !strings.Contains(rule, "  # review: git fetch, for Gemfile.lock:5 at commit "+sha+"\n") {
				t.Errorf("it does not say what it is for: %s", rule)
			}
			signed = append(signed, rule)
		}
	}
	if len(signed) != len(fetch) {
		t.Fatalf("%d rules are proposed, want %d:\n%s", len(signed), len(fetch), text)
	}
	policed := "version: 1\nallow:\n" + strings.Join(signed, "")
	for _, r := range fetch {
		if !decided(t, policed, r) {
			t.Errorf("%s %s is denied by what was signed:\n%s", r.Method, r.Path, policed)
		}
	}
	for _, r := range []*policy.Request{
		gitRequest("GET", "/acme/demo/info/refs", "service=git-receive-pack"), gitRequest("GET", "/acme/demo/info/refs", ""), gitRequest("POST", "/acme/demo/git-receive-pack", ""),
		gitRequest("GET", "/acme/ssh.git/info/refs", "service=git-upload-pack"), gitRequest("GET", "/acme/demo", ""),
	} {
		if decided(t, policed, r) {
			t.Errorf("%s %s?%s is allowed by what was signed:\n%s", r.Method, r.Path, r.Query, policed)
		}
	}
	if strings.Contains(text, "local") || strings.Count(text, "acme/ssh") != 1 {
		t.Errorf("want nothing of a folder, and one line of what comes by ssh:\n%s", text)
	}
	// What was signed, or was seen, is not proposed again.
	b := newBase(t, policed)
	l := New(Options{Lockfiles: []*lockfile.Lockfile{lock}, Existing: b})
	d, err := l.draft()
	if err != nil {
		t.Fatal(err)
	}
	if len(d.left[kindElsewhere]) != 1 {
		t.Errorf("%d are listed beside a policy that allows one of two", len(d.left[kindElsewhere]))
	}
}

// TestLockfileSdists: what is built is listed where nothing shows what it is built
// with.
func TestLockfileSdists(t *testing.T) {
	lock := parsed(t, "requirements.txt", "--no-binary=:all:\ndemo==1.0\n")
	const line = "#   pkg:pypi/demo@1.0  (requirements.txt:2: no wheel of it)\n"
	if text := learned(t, Options{Lockfiles: []*lockfile.Lockfile{lock}}, nil); !strings.Contains(text, line) {
		t.Errorf("want %q in\n%s", line, text)
	}
	if text := learned(t, Options{Lockfiles: []*lockfile.Lockfile{lock}}, get("https://build.example.org/a")); strings.Contains(text, line) {
		t.Errorf("a build was seen, and it is listed:\n%s", text)
	}
}

func parsed(t *testing.T, name, text string) *lockfile.Lockfile {
	t.Helper()
	l, err := lockfile.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func gitRequest(method, path, query string) *policy.Request {
	return &policy.Request{Method: method, Scheme: "https", Host: "git.example.org", Port: 443, Path: path, Query: query}
}

func decided(t *testing.T, text string, r *policy.Request) bool {
	t.Helper()
	p, recognizer := enforced(t, text)
	return decideBy(p, recognizer, r).Action == policy.Allow
}

// TestLockfileArchive: of an archive's address, the commit in its path or its query
// is kept, and what it redirects to is let in after that redirect alone.
func TestLockfileArchive(t *testing.T) {
	const sha, token = "0123456789abcdef0123456789abcdef01234567", "t8Xk2Qv9LmZ4pR7wYc3NbJ6sDfGh"
	dist := func(name, address string) string {
		return `{"name": "acme/` + name + `", "version": "1.0.0", "dist": {"type": "zip", "url": "` + address + `"}}`
	}
	lock := parsed(t, "composer.lock", `{"packages": [`+dist("hub", "https://api.example.org/repos/acme/hub/zipball/"+sha)+", "+
		dist("lab", "https://lab.example.org/api/v4/projects/acme%2Flab/repository/archive.zip?sha="+sha)+", "+dist("secret", "https://lab.example.org/a.zip?private_token=x")+", "+
		dist("hidden", "https://lab.example.org/dl/"+token+"/a.zip")+", "+dist("aside", "https://api.example.org/repos/acme/aside/zipball/"+token)+", "+
		dist("star", "https://lab.example.org/s.zip?ref=*")+"]}")
	text := learned(t, Options{Lockfiles: []*lockfile.Lockfile{lock}}, nil)
	signed := "version: 1\nallow:\n"
	for line := range strings.Lines(text) {
		if rule, ok := strings.CutPrefix(line, "# "); ok && strings.HasPrefix(rule, "  - {") {
			signed += rule
		}
	}
	request := func(host, path, query string, via ...string) *policy.Request {
		return &policy.Request{Method: "GET", Scheme: "https", Host: host, Port: 443, Path: path, Query: query, Via: via}
	}
	from := "https://api.example.org/repos/acme/hub/zipball/" + sha
	for _, tt := range []struct {
		r    *policy.Request
		want bool
	}{
		{request("api.example.org", "/repos/acme/hub/zipball/"+sha, ""), true},
		{request("api.example.org", "/repos/acme/hub/zipball/main", ""), false},
		{request("codeload.example.org", "/acme/hub/legacy.zip/"+sha, "", from), true},
		{request("codeload.example.org", "/acme/hub/legacy.zip/"+sha, ""), false},
		{request("lab.example.org", "/api/v4/projects/acme%2Flab/repository/archive.zip", "sha="+sha), true},
		{request("lab.example.org", "/api/v4/projects/acme%2Flab/repository/archive.zip", "sha=main"), false},
		{request("lab.example.org", "/a.zip", "private_token=x"), false},
		{request("lab.example.org", "/dl/"+token+"/a.zip", ""), false},
		{request("api.example.org", "/repos/acme/aside/zipball/"+token, ""), false},
		{request("lab.example.org", "/s.zip", "ref=*"), false},
		{request("lab.example.org", "/s.zip", "ref=main"), false},
	} {
		if got := decided(t, signed, tt.r); got != tt.want {
			t.Errorf("%s%s?%s after %v: %v, want %v, by\n%s", tt.r.Host, tt.r.Path, tt.r.Query, tt.r.Via, got, tt.want, signed)
		}
	}
	if strings.Contains(text, "private_token=x") || strings.Contains(text, token) {
		t.Errorf("a secret of the lockfile is in the policy:\n%s", text)
	}
}
