package learn

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// base is a policy that is merged into, as cmd/proxaudit makes one.
type base struct {
	source     string
	policy     *allowlist.Policy
	recognizer *ecosystem.Recognizer
	usage      usage
	partial    bool
}

func newBase(t testing.TB, source string) *base {
	t.Helper()
	p, r := enforced(t, source)
	return &base{source: source, policy: p, recognizer: r, usage: newUsage()}
}

func decideBy(p *allowlist.Policy, r *ecosystem.Recognizer, q *policy.Request) policy.Decision {
	q.Package, q.Registry = r.Identify(ecosystem.Query{Method: q.Method, Scheme: q.Scheme, Host: q.Host, Port: q.Port, Path: q.Path, RawQuery: q.Query, Header: q.Header})
	d, _ := p.Decide(context.Background(), q)
	return d
}

func (b *base) Decide(q *policy.Request) policy.Decision { return decideBy(b.policy, b.recognizer, q) }

func (b *base) Match(q *policy.Request, each func(line int, versions bool)) {
	b.policy.Matching(q, func(m allowlist.Match) { each(m.Line, m.Versioned) })
}

func (b *base) Hosts() []string { return b.policy.Hosts() }

// merge merges runs into b.
func (b *base) merge(runs ...[]enforce.Event) (*Merged, error) {
	l := New(Options{Registries: b.policy.Registries(), Existing: b})
	for i, run := range runs {
		if i > 0 {
			l.NextRun()
		}
		for _, ev := range run {
			_ = l.Record(ev)
		}
	}
	defer func() { b.usage = l.usage }()
	return l.Merge(Existing{
		Source: []byte(b.source), Registries: b.policy.Registries(), KnowsHost: b.policy.KnowsHost, Partial: b.partial,
		Load: func(data []byte) (func(*policy.Request) policy.Decision, error) {
			p, err := allowlist.Parse("merged.yaml", data)
			if err != nil {
				return nil, err
			}
			r, err := ecosystem.New(p.Registries())
			return func(q *policy.Request) policy.Decision { return decideBy(p, r, q) }, err
		},
	})
}

// readRun reads a run: METHOD URL [STATUS] [day=N] [by=EXE] [at=ADDRESS] [via=URL]
// a line.
func readRun(t testing.TB, text string) []enforce.Event {
	t.Helper()
	var out []enforce.Event
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if strings.HasPrefix(words[0], "tcp://") {
			words = append([]string{""}, words...)
		}
		status, day, exe, address, via := 200, 24, "", "93.184.216.34:443", ""
		for _, w := range words[2:] {
			key, value, ok := strings.Cut(w, "=")
			var err error
			switch {
			case !ok:
				status, err = strconv.Atoi(w)
			case key == "day":
				day, err = strconv.Atoi(value)
			case key == "by":
				exe = value
			case key == "at":
				address = value
			case key == "via":
				via = value
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, led(via, by(exe, day, exchange(words[0], words[1], status, address)))...)
	}
	return out
}

// TestMerge: an archive has a policy, the runs that are merged into it and what
// comes of it; and it comes of it with other line ends, with a byte order mark,
// and without an end of the last line, too.
func TestMerge(t *testing.T) {
	files, err := filepath.Glob("testdata/merge/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var source string
			var runs [][]enforce.Event
			want := -1
			for i, f := range archive.Files {
				switch {
				case f.Name == "policy.yaml":
					source = string(f.Data)
				case strings.HasPrefix(f.Name, "run"):
					runs = append(runs, readRun(t, string(f.Data)))
				case f.Name == "merged.yaml":
					want = i
				}
			}
			got := checkMerge(t, source, runs...)
			if *update {
				archive.Files[want].Data = []byte(got)
			}
			compare(t, file, string(txtar.Format(archive)))
			if got != string(archive.Files[want].Data) {
				t.Errorf("merged:\n%s", got)
			}
			crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
			if again := checkMerge(t, crlf(source), runs...); again != crlf(got) {
				t.Errorf("with CRLF:\n%q", again)
			}
			if again := checkMerge(t, byteOrderMark+source, runs...); again != byteOrderMark+got {
				t.Errorf("with a byte order mark:\n%q", again)
			}
			bare := strings.TrimSuffix(source, "\n")
			if again := checkMerge(t, bare, runs...); strings.TrimSuffix(again, "\n") != strings.TrimSuffix(got, "\n") {
				t.Errorf("without an end of the last line:\n%q", again)
			}
		})
	}
}

