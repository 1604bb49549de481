package lockfile

import "strings"

// readGemfile reads Gemfile.lock: sections at the margin, with the gems of each
// indented by four spaces and what those need by six
// (Bundler::LockfileParser). A gem stands there once for each platform. Bundler
// fetches itself in the version that it was locked with.
func readGemfile(r *reader) error {
	section, remote, revision := "", "", ""
	return r.lines(func(n int, line string) error {
		word := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case word == "":
		case strings.HasPrefix(line, "<<<<<<<"), strings.HasPrefix(line, ">>>>>>>"):
			return r.failLine(n, 1, "a merge that was not finished")
		case indent == 0:
			section, remote, revision = word, "", ""
		case section == "BUNDLED WITH":
			return r.add("bundler", word, Entry{Line: n})
		case indent == 2 && strings.HasPrefix(word, "remote: "):
			remote = strings.TrimPrefix(word, "remote: ")
			if section == "GEM" {
				r.registry(remote, n)
			}
		case indent == 2 && strings.HasPrefix(word, "revision: "):
			revision = strings.TrimPrefix(word, "revision: ")
		case indent == 4 && section == "GIT":
			r.elsewhere(n, "git", strings.TrimSpace(remote+" "+revision))
		case indent == 4 && section == "GEM":
			return r.gem(n, word)
		}
		return nil
	})
}

// gem notes NAME (VERSION[-PLATFORM]).
func (r *reader) gem(n int, word string) error {
	name, rest, ok := strings.Cut(word, " (")
	version, closed := strings.CutSuffix(rest, ")")
	if !ok || !closed {
		return r.failLine(n, 5, "a gem without its version")
	}
	return r.add(name, version, Entry{Line: n})
}
