package learn

import (
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
)

// evidence is what a flow, or a line about several, was seen of. It is the same
// whatever the order in which it was gathered.
type evidence struct {
	requests int
	runs     runSet
	first    day
	// programs are sorted. The slice is shared and never written to.
	programs []string
}

// add joins what was seen of something else to e.
func (e *evidence) add(o *evidence) {
	e.requests += o.requests
	e.runs.join(o.runs)
	e.first = earlier(e.first, o.first)
	for _, name := range o.programs {
		e.programs = withProgram(e.programs, name)
	}
}

// runSet is a set of runs, by their number from 0.
type runSet struct {
	low  uint64   // the first 64
	more []uint64 // those behind them
}

func (s *runSet) add(run int) {
	if run < 64 {
		s.low |= 1 << run
		return
	}
	for len(s.more) < run/64 {
		s.more = append(s.more, 0)
	}
	s.more[run/64-1] |= 1 << (run % 64)
}

func (s *runSet) join(o runSet) {
	s.low |= o.low
	for len(s.more) < len(o.more) {
		s.more = append(s.more, 0)
	}
	for i, word := range o.more {
		s.more[i] |= word
	}
}

func (s *runSet) len() int {
	n := bits.OnesCount64(s.low)
	for _, word := range s.more {
		n += bits.OnesCount64(word)
	}
	return n
}

// day is a day in UTC, from 1 on 1970-01-01. 0 is none.
type day int32

func dayOf(t time.Time) day {
	if t.Unix() < 0 {
		return 0 // the zero time, or nothing that was recorded by a clock
	}
	return day(t.Unix()/secondsOfDay) + 1
}

const secondsOfDay = 24 * 60 * 60

func (d day) String() string {
	return time.Unix(int64(d-1)*secondsOfDay, 0).UTC().Format(time.DateOnly)
}

func earlier(a, b day) day {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// maxPrograms bounds the names that are kept of one flow. The first in the order
// of the alphabet are, so that the order of events does not matter.
const maxPrograms = 32

// withProgram returns names with name among them.
func withProgram(names []string, name string) []string {
	i, known := slices.BinarySearch(names, name)
	if known || i == maxPrograms {
		return names
	}
	grown := slices.Insert(slices.Clone(names), i, name)
	return slices.Clip(grown[:min(len(grown), maxPrograms)])
}

// programOf returns the base name of the program that made the request, or "".
// What could end a comment's word in it is replaced, so that no name passes for
// a part of a comment.
func programOf(ev *enforce.Event) string {
	if ev.Process == nil {
		return ""
	}
	name := strings.TrimSuffix(ev.Process.Exe, " (deleted)") // as Linux marks one
	name = name[strings.LastIndexByte(name, '/')+1:]
	if len(name) > 64 {
		name = name[:64]
	}
	if only(name, "._+-") {
		return name
	}
	return strings.Map(func(r rune) rune {
		if r < 0x80 && only(string(r), "._+-") {
			return r
		}
		return '_'
	}, name)
}