// checkMerge merges runs into a policy and checks whatever must hold of the
// result.
func checkMerge(t testing.TB, source string, runs ...[]enforce.Event) string {
	t.Helper()
	before := newBase(t, source)
	m, err := before.merge(runs...)
	if err != nil {
		t.Fatalf("%v\nmerging into\n%s", err, source)
	}
	merged := string(m.Policy)
	after := newBase(t, merged)
	again, err := after.merge(runs...)
	if err != nil {
		t.Fatalf("%v\nmerging again into\n%s", err, merged)
	}
	if !bytes.Equal(again.Policy, m.Policy) {
		t.Fatalf("merging again changes\n%s\ninto\n%s", merged, again.Policy)
	}
	if again.Drift() && !strings.Contains(merged, "more\n# (end") {
		t.Fatalf("drift of %d requests after merging:\n%s", again.Requests, merged)
	}
	checkPermits(t, before, after, m, runs)
	checkMarks(t, before, source, merged)
	checkLines(t, source, merged)
	return merged
}

// checkPermits: what learn would learn passes, unless a rule denies it and that
// is said; and nothing else does that did not before.
func checkPermits(t testing.TB, before, after *base, m *Merged, runs [][]enforce.Event) {
	t.Helper()
	l := New(Options{Registries: before.policy.Registries()})
	said := map[string]bool{}
	for _, d := range m.Denied {
		said[d.Request] = true
	}
	for _, run := range runs {
		for _, ev := range run {
			_ = l.Record(ev)
		}
	}
	events := join(runs...)
	for i, ev := range events {
		k, ok := keyOf(&ev)
		if !ok || !opens(&ev) {
			continue
		}
		kept := l.redirectedTo(k, &ev)
		v := l.judge(kept, l.flows[kept])
		was, now := decideBy(before.policy, before.recognizer, k.request(&ev)), decideBy(after.policy, after.recognizer, k.request(&ev))
		switch {
		case !v.learned && was.Default && !now.Default && now.Action != policy.Deny && v.kind < kindDenied:
			t.Fatalf("%s passes by %s, and nothing may go there\n%s", k.line(), now.Rule, m.Policy)
		case v.learned && now.Default && kept.via != "" && strings.Contains(string(m.Policy), leftText(kept.line())):
			// What redirected there is not learned.
		case v.learned && now.Default:
			t.Fatalf("%s does not pass: %+v\n%s", k.line(), now, m.Policy)
		case v.learned && now.Action == policy.Deny && !said[kept.line()]:
			t.Fatalf("nobody says that %s is denied by %s\n%s", k.line(), now.Rule, m.Policy)
		case v.learned && now.Action != policy.Deny && !dialled(now, events[i+1].Address):
			t.Fatalf("%s passes by %s and is not dialled at %s\n%s", k.line(), now.Rule, events[i+1].Address, m.Policy)
		}
	}
	for _, neighbour := range []string{"/", "/zz", "/lodash/-/lodash-9.9.9.tgz", "/tools/zz.tgz", "/x/y/z"} {
		for host := range hostsOf(l) {
			q := policy.Request{Method: "GET", Scheme: "https", Host: host, Port: 443, Path: neighbour}
			if _, seen := l.flows[key{endpoint: endpoint{"https", host, 443}, method: "GET", path: neighbour}]; seen {
				continue
			}
			r := q
			if d := decideBy(after.policy, after.recognizer, &q); d.Action != policy.Deny && !d.Default && q.Package == "" && decideBy(before.policy, before.recognizer, &r).Default {
				t.Fatalf("%s%s passes by %s and was never seen\n%s", host, neighbour, d.Rule, m.Policy)
			}
		}
	}
}

