// Package report turns a run's events into something to read. One file a
// format.
//
// It must never print a byte from the wire that a terminal or a report format
// would act on, and must never need more memory for a longer run.
package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// How much a summary remembers and shows. What is remembered bounds the memory
// that a hostile command can make it use.
const (
	maxRemembered = 10_000
	maxShown      = 20
)

// Summary counts a run's events and prints the end-of-run summary. Record is
// safe for concurrent use.
type Summary struct {
	// Mode and Isolation head the summary; Advisory adds what that means.
	Mode      enforce.Mode
	Isolation string
	Advisory  bool
	// Weaknesses are what the user asked for that opens the confinement, each with
	// what it means.
	Weaknesses []string
	// PolicyName is the file that denials tell the user to edit.
	PolicyName string
	// CommandFailed adds what is told only where somebody looks for a reason.
	CommandFailed bool

	mu       sync.Mutex
	requests int
	failures int
	distrust int // connections that a client ended rather than be decrypted
	blocked  int
	hosts    tally
	packages tally
	// datagrams were refused, which is no denial of the policy's: clients fall
	// back to TCP.
	datagrams tally
	denials   findings
	logged    findings
	failed    findings
	untrusted findings
	suspected findings // of the same, by clients that do not say so
}

// tally counts occurrences of up to maxRemembered names.
type tally struct {
	count map[string]int
	lost  bool // more names than are remembered
}

func (t *tally) add(name string) {
	if t.count == nil {
		t.count = map[string]int{}
	}
	if _, known := t.count[name]; !known && len(t.count) >= maxRemembered {
		t.lost = true
		return
	}
	t.count[name]++
}

// say counts n of t's names, and says where that is not all.
func (t *tally) say(n int, noun string) string {
	if t.lost {
		return "more than " + count(n, noun)
	}
	return count(n, noun)
}

// byCount lists the names, the most frequent first.
func (t *tally) byCount() []string {
	names := slices.SortedFunc(maps.Keys(t.count), func(x, y string) int {
		return cmp.Or(cmp.Compare(t.count[y], t.count[x]), cmp.Compare(x, y))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%6d  %s", t.count[name], name)
	}
	return names
}

// packages lists purls, without those whose versions are listed: metadata is
// read before a version is.
func (t *tally) packages() []string {
	versioned := map[string]bool{}
	for purl := range t.count {
		if name, _, ok := strings.Cut(purl[strings.LastIndexByte(purl, '/')+1:], "@"); ok {
			versioned[purl[:strings.LastIndexByte(purl, '/')+1]+name] = true
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(t.count)), func(purl string) bool { return versioned[purl] })
}

// Record implements enforce.Recorder; it never fails.
func (s *Summary) Record(ev enforce.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch ev.Stage {
	case enforce.StageResponse:
		s.follow(ev)
		return nil
	case enforce.StageDNS, enforce.StagePolicy:
		return nil // it decides nothing
	case enforce.StageUDP:
		s.datagrams.add(net.JoinHostPort(ev.Host, strconv.Itoa(int(ev.Port))))
		return nil
	}
	if ev.Host != "" {
		s.hosts.add(ev.Host)
	}
	if ev.Rule == enforce.RuleSilence {
		if ev.Failure != "" {
			s.suspected.add(failureKey(&ev), ev)
		}
		return nil // nothing was asked yet
	}
	if ev.Stage != enforce.StageConnect || !ev.Blocked {
		s.requests++
	}
	if ev.Rule == enforce.RuleTLS {
		s.distrust++
		s.untrusted.add(failureKey(&ev), ev)
		return nil
	}
	if ev.Blocked {
		s.blocked++
	} else if ev.Package != "" {
		s.packages.add(ev.Package)
	}
	switch ev.Action {
	case policy.Deny:
		s.denials.add(decisionKey(&ev), ev)
	case policy.Log:
		if ev.Rule != "" {
			s.logged.add(decisionKey(&ev), ev)
		}
	}
	return nil
}

// Blocked returns how many requests and connections did not pass, whether the
// policy refused them or a client that would not be decrypted ended them.
func (s *Summary) Blocked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Mode != enforce.Enforce {
		return s.blocked
	}
	return s.blocked + s.distrust
}

func decisionKey(ev *enforce.Event) string {
	return ev.Method + " " + ev.URL + " " + ev.Rule + " " + ev.Reason
}

// WriteTo prints the summary.
func (s *Summary) WriteTo(w io.Writer) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	packages := s.packages.packages()
	s.head(&b, len(packages))
	verb := "denied"
	if s.Mode != enforce.Enforce {
		verb = "would be denied"
	}
	s.findings(&b, verb, s.denials)
	s.failuresTo(&b)
	s.findings(&b, "to review", s.logged)
	list(&b, "hosts", s.hosts.byCount())
	list(&b, "packages", packages)
	list(&b, "UDP refused", s.datagrams.byCount())
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (s *Summary) head(b *strings.Builder, packages int) {
	fmt.Fprintf(b, "proxaudit: %s: %s, %s, %s", s.Mode, count(s.requests, "request"),
		s.hosts.say(len(s.hosts.count), "host"), s.packages.say(packages, "package"))
	if s.failures > 0 {
		fmt.Fprintf(b, ", %d failed", s.failures)
	}
	if s.distrust > 0 {
		fmt.Fprintf(b, ", %d refused by the client", s.distrust)
	}
	fmt.Fprintf(b, ", %d denied\n", s.blocked)
	if s.Advisory {
		fmt.Fprintf(b, "proxaudit: isolation %s is advisory: a program that ignores proxy variables was neither seen nor stopped\n", s.Isolation)
	}
	for _, w := range s.Weaknesses {
		fmt.Fprintf(b, "proxaudit: weakened: %s\n", enforce.Printable(w))
	}
}

func list(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "  %s:\n", title)
	for _, line := range lines[:min(len(lines), maxShown)] {
		fmt.Fprintf(b, "    %s\n", enforce.Printable(line))
	}
	if more := len(lines) - maxShown; more > 0 {
		fmt.Fprintf(b, "    and %d more; -output FILE keeps them all\n", more)
	}
}

// findings prints each denial, or each request to review, with what to do.
func (s *Summary) findings(b *strings.Builder, verb string, f findings) {
	for _, one := range f.shown() {
		ev := one.event
		one.head(b, verb, strings.TrimSpace(ev.Method+" "+ev.URL))
		field(b, "reason", ev.Reason)
		field(b, "rule", ev.Rule)
		askedBy(b, ev.Process)
		if ev.Allow != "" {
			field(b, fmt.Sprintf("to allow it, add under \"allow:\" in %s", cmp.Or(s.PolicyName, "a policy")), ev.Allow)
		}
	}
	f.rest(b, verb)
}

func askedBy(b *strings.Builder, who *policy.Process) {
	if who != nil {
		field(b, "asked by", fmt.Sprintf("%s (pid %d)", cmp.Or(strings.Join(who.Argv, " "), who.Exe), who.PID))
	}
}

func field(b *strings.Builder, name, value string) {
	if value != "" {
		fmt.Fprintf(b, "  %s: %s\n", name, enforce.Printable(value))
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
