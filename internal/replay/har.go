package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// maxEntry bounds one entry of an archive, in bytes: what came back is part of it.
const maxEntry = 64 << 20

// harEntry is the part of an entry that can be asked about, of HAR 1.2
// (http://www.softwareishard.com/blog/har-12-spec/).
type harEntry struct {
	Request *struct {
		Method  string `json:"method"`
		URL     string `json:"url"`
		Headers []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"headers"`
	} `json:"request"`
	Response struct {
		Status   int    `json:"status"`
		Location string `json:"redirectURL"`
	} `json:"response"`
}

// HAR reads an HTTP archive, one entry at a time. Its requests were made, and so
// count as forwarded. The error is one of reading, or of what is no archive.
func HAR(r io.Reader, h Handler) error {
	limited := &limitReader{r: r, left: maxEntry}
	d := json.NewDecoder(limited)
	for _, key := range []string{"log", "entries"} {
		if err := enter(d, key); err != nil {
			return fmt.Errorf("not an HTTP archive: %w", err)
		}
	}
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errors.Join(errors.New("not an HTTP archive: log.entries is no list"), err)
	}
	led := redirects{}
	for n := 1; d.More(); n++ {
		limited.left = maxEntry
		var e harEntry
		err := d.Decode(&e)
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			h.Malformed(n, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("reading entry %d: %w", n, err)
		}
		request, err := e.request()
		if err != nil {
			h.Malformed(n, err)
			continue
		}
		request.Via = led[request.URL()]
		led.note(&e, request)
		h.Request(Recorded{Request: request, Action: policy.Allow})
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("reading the end of log.entries: %w", err)
	}
	return nil
}

// enter goes into the object that begins, up to the value of key.
func enter(d *json.Decoder, key string) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(fmt.Errorf("no object with %q", key), err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if name == key {
			return nil
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
	}
	return fmt.Errorf("no %q", key)
}

func (e *harEntry) request() (*policy.Request, error) {
	if e.Request == nil {
		return nil, errors.New("the entry has no request")
	}
	r, err := NewRequest(e.Request.Method, e.Request.URL)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	for _, f := range e.Request.Headers {
		if len(f.Name) > 0 && f.Name[0] != ':' { // HTTP/2's are in the URL
			header.Add(f.Name, f.Value)
		}
	}
	r.Header = header
	return r, nil
}

// redirects are the URLs that redirected to each URL of an archive. Of an entry
// that is none, nothing is kept.
type redirects map[string][]string

// maxRedirects bounds how many are kept, and maxRedirectors how many for one URL.
const (
	maxRedirects   = 10_000
	maxRedirectors = 8
)

// note keeps where the answer to a request led. A reference that is neither a URL
// nor a whole path is left aside: what it leads to then counts as not led to.
func (rs redirects) note(e *harEntry, r *policy.Request) {
	switch e.Response.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return
	}
	location := e.Response.Location
	if strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//") {
		location = r.Scheme + "://" + r.Authority() + location
	}
	target, err := NewRequest(http.MethodGet, location)
	from := *r
	from.Query = ""
	if err != nil || len(rs) >= maxRedirects || slices.Contains(rs[target.URL()], from.URL()) {
		return
	}
	// Those that came last count, as in a run.
	known := rs[target.URL()]
	rs[target.URL()] = append(known[max(0, len(known)-maxRedirectors+1):], from.URL())
}

// limitReader fails once more is read than left, which is set anew for each entry.
type limitReader struct {
	r    io.Reader
	left int
}

func (l *limitReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("it is larger than %d MiB", maxEntry>>20)
	}
	n, err := l.r.Read(p)
	l.left -= n
	return n, err
}
