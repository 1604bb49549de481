package report

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
)

// follow takes in what came of a request or a connection that was let pass.
func (s *Summary) follow(ev enforce.Event) {
	if ev.Error == "" && ev.Status < 500 {
		return
	}
	s.failures++
	if ev.Error == "" {
		ev.Failure = strings.TrimSpace(fmt.Sprintf("the server answered %d %s", ev.Status, http.StatusText(ev.Status)))
	}
	s.failed.add(failureKey(&ev), ev)
}

// failureKey is one for all failures of a kind that a program met at a server: a
// build that tries a hundred files asks one question.
func failureKey(ev *enforce.Event) string {
	exe := ""
	if ev.Process != nil {
		exe = ev.Process.Exe
	}
	return strings.Join([]string{ev.Host, strconv.Itoa(int(ev.Port)), cmp.Or(ev.Failure, ev.Error), ev.Hint, exe}, "\x00")
}

// failuresTo prints what failed though nothing refused it, and apart from it the
// connections that the client itself ended.
func (s *Summary) failuresTo(b *strings.Builder) {
	verb := "failed"
	if s.Mode == enforce.Enforce {
		verb = "failed, though allowed"
	}
	var suspected findings
	if s.CommandFailed {
		suspected = s.suspected
	}
	for _, v := range []struct {
		verb string
		findings
	}{{verb, s.failed}, {"refused by the client", s.untrusted}, {"perhaps refused by the client", suspected}} {
		for _, one := range v.shown() {
			ev := one.event
			one.head(b, v.verb, net.JoinHostPort(ev.Host, strconv.Itoa(int(ev.Port))))
			field(b, "what", cmp.Or(ev.Failure, ev.Error))
			if what := strings.TrimSpace(ev.Method + " " + ev.URL); ev.Stage == enforce.StageResponse {
				field(b, "as in", what)
			}
			if ev.Failure != "" {
				field(b, "error", ev.Error)
			}
			askedBy(b, ev.Process)
			field(b, "what to do", ev.Hint)
		}
		v.rest(b, v.verb)
	}
}
