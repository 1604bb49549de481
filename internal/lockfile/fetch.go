package lockfile

import (
	"net/url"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
)

// Fetch is a request by which a client gets what comes from no registry.
type Fetch struct {
	ecosystem.Query
	// Git is true of the requests of a git fetch.
	Git bool
	// Via is the address that redirects to this one, where one does. Then the path
	// is what is known to be redirected to today.
	Via string
}

// Request returns f as policies are asked about it.
func (f *Fetch) Request() *policy.Request {
	r := &policy.Request{Method: f.Method, Scheme: f.Scheme, Host: f.Host, Port: f.Port, Path: f.Path, Query: f.RawQuery}
	if f.Via != "" {
		r.Via = []string{f.Via}
	}
	return r
}

// gitFetch is what the first request of a git fetch asks for
// (https://git-scm.com/docs/http-protocol).
const gitFetch = "service=git-upload-pack"

// Fetches returns the requests that get e over HTTP, and the commit that the file
// names, "" where it names none in full. There are no requests where git takes
// another way. What clients of one code host ask that host besides is not there, for
// the file does not say it.
func (e *Elsewhere) Fetches() (fetches []Fetch, commit string) {
	text, reference, _ := strings.Cut(strings.TrimSpace(e.Text), " ")
	address, fragment, _ := strings.Cut(strings.TrimPrefix(text, "git+"), "#")
	if e.Kind == "git" {
		address, _, _ = strings.Cut(address, "?") // uv and Cargo keep what was asked for there
		address, commit = pythonReference(address)
		for _, one := range []string{reference, fragment, strings.TrimPrefix(fragment, "commit=")} {
			if commitID().MatchString(one) {
				commit = one
			}
		}
		if !commitID().MatchString(commit) {
			commit = ""
		}
	}
	q, ok := query(address)
	q.Path = strings.TrimSuffix(q.Path, "/")
	switch {
	case !ok || q.Path == "":
		return nil, commit
	case e.Kind == "url":
		u, err := url.Parse(address)
		if err != nil {
			return nil, ""
		}
		q.RawQuery = u.RawQuery
		return append([]Fetch{{Query: q}}, redirected(q)...), ""
	case e.Kind != "git":
		return nil, ""
	}
	refs, pack := q, q
	refs.Path, refs.RawQuery = q.Path+"/info/refs", gitFetch
	pack.Path, pack.Method = q.Path+"/git-upload-pack", "POST"
	return []Fetch{{Query: refs, Git: true}, {Query: pack, Git: true}}, commit
}

// archiveAPI is where GitHub's REST API has the archive of a commit; it redirects to
// a host of its own
// (https://docs.github.com/rest/repos/contents#download-a-repository-archive-zip).
var archiveAPI = lazily(`^/repos/([^/]+/[^/]+)/(zip|tar)ball/([^/]+)$`)

// redirected returns what a client is redirected to, where that is known.
func redirected(q ecosystem.Query) []Fetch {
	host, api := strings.CutPrefix(q.Host, "api.")
	m := archiveAPI().FindStringSubmatch(q.Path)
	if m == nil || !api || q.RawQuery != "" {
		return nil
	}
	kind := map[string]string{"zip": "legacy.zip", "tar": "legacy.tar.gz"}[m[2]]
	from := origin(q) + q.Path
	q.Host, q.Path = "codeload."+host, "/"+m[1]+"/"+kind+"/"+m[3]
	return []Fetch{{Query: q, Via: from}}
}

var commitID = lazily(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// pythonReference cuts the reference off the end of an address as pip writes it.
func pythonReference(address string) (repository, reference string) {
	if i := strings.LastIndexByte(address, '@'); i > strings.LastIndexByte(address, '/') {
		return address[:i], address[i+1:]
	}
	return address, ""
}
