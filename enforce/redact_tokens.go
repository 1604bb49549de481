package enforce

import "strings"

// token is a kind of secret that can be told by how it begins.
type token struct {
	prefix string
	// tail is how many token characters must follow the prefix at least; it
	// keeps words that begin alike from being taken for secrets.
	tail int
	// plain is true where only letters and digits may follow, as in npm's.
	plain bool
	// word is true where the prefix is so short that it must not stand inside a
	// word.
	word bool
}

// tokens are the prefixes that their issuers document, or that secret scanners
// agree on.
var tokens = byFirst([]token{
	{prefix: "ghp_", tail: 30}, {prefix: "gho_", tail: 30}, {prefix: "ghu_", tail: 30}, // GitHub
	{prefix: "ghs_", tail: 30}, {prefix: "ghr_", tail: 30}, {prefix: "github_pat_", tail: 20},
	{prefix: "glpat-", tail: 16}, {prefix: "gldt-", tail: 16}, {prefix: "glrt-", tail: 16}, // GitLab
	{prefix: "glptt-", tail: 16}, {prefix: "glcbt-", tail: 16}, {prefix: "glsoat-", tail: 16}, {prefix: "glft-", tail: 16},
	{prefix: "npm_", tail: 36, plain: true},
	{prefix: "pypi-AgE", tail: 16},
	{prefix: "rubygems_", tail: 32, plain: true},
	{prefix: "cio", tail: 32, plain: true, word: true}, // crates
	{prefix: "oy2", tail: 43, plain: true, word: true}, // NuGet
	{prefix: "dckr_pat_", tail: 16}, {prefix: "dckr_oat_", tail: 16},
	{prefix: "AKCp", tail: 60, plain: true}, {prefix: "cmVmdGtuO", tail: 40, plain: true}, // Artifactory
	{prefix: "AKIA", tail: 16, plain: true}, {prefix: "ASIA", tail: 16, plain: true}, // AWS
	{prefix: "AIza", tail: 35}, {prefix: "GOCSPX-", tail: 20}, {prefix: "ya29.", tail: 20, word: true}, // Google
	{prefix: "xoxb-", tail: 10}, {prefix: "xoxp-", tail: 10}, {prefix: "xoxa-", tail: 10}, // Slack
	{prefix: "xoxr-", tail: 10}, {prefix: "xoxs-", tail: 10}, {prefix: "xoxe-", tail: 10}, {prefix: "xoxe.", tail: 10},
	{prefix: "xapp-", tail: 10},
	{prefix: "sk_live_", tail: 16}, {prefix: "sk_test_", tail: 16}, {prefix: "rk_live_", tail: 16}, // Stripe
	{prefix: "sk-ant-", tail: 16}, {prefix: "sk-proj-", tail: 16}, {prefix: "sk-", tail: 40, plain: true, word: true},
	{prefix: "hf_", tail: 30, plain: true, word: true},
	{prefix: "hvs.", tail: 20, word: true}, {prefix: "hvb.", tail: 20, word: true}, // Vault
	{prefix: "dop_v1_", tail: 32}, {prefix: "doo_v1_", tail: 32}, // DigitalOcean
	{prefix: "SG.", tail: 20, word: true}, {prefix: "dapi", tail: 32, plain: true, word: true},
	{prefix: "ATATT3", tail: 20}, {prefix: "ATCTT3", tail: 20}, // Atlassian
	{prefix: "pul-", tail: 32, plain: true, word: true}, {prefix: "sntrys_", tail: 20}, {prefix: "glsa_", tail: 20},
	{prefix: "AGE-SECRET-KEY-1", tail: 20},
	{prefix: "eyJ", tail: 8, word: true}, // a JSON Web Token, RFC 7519; see jwtEnd
})

// byFirst sorts kinds by the first byte of their prefix.
func byFirst(kinds []token) *[256][]token {
	var table [256][]token
	for _, k := range kinds {
		table[k.prefix[0]] = append(table[k.prefix[0]], k)
	}
	return &table
}

