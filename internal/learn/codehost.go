package learn

import (
	"slices"
	"strings"
)

// Hosts of source code are told by the form of their URLs, so that one of a
// company is as good as a public one. What is read from them is written by owner,
// repository and kind of resource, the first two as they are. How wide a kind is
// follows from who can put something there:
//
//   - release assets, and archives and files of a tag: who may write to the
//     repository. The release, or the version in the tag's name, is left open.
//   - a commit by its digest, and with it objects, trees and archives of one:
//     anybody. A commit of a fork can be read through the repository it was
//     forked from. So a digest stays as it is, however many were seen.
//   - branches: who may write. Their names do not change, so they stay.
//   - issues, comments, artifacts of workflows, attachments, gists: anybody. They
//     stay as they are.
//   - whatever is not known here stays as it is too.

// reading is how something that was read is written in a rule. The zero reading
// says nothing about it.
type reading struct {
	pattern string
	query   string // the value of the key, in YAML
	note    string // what the pattern stands for
	review  string
	fixed   bool // nothing more may be generalised
	// known tells segments that look like secrets and are none. It may be nil.
	known func(segment string) bool
}

// codeHosts are the endpoints that serve source code.
type codeHosts map[endpoint]bool

// codeHosts finds them by name, or by requests that are hardly anything else.
func (l *Learner) codeHosts() codeHosts {
	known := codeHosts{}
	for k, f := range l.flows {
		if known[k.endpoint] || f.ok+f.cut == 0 {
			continue
		}
		known[k.endpoint] = l.lists.showsCode(k)
	}
	for k := range l.flows {
		label, parent, _ := strings.Cut(k.host, ".")
		above := k.endpoint
		if above.host = parent; known[above] && slices.Contains([]string{"raw", "gist", "codeload", "media"}, label) {
			known[k.endpoint] = true
		}
	}
	return known
}

// showsCode reports whether a request is hardly to anything but a host of code.
func (l *lists) showsCode(k key) bool {
	_, sure := readCode(k.path, "")
	return sure || k.service == uploadPack || k.service == receivePack || l.tenants.isCode(k.host)
}

// read returns how s is written, or the zero reading where that is nobody's
// business here.
func (c codeHosts) read(s sighting) reading {
	if r, ok := readGit(s.key); ok {
		return r
	}
	if !isRead(s.method) {
		if strings.HasSuffix(s.path, "/graphql") {
			return reading{pattern: s.path, fixed: true, review: "GraphQL: whether it reads or writes stands in the body, which no rule reads"}
		}
		return reading{}
	}
	host := ""
	if c[s.endpoint] {
		host = s.host
	}
	r, sure := readCode(s.path, host)
	if r.pattern == "" && (sure || host != "") {
		r.pattern = s.path
	}
	r.fixed = r.pattern != ""
	return r
}

// readCode reads the form of a path. With a host that is known to serve code it
// knows forms that are found elsewhere too. The other result is true for a form
// that is not.
func readCode(path, host string) (r reading, sure bool) {
	segments := strings.Split(path[min(1, len(path)):], "/")
	if base, rest := apiRepository(segments); rest != nil {
		r, sure = readAPI(segments[:base], rest)
		return r, sure || base > 3 // with /api/v3 before it
	}
	if base, rest := bitbucketRepository(segments); rest != nil {
		return readBitbucketAPI(segments[:base], rest), true
	}
	if len(segments) > 4 && slices.Equal(segments[:3], []string{"api", "v4", "projects"}) {
		return readGitLabAPI(segments[:4], segments[4:]), true
	}
	if i := slices.Index(segments, "-"); i >= 2 && i+2 < len(segments) {
		return readGitLab(segments[:i+1], segments[i+1:])
	}
	for i := 2; i+1 < len(segments); i++ {
		if r := readRepository(segments[:i], segments[i:], host != ""); r.pattern != "" {
			return r, isSure(segments[i:])
		}
	}
	if i := slices.Index(segments, "raw"); 1 <= i && i <= 2 && isGistID(segments[i-1]) {
		return reading{pattern: path, known: isGistID, note: "a gist"}, false
	}
	if label, _, _ := strings.Cut(host, "."); label == "raw" && len(segments) >= 4 {
		return readRef(segments[:2], segments[2:]), false
	}
	return reading{}, false
}

// isSure reports whether what stands behind a repository is met nowhere else.
func isSure(rest []string) bool {
	return rest[0] == "releases" && len(rest) >= 4 || len(rest) >= 4 && rest[1] == "refs" && rest[2] == "tags"
}

// readRepository reads rest, what stands behind a repository on GitHub, Gitea,
// Forgejo or Bitbucket. Where it is not known that repository is one, only what
// is found nowhere else counts.
func readRepository(repository, rest []string, known bool) reading {
	switch n := len(rest); rest[0] {
	case "releases":
		switch {
		case n >= 4 && rest[1] == "download":
			return pattern(repository, "release assets", "releases", "download", "**")
		case n == 4 && rest[1] == "latest" && rest[2] == "download":
			return pattern(repository, "release assets", "releases", "latest", "download", "*")
		}
	case "archive", "tarball", "zipball", "tar.gz", "zip", "legacy.tar.gz", "legacy.zip", "get":
		if known && n == 2 && len(repository) == 2 || n >= 4 {
			return readArchive(repository, rest)
		}
	case "raw":
		if known && n >= 3 && len(repository) == 2 {
			if slices.Contains([]string{"branch", "tag", "commit"}, rest[1]) && n >= 4 { // Gitea
				return readRef(append(slices.Clone(repository), rest[:2]...), rest[2:])
			}
			return readRef(append(slices.Clone(repository), "raw"), rest[1:])
		}
	}
	return reading{}
}

// pattern joins segments below a repository.
func pattern(before []string, note string, rest ...string) reading {
	return reading{pattern: "/" + strings.Join(append(slices.Clone(before), rest...), "/"), note: note}
}

// isGistID knows the names of gists, which tell them apart and are no secrets of
// who reads them.
func isGistID(s string) bool { return (len(s) == 20 || len(s) == 32) && isHex(s) }
