package allowlist

import (
	"path"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// process reads a pattern for the executable of a process: a path, or a name
// that stands for the last element of one, in the syntax of path.Match.
func (p *parser) process(n *yaml.Node) (string, bool) {
	s, ok := p.text(n, "a process")
	if !ok {
		return "", false
	}
	_, err := path.Match(s, "")
	switch {
	case s == "" || err != nil:
		p.at(n, "bad process pattern "+quoted(s), "write a path such as /usr/bin/node, or a name such as node; * stands for anything but a slash")
	case strings.Contains(s, "/") && !path.IsAbs(s):
		p.at(n, "process "+quoted(s)+" is a relative path", "write the whole path, or the name alone")
	default:
		return s, true
	}
	return "", false
}

// matchesProcess reports whether the process that asked, or one that it descends
// from, is one of the rule's. Where it is not known who asked, an allow rule
// that wants to know does not match and a deny rule does.
func (r *rule) matchesProcess(q *question) bool {
	if r.processes == nil {
		return true
	}
	if q.Process == nil {
		return r.action == policy.Deny
	}
	if r.isProcess(q.Process.Exe) {
		return true
	}
	for _, exe := range q.Process.Parents {
		if r.isProcess(exe) {
			return true
		}
	}
	return false
}

func (r *rule) isProcess(exe string) bool {
	for _, pattern := range r.processes {
		name := exe
		if !strings.Contains(pattern, "/") {
			name = path.Base(exe)
		}
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}
