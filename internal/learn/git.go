package learn

import (
	"net/url"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
)

// Git over HTTP is told by the form of its URLs, on any host
// (https://git-scm.com/docs/http-protocol). A fetch is two requests, and a rule
// for each names the repository as git spelled it, with or without .git:
//
//	GET  REPOSITORY/info/refs?service=git-upload-pack
//	POST REPOSITORY/git-upload-pack
//
// A push differs from it in the service alone, so the first rule has a condition
// on the query, and nothing that lets a fetch pass lets git-receive-pack pass.

// refsPath is how the path of the first request of a fetch or a push ends.
const refsPath = "/info/refs"

// The services that are kept in key.service. It is empty where the query is, and
// on all other paths.
const (
	uploadPack  = "git-upload-pack"
	receivePack = "git-receive-pack"
	noService   = "?" // a query that is not git's
	oddService  = "!" // a query that asks for a service in another spelling, or for another one
)

// serviceOf returns the service that a request for refs asks for.
func serviceOf(ev *enforce.Event) string {
	if !strings.HasSuffix(ev.Path, refsPath) {
		return ""
	}
	_, query, _ := strings.Cut(ev.URL, "?")
	query, _, _ = strings.Cut(query, "#")
	return serviceIn(ev.Path, query)
}

// serviceIn is serviceOf for a path and a query.
func serviceIn(path, query string) string {
	if !strings.HasSuffix(path, refsPath) {
		return ""
	}
	switch query {
	case "":
		return ""
	case "service=" + uploadPack:
		return uploadPack
	case "service=" + receivePack:
		return receivePack
	}
	if _, err := url.ParseQuery(query); err != nil || strings.Contains(strings.ToLower(query), "service") || strings.Contains(query, "%") {
		return oddService
	}
	return noService
}

// readGit returns how a request of git, or of Git LFS, is written.
func readGit(k key) (reading, bool) {
	r := reading{pattern: k.path, fixed: true}
	switch {
	case strings.HasSuffix(k.path, refsPath) && isRead(k.method):
		switch k.service {
		case uploadPack:
			r.query, r.note = "{service: "+uploadPack+"}", "git fetch"
		case receivePack:
			r.query, r.review = "{service: "+receivePack+"}", "git push"
		case noService:
			r.query, r.review = `{"service?": `+uploadPack+`, "*": "*"}`, "its query is not git's, and any matches but a push's"
		default:
			r.query = "{}"
		}
	case k.method != "POST":
		return reading{}, false
	case strings.HasSuffix(k.path, "/"+uploadPack):
		r.note = "git fetch"
	case strings.HasSuffix(k.path, "/"+receivePack):
		r.review = "git push writes to the repository"
	case strings.HasSuffix(k.path, "/info/lfs/objects/batch"):
		// https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
		r.review = "Git LFS: whether it downloads or uploads stands in the body, which no rule reads"
	default:
		return reading{}, false
	}
	return r, true
}
