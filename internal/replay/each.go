package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// Each reads the events of one run as JSON lines and calls f with every one of
// them, responses too, and the number of its line, from 1. It is strict where
// Events passes on: the first line that is no event, is cut off, belongs to
// another run or is an answer to nothing ends it with an error that names the
// line, for what is derived from half a recording looks like the whole. So does
// an error of f, as it is.
//
// The event is valid only during the call.
func Each(r io.Reader, f func(line int, ev *enforce.Event) error) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	seen := newSequence()
	var buffer []byte // one for all lines
	var ev wholeEvent // and for all events
	for n := 1; ; n++ {
		line, err := readLine(lines, buffer[:0])
		buffer = line
		last := errors.Is(err, io.EOF)
		switch {
		case errors.Is(err, errLong):
			return fmt.Errorf("line %d: %w", n, err)
		case err != nil && !last:
			return err
		case last && len(bytes.TrimSpace(line)) == 0:
			return nil
		}
		if err := ev.read(line); err != nil {
			if last {
				err = fmt.Errorf("the recording is cut off here: %w", err)
			}
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := seen.next(&ev.Event); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := f(n, &ev.Event); err != nil {
			return err
		}
		if last {
			return nil
		}
	}
}

// wholeEvent is an event as it stands on a line.
type wholeEvent struct {
	enforce.Event
	Action *policy.Action `json:"action"` // an absent one must not read as a denial
}

// read reads one line as an event. With what is to become encoding/json/v2 it
// is read three times as fast as with encoding/json, and a name that stands in it
// twice is an error.
func (ev *wholeEvent) read(line []byte) error {
	*ev = wholeEvent{}
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return errors.New("an empty line")
	}
	if err := json.Unmarshal(line, ev); err != nil {
		return fmt.Errorf("not an event: %w", err)
	}
	if ev.Schema != enforce.SchemaID {
		return fmt.Errorf("not an event: the schema is %q, want %q", ev.Schema, enforce.SchemaID)
	}
	if ev.Action == nil {
		return errors.New("not an event: it has no action")
	}
	ev.Event.Action = *ev.Action
	switch ev.Stage {
	case enforce.StageRequest, enforce.StageConnect, enforce.StageTCP, enforce.StageResponse, enforce.StageDNS, enforce.StageUDP, enforce.StagePolicy:
		return nil
	default:
		return fmt.Errorf("not an event: unknown stage %q", string(ev.Stage))
	}
}

// maxAsked bounds the requests whose answers are waited for.
const maxAsked = 4 << 20

// sequence knows what must come in order in the events of one run.
type sequence struct {
	seed maphash.Seed
	run  string
	// asked holds the IDs of requests, hashed. More than it holds is not checked.
	asked map[uint64]struct{}
}

func newSequence() *sequence {
	return &sequence{seed: maphash.MakeSeed(), asked: make(map[uint64]struct{})}
}

// next returns an error when ev cannot follow what was before it. The IDs of a
// run are a word of its own, a hyphen, and a number.
func (s *sequence) next(ev *enforce.Event) error {
	if i := strings.LastIndexByte(ev.ID, '-'); i > 0 {
		switch run := ev.ID[:i]; {
		case s.run == "":
			s.run = strings.Clone(run)
		case s.run != run:
			return fmt.Errorf("another run begins here (its IDs begin with %q, not with %q): keep each run in a file of its own", run, s.run)
		}
	}
	id := maphash.String(s.seed, ev.ID)
	switch ev.Stage {
	case enforce.StageRequest, enforce.StageConnect, enforce.StageTCP:
		if len(s.asked) < maxAsked {
			s.asked[id] = struct{}{}
		}
	case enforce.StageResponse:
		if _, ok := s.asked[id]; !ok && len(s.asked) < maxAsked {
			return fmt.Errorf("a response to %q, which is on no line before it: the recording lacks its beginning", ev.ID)
		}
	}
	return nil
}
