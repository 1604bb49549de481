package learn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// TestCodeHostsAreExact: whatever is read from a host of source code passes again,
// and nothing else of another owner or repository, or by a digest that was not
// seen, does. Paths are known forms with segments changed, so that what is nearly
// one is met too.
func TestCodeHostsAreExact(t *testing.T) {
	const seenSHA, otherSHA = "da39a3ee5e6b4b0d3255bfef95601890afd80709", "0000a3ee5e6b4b0d3255bfef95601890afd80709"
	forms := []string{
		"releases/download/v1.2.3/app.tgz", "releases/latest/download/app.tgz", "releases/tags/v1.2.3", "releases/assets/17", "releases/17/assets", "releases/17",
		"archive/v1.2.3.tar.gz", "archive/refs/tags/v1.2.3.zip", "archive/refs/heads/main.zip", "tarball/v1.2.3", "zipball/refs/tags/v1.2.3", "tar.gz/" + seenSHA,
		"get/v1.2.3.zip", "raw/v1.2.3/install.sh", "raw/refs/tags/v1.2.3/install.sh", "raw/tag/v1.2.3/install.sh", "raw/commit/" + seenSHA + "/install.sh",
		"git/ref/tags/v1.2.3", "git/blobs/" + seenSHA, "contents/install.sh", "archive/v1.2.3/app-v1.2.3.tar.gz", "releases/v1.2.3/downloads/a/app.tgz",
		"releases/permalink/latest/downloads/app.tgz", "packages/generic/app/1.2.3/app-1.2.3.tgz", "v1.2.3/install.sh", "refs/tags/v1.2.3/install.sh", seenSHA + "/install.sh", "issues/17",
		"downloads/app-1.2.3.tgz", "src/v1.2.3/install.sh", "src/" + seenSHA + "/install.sh", "tags/v1.2.3", "raw/install.sh", "browse/install.sh", "archive",
	}
	words := []string{"", "v1.2.3", "17", seenSHA, "main", "tags", "refs", "releases", "-", "raw", "20261124"}
	bases := []string{"https://github.com/owner/repo", "https://api.github.com/repos/owner/repo", "https://raw.githubusercontent.com/owner/repo",
		"https://ghe.example.org/api/v3/repos/owner/repo", "https://gitea.example.org/api/v1/repos/owner/repo", "https://gitlab.example.org/owner/repo/-",
		"https://gitlab.example.org/api/v4/projects/owner%2Frepo", "https://api.bitbucket.org/2.0/repositories/owner/repo",
		"https://bitbucket.example.org/rest/api/latest/projects/owner/repos/repo", "https://code.example.org/owner/repo"}
	rng := rand.New(rand.NewPCG(10, 11))
	for round := range 3000 {
		base := bases[rng.IntN(len(bases))]
		var events []enforce.Event
		var raws []string
		for range 1 + rng.IntN(3) {
			segments := strings.Split(forms[rng.IntN(len(forms))], "/")
			for range rng.IntN(3) {
				switch i := rng.IntN(len(segments) + 1); rng.IntN(4) {
				case 0:
					segments = segments[:i]
				case 1:
					segments = slices.Insert(segments, i, words[rng.IntN(len(words))])
				case 2:
					segments = slices.Delete(segments, min(i, max(len(segments)-1, 0)), min(i+1, len(segments)))
				default:
					if i < len(segments) {
						segments[i] = words[rng.IntN(len(words))]
					}
				}
			}
			raw := strings.Join(append([]string{base}, segments...), "/")
			raws = append(raws, raw)
			events = append(events, get(raw)...)
		}
		text := learned(t, Options{}, events)
		slices.Reverse(events)
		if again := learned(t, Options{}, events); again != text {
			t.Fatalf("round %d: another order:\n%s", round, cmp.Diff(text, again))
		}
		p, r := enforced(t, text)
		for _, raw := range raws {
			if d := ask(t, p, r, request("GET", raw)); d.Action != policy.Allow {
				t.Fatalf("round %d: %s: %s\n%s", round, raw, d.Reason, text)
			}
			for _, change := range [][2]string{{"/owner", "/other"}, {"repo", "other"}, {seenSHA, otherSHA}} {
				other := strings.Replace(raw, change[0], change[1], 1)
				if other == raw {
					continue
				}
				// A release or a tag may be named by anything, a digest too.
				named := change[0] == seenSHA && (strings.Contains(raw, "releases/") || strings.Contains(raw, "/tags/"))
				if d := ask(t, p, r, request("GET", other)); d.Action != policy.Deny && !named {
					t.Fatalf("round %d: %s: %v by %s\n%s", round, other, d.Action, d.Rule, text)
				}
			}
			if d := ask(t, p, r, request("PUT", raw)); d.Action != policy.Deny {
				t.Fatal(fmt.Sprint(raw, d))
			}
		}
	}
}

// TestBitbucket: what is read by Bitbucket's APIs is written by kind.
func TestBitbucket(t *testing.T) {
	const cloud, server = "https://api.bitbucket.org/2.0/repositories/team/app", "https://code.example.org/rest/api/1.0/projects/PRJ/repos/app"
	const sha = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	for url, want := range map[string]string{
		cloud + "/downloads/app-1.2.3.tgz":    "/2.0/repositories/team/app/downloads/*",
		cloud + "/src/v1.2.3/install.sh":      "/2.0/repositories/team/app/src/{version}/install.sh",
		cloud + "/src/" + sha + "/install.sh": "/2.0/repositories/team/app/src/" + sha + "/install.sh",
		cloud + "/src/main/install.sh":        "/2.0/repositories/team/app/src/main/install.sh",
		cloud + "/refs/tags/v1.2.3":           "/2.0/repositories/team/app/refs/tags/**",
		cloud + "/refs/branches/main":         "/2.0/repositories/team/app/refs/branches/main",
		cloud + "/commit/" + sha:              "/2.0/repositories/team/app/commit/" + sha,
		server + "/tags/v1.2.3":               "/rest/api/1.0/projects/PRJ/repos/app/tags/**",
		server + "/raw/install.sh":            "/rest/api/1.0/projects/PRJ/repos/app/raw/install.sh",
		server + "/archive":                   "/rest/api/1.0/projects/PRJ/repos/app/archive",
		server + "/commits/" + sha:            "/rest/api/1.0/projects/PRJ/repos/app/commits/" + sha,
	} {
		text := learned(t, Options{}, get(url))
		if !strings.Contains(text, "      - "+want+"\n") {
			t.Errorf("%s: no path %s in\n%s", url, want, text)
		}
		if review := strings.Contains(text, "of any commit that the query names"); review != (strings.Contains(url, "/raw/") || strings.HasSuffix(url, "/archive")) {
			t.Errorf("%s: review %v in\n%s", url, review, text)
		}
	}
}
