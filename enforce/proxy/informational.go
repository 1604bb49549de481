package proxy

import (
	"maps"
	"net/http"
	"net/textproto"
	"sync"
)

// informer passes 1xx responses on to the client while the final one is awaited.
type informer struct {
	mu   sync.Mutex
	w    http.ResponseWriter // nil before and after
	none bool                // the client takes none
}

// begin lets w be written to until end.
func (i *informer) begin(w http.ResponseWriter, r *http.Request) {
	// RFC 9110 section 15.2: never to an HTTP/1.0 client. And net/http itself
	// writes 100 (Continue) when the body is first read, maybe at this moment.
	i.none = !r.ProtoAtLeast(1, 1) || len(r.Header["Expect"]) > 0
	i.w = w
}

// end waits for a response that is being passed on: the transport may read one
// after it gave up.
func (i *informer) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.w = nil
}

// got is httptrace.ClientTrace.Got1xxResponse.
func (i *informer) got(code int, header textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.w == nil || i.none || code == http.StatusContinue || code == http.StatusSwitchingProtocols {
		return nil
	}
	h := i.w.Header()
	maps.Copy(h, header)
	stripResponse(h, false)
	i.w.WriteHeader(code)
	clear(h)
	return nil
}
