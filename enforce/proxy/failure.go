package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/dialguard"
)

// failed records why an allowed request got no response and answers the client:
// 400 for content that is malformed, 403 for an address that may not be dialled,
// 503 where too much is under way, 504 for a timeout, else 502.
func (p *Proxy) failed(r *http.Request, x *exchange, err error) *http.Response {
	if refused := (*dialguard.Refused)(nil); errors.As(err, &refused) {
		ev := p.responseEvent(x, http.StatusForbidden, nil)
		ev.Stage = enforce.StageConnect
		x.verdict = p.Gate.Settle(ev, refusedAddress(refused))
		x.event.Rule, x.event.Reason, x.event.Allow = ev.Rule, ev.Reason, ""
		return denial(r, http.StatusForbidden, p.denialText(x))
	}
	status := http.StatusBadGateway
	var timeout net.Error
	bad := malformedBy(r)
	switch {
	case bad != nil:
		status, err = http.StatusBadRequest, bad
	case errors.Is(err, errBusy):
		status = http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusGatewayTimeout
	}
	ev := p.responseEvent(x, status, nil)
	tellFailure(ev, err)
	p.recordResponse(ev)
	resp := denial(r, status, failureText(x.request.Method+" "+enforce.RedactURL(x.request.URL()), ev))
	if status == http.StatusServiceUnavailable {
		resp.Header.Set("Retry-After", "1")
	}
	return resp
}

// tellFailure writes into ev why what was allowed did not complete.
func tellFailure(ev *enforce.Event, err error) {
	d := diagnose(err, newTarget(ev.Host, ev.Port).authority(ev.Scheme))
	ev.Error, ev.Failure, ev.Hint = enforce.RedactText(err.Error()), d.what, d.step
}

// failureText tells the client of a failure that ev has.
func failureText(what string, ev *enforce.Event) string {
	text := fmt.Sprintf("proxaudit: allowed, but failed: %s\nreason: %s\n", enforce.Printable(what), enforce.Printable(ev.Error))
	if ev.Hint != "" {
		text += "what to do: " + enforce.Printable(ev.Hint) + "\n"
	}
	return text
}
