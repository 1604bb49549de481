package policytest

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/policy"
)

// want is a line of a file's decisions:
//
//	ACTION [default] [passthrough] [networks=P,P] METHOD URL [KEY=VALUE]... [# REASON]
//
// default is for what no rule decides. A KEY is package, registry, process,
// parent or via, or else a header field. Raw TCP has no METHOD.
type want struct {
	line     string
	decision policy.Decision
	request  *policy.Request
}

// TestConformance checks that every backend comes to the decisions of each file,
// names a rule where one decided, and gives the reason that its author did.
func TestConformance(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		wants := readWants(t, name, section(t, archive, "decisions"))
		for _, b := range backends() {
			t.Run(name+"/"+b.file, func(t *testing.T) {
				p := b.load(t, b.file, section(t, archive, b.file))
				for _, w := range wants {
					b.check(t, p, w)
				}
			})
		}
	}
}

func section(t *testing.T, archive *txtar.Archive, name string) []byte {
	t.Helper()
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("no %s in %s", name, archive.Comment)
	}
	return archive.Files[i].Data
}

func (b backend) check(t *testing.T, p policy.Policy, w want) {
	t.Helper()
	got, err := patiently(p, w.request)
	if err != nil {
		got.Action = policy.Deny // as policy.Policy says
	}
	if got.Action != w.decision.Action || got.Passthrough != w.decision.Passthrough || networks(got) != networks(w.decision) {
		t.Errorf("%s\n%+v, %v", w.line, got, err)
	}
	if w.decision.Reason != "" && got.Reason != w.decision.Reason {
		t.Errorf("%s\nreason %q, want %q", w.line, got.Reason, w.decision.Reason)
	}
	switch {
	case err != nil:
	case w.decision.Default && b.silent && (got.Rule != "" || !got.Default):
		t.Errorf("%s\n%+v names a rule, or hides that there is none", w.line, got)
	case !(w.decision.Default && b.silent) && (!strings.HasPrefix(got.Rule, b.file+":") || got.Default):
		t.Errorf("%s\n%+v does not name the rule in %s that decided", w.line, got, b.file)
	}
}

func readWants(t *testing.T, name string, data []byte) []want {
	t.Helper()
	var out []want
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		w, err := readWant(line)
		if err != nil {
			t.Fatalf("%s: %s: %v", name, line, err)
		}
		out = append(out, w)
	}
	return out
}

func readWant(line string) (want, error) {
	w := want{line: line}
	text, reason, _ := strings.Cut(line, " # ")
	w.decision.Reason = reason
	words := strings.Fields(text)
	if err := w.decision.Action.UnmarshalText([]byte(words[0])); err != nil {
		return w, err
	}
	for words = words[1:]; len(words) > 0; words = words[1:] {
		list, isNetworks := strings.CutPrefix(words[0], "networks=")
		switch {
		case words[0] == "default":
			w.decision.Default = true
		case words[0] == "passthrough":
			w.decision.Passthrough = true
		case isNetworks:
			for p := range strings.SplitSeq(list, ",") {
				prefix, err := netip.ParsePrefix(p)
				if err != nil {
					return w, err
				}
				w.decision.Networks = append(w.decision.Networks, prefix)
			}
		default:
			var err error
			w.request, err = readRequest(words)
			return w, err
		}
	}
	return w, fmt.Errorf("no request")
}

// readRequest builds a request as the proxy does.
func readRequest(words []string) (*policy.Request, error) {
	q := &policy.Request{Header: map[string][]string{}}
	if !strings.Contains(words[0], "://") {
		q.Method, words = words[0], words[1:]
	}
	target, query, _ := strings.Cut(words[0], "?")
	scheme, rest, _ := strings.Cut(target, "://")
	i := strings.IndexByte(rest+"/", '/')
	host, port, err := hostname.ParseAuthority(rest[:i])
	if err != nil {
		return nil, err
	}
	if port == 0 {
		port = policy.DefaultPort(scheme)
	}
	q.Scheme, q.Host, q.Port, q.Query = scheme, host, port, query
	if scheme != "tcp" && q.Method != "CONNECT" {
		if q.Path, err = policy.CanonicalPath(rest[i:]); err != nil {
			return nil, err
		}
	}
	for _, word := range words[1:] {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, fmt.Errorf("%s: want KEY=VALUE", strconv.Quote(word))
		}
		if value, err = url.PathUnescape(value); err != nil {
			return nil, err
		}
		set(q, key, value)
	}
	return q, nil
}

func set(q *policy.Request, key, value string) {
	if q.Process == nil && (key == "process" || key == "parent") {
		q.Process = &policy.Process{PID: 2, Exe: "/bin/false"}
	}
	switch key {
	case "package":
		q.Package = value
	case "via":
		q.Via = append(q.Via, value)
	case "registry":
		q.Registry = value
	case "process":
		q.Process.Exe = value
	case "parent":
		q.Process.Parents = append(q.Process.Parents, value)
	default:
		q.Header[key] = append(q.Header[key], value)
	}
}