func dialled(d policy.Decision, address string) bool {
	addr := parseAddress(address)
	return isPublic(addr) || slices.ContainsFunc(d.Networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}

func hostsOf(l *Learner) map[string]bool {
	out := map[string]bool{}
	for k := range l.flows {
		out[k.host] = true
	}
	return out
}

// checkMarks: learned rules are marked as they were seen, and no other line is.
func checkMarks(t testing.TB, before *base, source, merged string) {
	t.Helper()
	lines := strings.Split(merged, "\n")
	for i, line := range strings.Split(source, "\n") {
		text := strings.TrimRight(line, " \t\r")
		bare := withoutMarks(text)
		_, behind, ok := strings.Cut(bare, "  # seen in ")
		isRule := ok && (strings.Contains(line, "- pkg:") || strings.Contains(line, "- host:") || strings.Contains(line, "- package:")) && strings.Contains(behind, " runs, ")
		for len(lines) > 0 && withoutMarks(strings.TrimRight(lines[0], " \t\r")) != bare {
			lines = lines[1:]
		}
		if len(lines) == 0 || !isRule {
			return // what was rewritten is looked at by eye
		}
		marked := unseenMark.MatchString(strings.TrimRight(lines[0], " \t\r"))
		if _, seen := before.usage.seen(i + 1); seen == marked {
			t.Fatalf("line %d: seen %v, and yet %s", i+1, seen, lines[0])
		}
		lines = lines[1:]
	}
}

// checkLines: whatever lines are lost had to be, and nobody's words are among
// them.
func checkLines(t testing.TB, source, merged string) {
	t.Helper()
	if i := strings.Index(source, notLearned); i >= 0 {
		end := strings.Index(source, endOfNotLearned) + len(endOfNotLearned)
		source = strings.TrimRight(source[:i], "\r\n") + "\n" + strings.TrimLeft(source[end:], "\r\n")
	}
	// A comma may be new behind what was the last in brackets.
	bare := func(line string) string {
		return strings.ReplaceAll(withoutMarks(strings.TrimRight(line, " \t\r")), ",", "")
	}
	lines := strings.Split(merged, "\n")
	for line := range strings.SplitSeq(source, "\n") {
		want := bare(line)
		at := slices.IndexFunc(lines, func(l string) bool { return bare(l) == want })
		switch words := strings.Fields(want); {
		case want == "" || strings.ContainsAny(want, "[]{}"):
			// It may be rewritten, and be like another line further down; see TestKept.
		case at >= 0:
			lines = lines[at+1:]
		case len(words) > 0 && strings.Contains(strings.Join(lines, "\n"), words[len(words)-1]) && strings.Contains(source, "registries"):
			// an origin that became the first of a list
		default:
			t.Fatalf("the line %q is lost from\n%s\nto\n%s", line, source, merged)
		}
	}
}

// TestMergeFolded: thousands of paths of one kind are one rule, and those of them
// that the policy permits already are no reason for another.
func TestMergeFolded(t *testing.T) {
	var some, all []enforce.Event
	for i := range 3 * foldAt {
		all = append(all, get(fmt.Sprintf("https://build.example.org/blob/%d", 100_000+i))...)
	}
	some = all[:4*foldAt] // two events each
	merged := checkMerge(t, "version: 1\nallow:\n  - https://a.example.org/x\n", some)
	if want := "over 1000 paths"; !strings.Contains(merged, want) {
		t.Errorf("want %q in\n%s", want, merged)
	}
	if again := checkMerge(t, merged, all); again != merged {
		t.Errorf("more of the same kind makes\n%s", again)
	}
	const covering = "version: 1\nallow:\n  - https://build.example.org/blob/*\n"
	if merged := checkMerge(t, covering, all); merged != covering {
		t.Errorf("what is permitted is added:\n%s", merged)
	}
}

// TestMarking: a rule that lockfiles name is marked by those alone, and by all of
// them.
func TestMarking(t *testing.T) {
	for _, tt := range []struct {
		locked    string
		traffic   bool
		lockfiles []string
		want      bool
	}{
		{"", true, nil, true},
		{"", false, []string{"go.sum"}, false},
		{"go.sum", true, nil, false},
		{"go.sum", true, []string{"go.sum"}, true},
		{"go.sum", false, []string{"yarn.lock", "go.sum"}, true},
		{"go.sum: the checksum database", false, []string{"go.sum"}, true},
		{"go.sum, seen in 1 of 1 run, 1 request", true, []string{"go.sum"}, true},
		{"go.sum; review: not seen", false, []string{"go.sum"}, true},
		{"go.sum, yarn.lock", false, []string{"go.sum"}, false},
		{"go.sum, yarn.lock", false, []string{"yarn.lock", "go.sum"}, true},
		{"go.sum2", false, []string{"go.sum"}, false},
		{"go.sum and more", false, []string{"go.sum"}, false},
		{"a, b.lock, go.sum: x", false, []string{"go.sum", "a, b.lock"}, true},
	} {
		m := marking{traffic: tt.traffic, lockfiles: tt.lockfiles}
		if got := m.is(&learnedRule{locked: tt.locked}); got != tt.want {
			t.Errorf("%q with traffic %v and lockfiles %q: %v, want %v", tt.locked, tt.traffic, tt.lockfiles, got, tt.want)
		}
	}
}
