// Package bundle fetches policy bundles from a bundle server, as OPA does
// (https://www.openpolicyagent.org/docs/management-bundles#bundle-service-api),
// and keeps the last good copy of one where that is asked for.
//
// It must never read what is in a bundle, never take one that did not come over
// HTTPS, and never put a token or an address with secrets in it into an error.
package bundle

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// Timeout bounds one Fetch, its attempts and the pauses between them.
	Timeout = 30 * time.Second
	// attempts is how often a server is asked that cannot be reached.
	attempts = 3
	// redirects is how often a server may send elsewhere.
	redirects = 5
)

// Unavailable is the error where the server could not be asked, or could not
// answer: what a copy from another time may stand in for. That a server refuses,
// has no such bundle, or is not who it should be, is an answer.
type Unavailable struct{ Err error }

func (e *Unavailable) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Unavailable) Unwrap() error { return e.Err }

// NewClient returns a client that verifies servers by roots (nil means the
// system's) and reaches them through the proxies that proxy names (nil: none).
func NewClient(roots *x509.CertPool, proxy func(*url.URL) (*url.URL, error)) *http.Client {
	t := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		// A bundle is a gzip file by itself: it must not be unpacked on the way.
		DisableCompression: true,
		ForceAttemptHTTP2:  true,
		IdleConnTimeout:    30 * time.Second,
	}
	if proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
	}
	return &http.Client{Transport: t, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		switch {
		case r.URL.Scheme != "https":
			return fmt.Errorf("%w, and not over https", errElsewhere)
		case len(via) > redirects:
			return fmt.Errorf("%w again and again", errElsewhere)
		}
		return nil
	}}
}

var errElsewhere = errors.New("the server sends elsewhere")

// Remote is one bundle at a server. Fetch must not be called concurrently.
type Remote struct {
	URL    string
	Client *http.Client
	// Token is sent as a bearer token (RFC 6750), "" for none. A server that sends
	// to another domain does not send the token there.
	Token string
	// MaxBytes is how large a bundle may be.
	MaxBytes int64
	// Pause is how long to wait before asking again a server that cannot be
	// reached, and twice as long the next time.
	Pause time.Duration

	etag string
	data []byte
}

// CheckURL returns an error for a URL that no bundle may come from.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("not a URL") // whose text may hold a secret
	case u.Scheme != "https":
		return fmt.Errorf("a bundle comes over https, not %s", u.Scheme)
	case u.Hostname() == "":
		return errors.New("no host in it")
	case u.User != nil:
		return errors.New("a user and a password in a URL are seen by everyone who lists processes")
	case u.Fragment != "":
		return errors.New("a fragment is no part of a bundle's URL")
	}
	return nil
}

// Fetch returns the bundle as the server has it now. Once it has a copy, it asks
// only whether that is still the one (RFC 9110 section 13.1.2). After an error
// the copy stays, for the next time.
//
// The copy and its ETag are this process's own. Kept on disk, they would let
// whoever can write there answer for the server.
func (r *Remote) Fetch(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	for n := 1; ; n++ {
		err := r.fetch(ctx)
		if err == nil {
			return r.data, nil
		}
		if _, ok := errors.AsType[*Unavailable](err); !ok || n == attempts {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(time.Duration(n) * r.Pause):
		}
	}
}

func (r *Remote) fetch(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return errors.New("not a URL")
	}
	req.Header.Set("User-Agent", "proxaudit")
	req.Header.Set("Prefer", "modes=snapshot")
	if r.Token != "" {
		req.Header.Set("Authorization", "Bearer "+r.Token)
	}
	if r.etag != "" {
		req.Header.Set("If-None-Match", r.etag)
	}
	resp, err := r.Client.Do(req)
	_, impostor := errors.AsType[*tls.CertificateVerificationError](err)
	if impostor || errors.Is(err, errElsewhere) {
		return plain(ctx, err)
	}
	if err != nil {
		return &Unavailable{plain(ctx, err)}
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		if r.data == nil {
			return errors.New("the server answered 304 Not Modified to who has nothing")
		}
		return nil
	default:
		return refusal(resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, r.MaxBytes+1))
	if err == nil {
		// Giving up closes the connection; a server that hears of it may end its
		// answer in order, and that is not the whole.
		err = ctx.Err()
	}
	if err != nil {
		return &Unavailable{plain(ctx, err)}
	}
	if int64(len(data)) > r.MaxBytes {
		return fmt.Errorf("the bundle is larger than %d MiB", r.MaxBytes>>20)
	}
	r.data, r.etag = data, resp.Header.Get("ETag")
	return nil
}

// refusal puts a status into words.
func refusal(status int) error {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	switch {
	case status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout:
		return &Unavailable{errors.New("the server answered " + text)}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return errors.New("the server answered " + text + ": it does not know the token, or there is none")
	case status == http.StatusNotFound:
		return errors.New("the server answered " + text + ": it has no such bundle")
	default:
		return errors.New("the server answered " + text)
	}
}

// plain takes the URL off an error of the client's, and names a deadline.
func plain(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the server took longer than %v", Timeout)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
