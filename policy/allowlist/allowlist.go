// Package allowlist is the YAML policy: lists of rules under allow, deny and
// log, matched by an index that is built once when the file is read.
//
// It must never interpret what a client sent: it compares the canonical strings
// of a policy.Request. It must never accept a file it does not understand in
// full, touch the network, or read the file a second time.
//
// # Precedence
//
// Deny beats allow beats log beats the default; the order of rules never
// matters. Where several rules of the winning list match, the first in the file
// is named, and their networks are joined.
//
// # Patterns
//
// A host is exact, or *.example.org: one label or more below it, not the apex.
// In a path, * stands for any run of characters within one segment, possibly
// empty, and never for "/" or the encoded slash "%2F"; ** stands for any run
// whatever. A pattern matches the whole path: /a/** covers what is below /a/,
// and neither /a nor /ab. Literal parts are canonicalised as paths are, so %2A
// is a star that is meant, and %7B a brace.
//
// A word in braces stands for a text of its type, anywhere in a segment, and for
// nothing else: {version} (v4, 1.2, v1.2.3-rc.1; at most 64 bytes), {int} (1 to 20
// digits), {sha} (32, 40, 56, 64, 96 or 128 hexadecimal digits), {uuid}, and {date}
// (2026-11-24, 20261124, 2026.11.24 or 2026_11_24, a day that there is). None of
// them holds a slash or anything that is percent-encoded, so /a/{int} covers /a/5,
// and neither /a/5/6 nor /a/5%2F6. Where a segment may be taken apart in several
// ways, one that fits is enough.
//
// A URL without a path, as in GET https://h, is a rule for every path; GET
// https://h/ is a rule for the root alone.
//
// # Queries and header fields
//
// A rule with query covers, under allow and log, a query that holds what is
// listed and nothing else; see matchesQuery. A rule with headers covers requests
// whose fields of those names have these values; other fields do not matter.
//
// # Redirects
//
// A rule with via covers only requests whose exact URL, the query included, an
// earlier request of the run was redirected to, and only where the URL of that
// request, without its query, matches a pattern of via; see matchesVia. It is no
// key of a deny rule: what is denied must not depend on the way there.
//
// # Versions
//
// A package's version is one version, a word with stars, or a range: comparators
// in every ecosystem (">=4.17.21 <5"), or what the ecosystem itself writes ("^4",
// "~=2.1", "~> 1.2", "[1.0,2.0)"), in that ecosystem's order. An image's version is
// a tag or a digest; under allow and log a rule for tags covers the digests of its
// repository as well, to which a tag leads.
//
// # Dates
//
// A rule with expires holds to the end of that day, in UTC. Then an allow or log
// rule matches nothing any more, and a deny rule still denies: what a policy lets
// through becomes less by time alone, never more. See Policy.Expired.
//
// # Deny rules compare loosely
//
// So that no respelling slips past them, paths in deny rules are compared with
// the path as it is and with a loosened one: every percent-encoding undone,
// parameters (";v=1") cut off each segment, repeated slashes made one, a
// trailing slash ignored. Their methods are compared without regard to case.
// A request that carries a header by which some servers replace the method or
// the path (see overrides) is taken to match every method, or every path, of a
// deny rule, and matches no allow or log rule at all. So is a POST with a query by
// which some replace the method (see hasMethodParameter), but for allow and log
// rules whose query lists that parameter.
package allowlist

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// maxSize bounds a policy file, in bytes.
const maxSize = 10 << 20

// Policy is a file that was read without mistakes. It is immutable and safe for
// concurrent use. The zero value denies everything.
type Policy struct {
	fallback   policy.Action
	registries map[string][]string
	hash       string
	index      index
	file       string
	expiries   []*expiry
	clock      func() time.Time // time.Now, but for a test
	// source is what was read, for Explain.
	source []byte
	// lines are the rules of a policy that was never a file, see FromLines.
	lines []*rule
}

// Load reads the file at path, once. The error is a Mistakes.
func Load(path string) (*Policy, error) {
	data, err := read(path)
	if err != nil {
		return nil, Mistakes{{
			File: path, Message: "cannot read the policy: " + reason(err),
			Hint: "nothing runs without the policy that was asked for; check the path",
		}}
	}
	return Parse(path, data)
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}

// reason drops the path from a file error: the mistake names it already.
func reason(err error) string {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

// Parse reads data as a policy. Mistakes name the file as name says; rules are
// named by its last element and their line. The error is a Mistakes that holds
// every mistake of the file, in order.
func Parse(name string, data []byte) (pol *Policy, err error) {
	defer func() {
		// The YAML reader has panicked on hostile input before (CVE-2022-28948).
		if r := recover(); r != nil {
			pol, err = nil, Mistakes{{File: name, Message: fmt.Sprintf("cannot be read as YAML: %v", r)}}
		}
	}()
	p := newParser(name, data)
	doc := p.document()
	if len(p.mistakes) > 0 {
		return nil, p.sorted()
	}
	sum := sha256.Sum256(data)
	return &Policy{
		fallback:   doc.fallback,
		registries: doc.registries,
		hash:       "sha256:" + hex.EncodeToString(sum[:]),
		index:      newIndex(doc.rules),
		file:       name,
		expiries:   expiries(doc.rules),
		clock:      time.Now,
		source:     data,
	}, nil
}

// Registries returns where packages may come from: for each ecosystem, by its
// purl type, base URLs in canonical form, each ending with a slash.
func (p *Policy) Registries() map[string][]string {
	out := make(map[string][]string, len(p.registries))
	for ecosystem, urls := range p.registries {
		out[ecosystem] = slices.Clone(urls)
	}
	return out
}

// Default returns what becomes of a request that no rule matches.
func (p *Policy) Default() policy.Action { return p.fallback }

// Hash returns "sha256:" and the digest of the bytes that were read, in
// hexadecimal.
func (p *Policy) Hash() string { return p.hash }
