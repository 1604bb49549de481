package learn

import "slices"

// apiRepository finds a repository in the paths of the REST API of GitHub, of
// GitHub Enterprise (/api/v3) and of Gitea (/api/v1). It returns where the
// segments behind it begin, and them, nil where there is none.
func apiRepository(segments []string) (base int, rest []string) {
	if len(segments) > 2 && segments[0] == "api" && (segments[1] == "v3" || segments[1] == "v1") {
		base = 2
	}
	if len(segments) < base+3 || segments[base] != "repos" {
		return 0, nil
	}
	return base + 3, segments[base+3:]
}

// readAPI reads what stands behind a repository in the REST API.
// https://docs.github.com/en/rest
func readAPI(repository, rest []string) (r reading, sure bool) {
	at := func(i int) string {
		if i < len(rest) {
			return rest[i]
		}
		return ""
	}
	switch n := len(rest); {
	case at(0) == "releases" && n == 3 && at(1) == "tags":
		return pattern(repository, "releases by tag", "releases", "tags", "*"), true
	case at(0) == "releases" && n == 3 && at(1) == "assets" && isInt(at(2)):
		return pattern(repository, "release assets", "releases", "assets", "{int}"), true
	case at(0) == "releases" && n == 3 && at(2) == "assets" && isInt(at(1)):
		return pattern(repository, "release assets", "releases", "{int}", "assets"), true
	case at(0) == "releases" && n == 2 && isInt(at(1)):
		return pattern(repository, "releases", "releases", "{int}"), true
	case at(0) == "releases" && n == 2 && at(1) == "latest":
		return reading{}, true
	case (at(0) == "tarball" || at(0) == "zipball") && n >= 2:
		return readArchive(repository, rest), true
	case at(0) == "git" && n >= 4 && slices.Contains([]string{"ref", "refs", "matching-refs"}, at(1)) && at(2) == "tags":
		return pattern(repository, "tags, not what they point to", "git", at(1), "tags", "**"), true
	case at(0) == "git" && n >= 3:
		return reading{}, true // blobs, trees, commits: by digest, of any fork
	case at(0) == "contents" && n >= 2:
		r = pattern(repository, "", rest...)
		r.review = "of any commit that the query names, those of forks too"
		return r, true
	}
	return reading{}, false
}

func isInt(s string) bool { return s != "" && len(s) <= 20 && digits(s) == len(s) }

// readGitLab reads rest, what stands behind a project and a hyphen on GitLab.
// https://docs.gitlab.com/user/project/releases/
func readGitLab(project, rest []string) (r reading, sure bool) {
	switch n := len(rest); {
	case rest[0] == "archive" && n == 3:
		ref, ok := openVersion(rest[1])
		file, same := openVersion(rest[2])
		if ok && same {
			return pattern(project, "archives of versions", "archive", ref, file), true
		}
		return reading{}, true
	case rest[0] == "raw" && n >= 3:
		return readRef(append(slices.Clone(project), "raw"), rest[1:]), true
	case rest[0] == "releases" && n >= 4 && rest[2] == "downloads":
		return pattern(project, "release assets", "releases", "*", "downloads", "**"), true
	case rest[0] == "releases" && n >= 5 && rest[1] == "permalink" && rest[2] == "latest" && rest[3] == "downloads":
		return pattern(project, "release assets", "releases", "permalink", "latest", "downloads", "**"), true
	}
	return reading{}, false
}

// readGitLabAPI reads rest, what stands behind a project in the REST API of
// GitLab. https://docs.gitlab.com/user/packages/generic_packages/
func readGitLabAPI(project, rest []string) reading {
	if len(rest) != 5 || rest[0] != "packages" || rest[1] != "generic" {
		return reading{}
	}
	version, ok := openVersion(rest[3])
	file, _ := openVersion(rest[4])
	if !ok {
		return reading{}
	}
	return pattern(project, "a package of any version", "packages", "generic", rest[2], version, file)
}
