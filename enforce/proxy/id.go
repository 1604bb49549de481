package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"
)

// idSource makes event IDs: a random prefix a run, so that the logs of many
// runs can be read together, and a number.
type idSource struct {
	prefix string
	next   *atomic.Uint64
}

func newIDSource() idSource {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand crashes the program instead
	return idSource{prefix: hex.EncodeToString(b[:]) + "-", next: new(atomic.Uint64)}
}

func (s idSource) id() string {
	return s.prefix + strconv.FormatUint(s.next.Add(1), 10)
}