// tokenEnd returns where the token that begins at s[i] ends, or i where none
// does.
func tokenEnd(s string, i int) int {
	kinds := tokens[s[i]]
	for n := range kinds {
		k := &kinds[n]
		// The second byte sorts out nearly all before anything is compared.
		if i+1 == len(s) || s[i+1] != k.prefix[1] || !strings.HasPrefix(s[i:], k.prefix) || k.word && !wordStart(s, i) {
			continue
		}
		from := i + len(k.prefix)
		end := from
		for end < len(s) && (isAlnum(s[end]) || !k.plain && (s[end] == '_' || s[end] == '-')) {
			end++
		}
		if end-from < k.tail {
			continue
		}
		if k.prefix == "eyJ" {
			return jwtEnd(s, i, end)
		}
		// What follows is taken along: a secret cut short is still a secret.
		for end < len(s) && (isAlnum(s[end]) || strings.IndexByte("_-.", s[end]) >= 0) {
			end++
		}
		return end
	}
	return i
}

// longRun is the length from which encoded JSON is taken for a token whatever
// follows, in bytes. Without a bound, a long run that begins over and over would
// be looked through each time.
const longRun = 1024

// jwtEnd returns the end of the token whose first part is s[i:end]: three parts
// (RFC 7515) or five (RFC 7516), any but the first possibly empty.
func jwtEnd(s string, i, end int) int {
	if long := end-i >= longRun; !long && (end == len(s) || s[end] != '.') {
		return i
	}
	first := min(end, i+longRun)
	for end < len(s) && (isAlnum(s[end]) || strings.IndexByte("_-.", s[end]) >= 0) {
		end++
	}
	if end-first < 8 {
		return i
	}
	return end
}

// wordStart reports whether s[i] does not continue a word. A percent-encoded
// byte or an escape such as \n before it is not part of the word.
func wordStart(s string, i int) bool {
	if i == 0 || !isAlnum(s[i-1]) {
		return true
	}
	return i >= 3 && s[i-3] == '%' || i >= 2 && s[i-2] == '\\'
}

// minRandom is the length from which a value can be called random, in bytes.
const minRandom = 32

// looksRandom reports whether a query value holds a run of at least 32 characters
// that nobody would have typed: keys, signatures and digests in base64, base32 or
// hexadecimal. Words change their kind of letter seldom and have separators;
// random characters change often and have few. It is a guess: it masks a digest
// rather than miss a key.
func looksRandom(v string) bool {
	if len(v) < minRandom {
		return false
	}
	var run struct{ chars, separators, digits, changes, last int }
	for i := 0; i <= len(v); i++ {
		kind := 0
		if i < len(v) {
			kind = kindOf(v[i])
		}
		switch {
		case kind == 0:
			limit := 4
			if run.digits == 0 {
				limit = run.chars * 2 / 5
			}
			if run.chars >= minRandom && run.separators <= run.chars/8 && run.changes >= limit {
				return true
			}
			run.chars, run.separators, run.digits, run.changes, run.last = 0, 0, 0, 0, 0
			continue
		case kind == separator:
			run.separators++
			if v[i] == '%' {
				i += 2
			}
		default:
			if kind == digit {
				run.digits++
			}
			if run.last != 0 && run.last != kind {
				run.changes++
			}
			run.last = kind
		}
		run.chars++
	}
	return false
}

const (
	separator = iota + 1
	digit
	lower
	upper
)

// kindOf returns the kind of a character in an encoded secret, 0 for what ends
// one.
func kindOf(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return digit
	case 'a' <= c && c <= 'z':
		return lower
	case 'A' <= c && c <= 'Z':
		return upper
	case strings.IndexByte("-_+/=~%", c) >= 0:
		return separator
	default:
		return 0
	}
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
