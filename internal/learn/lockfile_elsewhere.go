package learn

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/lockfile"
	"github.com/juliendoutre/proxaudit/policy"
)

// lockElsewhere lists what a lockfile names that no rule for a package lets in, but
// for what another rule does. Of git and addresses it proposes rules: a lockfile
// was made by whoever changed a dependency, and only a reviewer says that a host is
// to be trusted.
func (l *Learner) lockElsewhere(d *draft, f *lockfile.Lockfile) {
	listed := map[string]bool{} // one repository has many gems
	for i := range f.Elsewhere {
		e := &f.Elsewhere[i]
		fetches, commit := e.Fetches()
		if listed[e.Text] || l.lets(d, fetches) {
			continue
		}
		listed[e.Text] = true
		place := fmt.Sprintf("%s:%d", f.Name, e.Line)
		text, _ := maskBut(enforce.RedactText(e.Text), isCommit)
		line := &leftLine{text: text, why: place + ": " + elsewhereWords(e.Kind)}
		for _, one := range fetches {
			if rule := l.proposed(&one, place, commit); rule != "" {
				line.proposed = append(line.proposed, rule)
			}
		}
		d.left[kindElsewhere] = append(d.left[kindElsewhere], line)
	}
	if l.builds(f) {
		for _, s := range f.Sdists {
			d.left[kindSdist] = append(d.left[kindSdist], &leftLine{text: s.Package, why: fmt.Sprintf("%s:%d: no wheel of it", f.Name, s.Line)})
		}
	}
}

func elsewhereWords(kind string) string {
	switch kind {
	case "git":
		return "a git repository"
	case "url":
		return "an address of its own"
	default:
		return "no name or version of a package"
	}
}

// builds reports whether f names packages that are built, and nothing was recorded
// that would show with what.
func (l *Learner) builds(f *lockfile.Lockfile) bool { return l.last == 0 && len(f.Sdists) > 0 }

// Built returns the lockfiles with packages that are built from source, with what
// nothing that was learned shows.
func (l *Learner) Built() []*lockfile.Lockfile {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.options.Lockfiles), func(f *lockfile.Lockfile) bool { return !l.builds(f) })
}

// lets reports whether rules that were drafted, or are in the policy that is merged
// into, match all of the requests.
func (l *Learner) lets(d *draft, fetches []lockfile.Fetch) bool {
	for _, f := range fetches {
		drafted := slices.ContainsFunc(d.rules, func(r *rule) bool {
			return r.endpoint == endpoint{f.Scheme, f.Host, f.Port} && slices.ContainsFunc(r.paths, func(p *pathLine) bool { return p.pattern == f.Path })
		})
		if !drafted && !l.coversRequest(f.Request()) {
			return false
		}
	}
	return len(fetches) > 0
}

// proposed is a rule on one line, which reads the same behind "# " and without it.
// It is empty where the path holds a secret.
func (l *Learner) proposed(f *lockfile.Fetch, place, commit string) string {
	if _, secret := maskBut(f.Path, isCommit); secret {
		return ""
	}
	e := endpoint{f.Scheme, f.Host, f.Port}
	keys := []string{"host: " + quoted(f.Host)}
	if f.Method != "GET" {
		keys = append(keys, "methods: ["+f.Method+"]")
	}
	query, ok := exactly(f.RawQuery)
	if !ok {
		return ""
	}
	if f.Via != "" { // the redirect names the path, and what is in the one is in the other
		keys = append(keys, "via: ["+quoted(f.Via)+"]")
	} else {
		keys = append(keys, "paths: ["+quoted(f.Path)+"]")
	}
	if query != "" {
		keys = append(keys, "query: {"+query+"}")
	}
	if f.Port != policy.DefaultPort(f.Scheme) {
		keys = append(keys, fmt.Sprintf("ports: [%d]", f.Port))
	}
	if f.Scheme != "https" {
		keys = append(keys, "schemes: ["+f.Scheme+"]")
	}
	var inside []string
	for _, n := range l.networks(e) {
		inside = append(inside, quoted(n.String()))
	}
	if inside != nil {
		keys = append(keys, "networks: ["+strings.Join(inside, ", ")+"]")
	}
	return "{" + strings.Join(keys, ", ") + "}  # review: " + why(f, plain(place), commit)
}

// exactly is the condition that a query is this one. It is false where a name is
// there twice, or a value may be a secret or could be taken for a pattern.
func exactly(query string) (condition string, ok bool) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", false
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := strings.Join(values[name], "?")
		plain := "/?" + url.Values{name: {value}}.Encode()
		if strings.ContainsAny(name+value, "*?") || !isCommit(value) && enforce.RedactURL(plain) != plain {
			return "", false
		}
		out = append(out, quoted(name)+": "+quoted(value))
	}
	return strings.Join(out, ", "), true
}

func why(f *lockfile.Fetch, place, commit string) string {
	switch {
	case f.Via != "":
		return "where that is redirected to, of " + place
	case !f.Git:
		return "what " + place + " names"
	case commit == "":
		return "git fetch, for " + place
	default:
		return "git fetch, for " + place + " at commit " + commit
	}
}

// isCommit reports whether a segment is the name of a commit, by which an archive of
// a repository is asked for.
func isCommit(segment string) bool {
	return (len(segment) == 40 || len(segment) == 64) && strings.Trim(segment, "0123456789abcdef") == ""
}
