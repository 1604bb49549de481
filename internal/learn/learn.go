// Package learn writes a policy from the events of one run or of several: what
// was read from package registries as packages, everything else by host, method
// and path, and on each line the evidence for it.
//
// It must never widen what it saw to a host or a directory that nobody asked
// for, never learn what was denied, failed or smells of exfiltration, never let
// a secret or a byte from the wire that YAML or a terminal would act on into
// the policy, and never grow without bound. The same requests give the same
// bytes, in whatever order they and the runs came.
package learn

import (
	"net/netip"
	"sync"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/internal/lockfile"
	"github.com/juliendoutre/proxaudit/policy"
)

const (
	// defaultMaxRequests is how many distinct requests are kept. A policy of more
	// lines than that is read by nobody.
	defaultMaxRequests = 100_000
	// maxKeyBytes bounds the hosts and paths that are kept, in bytes.
	maxKeyBytes = 64 << 20
	// maxAddresses bounds the addresses that are kept, over all hosts.
	maxAddresses = 10_000
)

// Options say what a Learner cannot see in events. The zero value is usable.
type Options struct {
	// Command is what was run, for the policy's first lines; secrets in it are
	// masked.
	Command []string
	// Recordings are the names of the files that were learned from instead.
	Recordings []string
	// Version is proxaudit's own.
	Version string
	// Registries are known to be ones, from the configuration of the run's
	// clients. Those that no package was read from are left out.
	Registries ecosystem.Registries
	// Existing is the policy that what is learned will be merged into, nil where
	// there is none. What a rule of it decides is not learned.
	Existing Base
	// Lockfiles name packages that are to be allowed besides what is seen.
	// Registries that they need are in the policy though nothing was read there.
	Lockfiles []*lockfile.Lockfile
	// MaxRequests is how many distinct requests are kept, 100,000 when 0.
	MaxRequests int
}

// Learner collects events and writes a policy. It is an enforce.Recorder, and
// safe for concurrent use. Its memory is bounded by the number of distinct
// requests, not by the number of events.
type Learner struct {
	options Options
	lists   *lists
	// maxPolicy is the constant, but for a test.
	maxPolicy int

	mu        sync.Mutex
	run       int // from 0
	last      day // of any event
	flows     map[key]*flow
	folded    map[key]*folded     // by family
	programs  map[string][]string // each name that was met, alone in a list
	addresses map[endpoint]map[netip.Addr]struct{}
	public    string // the last that was dialled and that no rule need name
	keyBytes  int
	addrCount int
	overflow  bool
	usage     usage
	unplaced  []*lockfile.Lockfile // by the last draft
}

// New returns a Learner that has seen nothing.
func New(o Options) *Learner {
	if o.MaxRequests <= 0 {
		o.MaxRequests = defaultMaxRequests
	}
	return &Learner{
		options:   o,
		lists:     newLists(),
		maxPolicy: maxPolicy,
		flows:     make(map[key]*flow),
		folded:    make(map[key]*folded),
		programs:  make(map[string][]string),
		addresses: make(map[endpoint]map[netip.Addr]struct{}),
		usage:     newUsage(),
	}
}

// Record takes ev into account. It always returns nil: what is too much to keep
// is reported by WritePolicy, and must not stop a run that blocks nothing.
//
// An event that follows up on another one repeats its request, so events are
// joined by what they are about, and their order does not matter.
func (l *Learner) Record(ev enforce.Event) error {
	k, ok := keyOf(&ev)
	if !ok {
		return nil
	}
	var asked *policy.Request
	var d policy.Decision
	if l.options.Existing != nil && opens(&ev) {
		asked = k.request(&ev)
		d = l.options.Existing.Decide(asked)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = max(l.last, dayOf(ev.Time))
	k = l.redirectedTo(k, &ev)
	if asked != nil {
		l.usage.add(l.options.Existing, asked, dayOf(ev.Time))
	}
	if f := l.flow(k); f != nil {
		f.take(&ev, l.run)
		if asked != nil {
			f.answers.add(d)
		}
		l.program(f, programOf(&ev))
	}
	l.address(k.endpoint, ev.Address)
	return nil
}

// NextRun says that what follows belongs to another run. It is not called before
// the first.
func (l *Learner) NextRun() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run++
}

var _ enforce.Recorder = (*Learner)(nil)
