package replay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// maxLine bounds one event, in bytes: two bodies of 64 KiB, and headers.
const maxLine = 4 << 20

// ownRule is how the names of the rules begin by which proxaudit itself refuses.
const ownRule = "proxaudit:"

// Events reads events as JSON lines. It passes on what a decision was made about
// and leaves out what follows from it: responses, answers to name lookups,
// datagrams, changes of policy. The error is one of reading.
func Events(r io.Reader, h Handler) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	var buffer []byte // one for all lines
	for n := 1; ; n++ {
		line, err := readLine(lines, buffer[:0])
		buffer = line
		if err != nil && !errors.Is(err, errLong) && !errors.Is(err, io.EOF) {
			return err
		}
		switch {
		case errors.Is(err, errLong):
			h.Malformed(n, err)
		case len(line) == 0 && errors.Is(err, io.EOF):
			return nil
		default:
			if bad := event(line, h); bad != nil {
				h.Malformed(n, bad)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

var errLong = fmt.Errorf("the line is longer than %d MiB", maxLine>>20)

// readLine appends the next line to the empty line. Of one that is too long the rest is read and
// dropped, and the error is errLong.
func readLine(r *bufio.Reader, line []byte) ([]byte, error) {
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxLine; long {
			line = line[:0]
		} else {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return line, err
		case long:
			return line, errLong
		default:
			return line, err
		}
	}
}

// event passes one line on, if it is about a decision.
func event(line []byte, h Handler) error {
	var ev struct {
		enforce.Event
		Action *policy.Action `json:"action"` // an absent one must not read as a denial
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return errors.New("an empty line")
	}
	if err := json.Unmarshal(line, &ev); err != nil {
		return fmt.Errorf("not an event: %w", err)
	}
	if ev.Schema != enforce.SchemaID {
		return fmt.Errorf("not an event: the schema is %q, want %q", ev.Schema, enforce.SchemaID)
	}
	switch ev.Stage {
	case enforce.StageRequest, enforce.StageConnect, enforce.StageTCP:
		if ev.Action == nil {
			return errors.New("not an event: it has no action")
		}
	case enforce.StageResponse, enforce.StageDNS, enforce.StageUDP, enforce.StagePolicy:
		return nil
	default:
		return fmt.Errorf("not an event: unknown stage %q", string(ev.Stage))
	}
	if ev.Rule == enforce.RuleSilence {
		return nil // nothing was asked yet
	}
	if strings.HasPrefix(ev.Rule, ownRule) {
		h.Request(Recorded{Own: ev.Rule, Action: *ev.Action})
		return nil
	}
	r, err := requestOf(&ev.Event)
	if err != nil {
		return err
	}
	h.Request(Recorded{Request: r, Action: *ev.Action})
	return nil
}

// requestOf returns the request that an event is about. Its query is what was
// recorded, without secrets.
func requestOf(ev *enforce.Event) (*policy.Request, error) {
	r := &policy.Request{Method: ev.Method, Scheme: ev.Scheme, Host: ev.Host, Port: ev.Port, Path: ev.Path, Header: ev.RequestHeader, Process: ev.Process}
	again, err := NewRequest(ev.Method, r.Scheme+"://"+r.Authority()+r.Path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("no request: %w", err)
	case again.Host != r.Host || again.Port != r.Port || again.Path != r.Path:
		return nil, fmt.Errorf("no request: %q is not in canonical form", r.URL())
	}
	if ev.Via != "" {
		via, _, _ := strings.Cut(ev.Via, "?")
		r.Via = []string{via}
	}
	_, r.Query, _ = strings.Cut(ev.URL, "?")
	r.Query, _, _ = strings.Cut(r.Query, "#")
	return r, nil
}
