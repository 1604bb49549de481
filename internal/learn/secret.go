package learn

import (
	"net/url"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
)

// redacted is what stands in an event where enforce found a secret.
const redacted = "REDACTED"

// mask replaces each segment of a path that looks like a secret, or in which one
// was redacted already, by a star.
func mask(path string) (masked string, any bool) { return maskBut(path, nil) }

// maskBut leaves segments that are known to be no secrets.
func maskBut(path string, known func(segment string) bool) (masked string, any bool) {
	segments := strings.Split(enforce.RedactURL(path), "/")
	for i, s := range segments {
		if strings.Contains(s, redacted) || isRandom(s) && (known == nil || !known(s)) {
			segments[i], any = "*", true
		}
	}
	if !any {
		return path, false
	}
	return strings.Join(segments, "/"), true
}

// minSecret is the length from which a word can be called random, in bytes.
const minSecret = 24

// isRandom reports whether a segment holds a word that nobody would have typed
// and that is not a digest. It is a guess that masks rather than misses: a mask
// is seen by whoever reviews the policy, a secret in it may not be.
func isRandom(segment string) bool {
	if s, err := url.PathUnescape(segment); err == nil {
		segment = s
	}
	for word := range strings.FieldsFuncSeq(segment, func(r rune) bool { return !isTokenRune(r) }) {
		if len(word) >= minSecret && isRandomWord(word) {
			return true
		}
	}
	return false
}

func isTokenRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		r == '-' || r == '_' || r == '+' || r == '/' || r == '='
}

// isRandomWord looks at how often the kind of character changes: in random text
// nearly always, in names seldom.
func isRandomWord(word string) bool {
	if isHex(word) {
		return len(word) >= 32 && !isDigest(word)
	}
	if isUUID(word) {
		return false
	}
	var count [4]int
	changes, previous := 0, 0
	for i := range len(word) {
		kind := kindOf(word[i])
		count[kind]++
		if kind != 0 && previous != 0 && kind != previous {
			changes++
		}
		if kind != 0 {
			previous = kind
		}
	}
	if count[0] > len(word)/8 {
		return false // a name in parts
	}
	const digit, lower, upper = 1, 2, 3
	switch {
	case count[upper] > 0 && count[lower] > 0 && count[digit] > 0:
		return changes*5 >= len(word)*2
	case count[digit] > 0:
		return len(word) >= 32 && changes*4 >= len(word) && !isNixHash(word)
	default:
		return len(word) >= 32 && changes*5 >= len(word)*2
	}
}

func kindOf(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return 1
	case 'a' <= c && c <= 'z':
		return 2
	case 'A' <= c && c <= 'Z':
		return 3
	default:
		return 0
	}
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// isDigest knows the lengths of SHA-1, SHA-2 and SHA-3 digests in hexadecimal,
// and of PyPI's BLAKE2 directories. MD5's is that of too many keys.
func isDigest(hex string) bool {
	switch len(hex) {
	case 40, 56, 60, 64, 96, 128:
		return true
	}
	return false
}

// isUUID knows the form of RFC 9562: an identifier, which is no secret by itself.
func isUUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		isHex(strings.ReplaceAll(s, "-", ""))
}

// isNixHash knows the digests in Nix's base 32.
func isNixHash(s string) bool {
	return (len(s) == 32 || len(s) == 52) && strings.Trim(s, "0123456789abcdfghijklmnpqrsvwxyz") == ""
}
