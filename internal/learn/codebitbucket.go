package learn

import "slices"

// bitbucketRepository finds a repository in the paths of Bitbucket's REST APIs: that
// of Bitbucket Cloud, /2.0/repositories/WORKSPACE/REPOSITORY
// (https://developer.atlassian.com/cloud/bitbucket/rest/), and that of Bitbucket
// Data Center, /rest/api/VERSION/projects/PROJECT/repos/REPOSITORY
// (https://developer.atlassian.com/server/bitbucket/rest/). It returns where the
// segments behind it begin, and them, nil where there is none.
func bitbucketRepository(segments []string) (base int, rest []string) {
	switch {
	case len(segments) > 4 && slices.Equal(segments[:2], []string{"2.0", "repositories"}):
		base = 4
	case len(segments) > 7 && slices.Equal(segments[:2], []string{"rest", "api"}) && segments[3] == "projects" && segments[5] == "repos":
		base = 7
	default:
		return 0, nil
	}
	return base, segments[base:]
}

// readBitbucketAPI reads what stands behind a repository. Both read files of any
// commit: the one names it in the path, the other in the query.
func readBitbucketAPI(repository, rest []string) reading {
	switch n := len(rest); {
	case len(repository) == 4 && rest[0] == "downloads" && n == 2:
		return pattern(repository, "files that were uploaded for download", "downloads", "*")
	case len(repository) == 4 && rest[0] == "src" && n >= 3:
		return readRef(append(slices.Clone(repository), "src"), rest[1:])
	case len(repository) == 4 && rest[0] == "refs" && n >= 3 && rest[1] == "tags":
		return pattern(repository, "tags, not what they point to", "refs", "tags", "**")
	case len(repository) == 7 && rest[0] == "tags" && n >= 2:
		return pattern(repository, "tags, not what they point to", "tags", "**")
	case len(repository) == 7 && (rest[0] == "raw" || rest[0] == "browse" || rest[0] == "archive"):
		r := pattern(repository, "", rest...)
		r.review = "of any commit that the query names, those of forks too"
		return r
	}
	return reading{}
}
