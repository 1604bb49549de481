package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"github.com/juliendoutre/proxaudit/internal/bundle"
	"github.com/juliendoutre/proxaudit/policy/rego"
)

// remotePause is how long a bundle server that cannot be reached is left alone.
const remotePause = 500 * time.Millisecond

// remoteEvery is how often -server asks a bundle server for something new, at
// least; at most it waits twice as long, so that not all of them ask at once.
const remoteEvery = time.Minute

// remotes are the bundles that come from servers.
type remotes struct {
	// client is made when the first one is asked for: it needs the roots parsed.
	client func() *http.Client
	warn   func(string)
	pause  time.Duration
	every  time.Duration
	byURL  map[string]*remoteBundle
}

// remoteBundle is one bundle as it was fetched last.
type remoteBundle struct {
	bundle.Remote
	data []byte
	err  error // of the last attempt
	next time.Time
}

func newRemotes(client func() *http.Client, warn func(string)) *remotes {
	return &remotes{client: client, warn: warn, pause: remotePause, every: remoteEvery, byURL: map[string]*remoteBundle{}}
}

// fetch fetches what is due, and returns the bundle as it was fetched last.
func (r *remotes) fetch(ctx context.Context, url, token string) *remoteBundle {
	b := r.byURL[url]
	if b == nil {
		b = &remoteBundle{Remote: bundle.Remote{URL: url, Client: r.client(), Token: token, MaxBytes: rego.MaxBytes, Pause: r.pause}}
		r.byURL[url] = b
	}
	if time.Now().Before(b.next) {
		return b
	}
	b.data, b.err = b.Fetch(ctx)
	b.next = time.Now().Add(r.every + rand.N(r.every))
	return b
}

// digest returns the digest of the bundle at url, once it has been fetched.
func (r *remotes) digest(ctx context.Context, url string) (string, error) {
	b := r.byURL[url]
	if b == nil {
		return "", errors.New("not fetched")
	}
	if b = r.fetch(ctx, url, b.Token); b.err != nil {
		return "", remoteError(url, b.err)
	}
	sum := sha256.Sum256(b.data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// readRemote loads the bundle at url. Where its server cannot be asked, the copy
// in -policy-cache stands in, if it was ever signed by the key.
func (l *policyLoader) readRemote(ctx context.Context, url string) (hashed, error) {
	cache := bundle.Cache{Dir: l.policyCache}
	b := l.remotes.fetch(ctx, url, l.token(url))
	data, err := b.data, b.err
	if _, ok := errors.AsType[*bundle.Unavailable](err); ok && l.policyCache != "" {
		kept, written, cerr := cache.Kept(url, rego.MaxBytes)
		if cerr != nil {
			return nil, remoteError(url, fmt.Errorf("%w; and -policy-cache has no copy: %w", err, cerr))
		}
		l.remotes.warn(fmt.Sprintf("%s: %v; going on with the copy of %s in %s", shown(url), err, written.UTC().Format(time.DateTime+" MST"), l.policyCache))
		return l.rego.LoadBundle(ctx, shown(url), kept)
	}
	if err != nil {
		return nil, remoteError(url, err)
	}
	p, err := l.rego.LoadBundle(ctx, shown(url), data)
	if err != nil {
		return nil, err
	}
	if l.policyCache != "" {
		if err := cache.Keep(url, data); err != nil {
			return nil, fail("-policy-cache takes a folder that can be written to", err)
		}
	}
	return p, nil
}

func remoteError(url string, err error) error {
	return fail("nothing runs without the policy that was asked for; -policy-cache DIR keeps a signed bundle for when its server cannot be reached", fmt.Errorf("fetching the policy %s: %w", shown(url), err))
}

// token returns the bearer token for a bundle server.
func (l *policyLoader) token(url string) string {
	for _, floor := range l.floors {
		if floor == url {
			return os.Getenv(floorTokenVar)
		}
	}
	return os.Getenv(policyTokenVar)
}
