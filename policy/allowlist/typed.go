package allowlist

import (
	"math/bits"
	"slices"
	"strings"
)

// partKind is what a part of a path pattern stands for. The zero kind is *.
type partKind uint8

const (
	kindStar partKind = iota
	kindDeep          // **

	// From here on in the order of typedNames.
	kindVersion
	kindInt
	kindSHA
	kindUUID
	kindDate
)

// typedNames is the table of the words that may stand in braces. What they stand
// for is made of characters that have one spelling in a path: a typed part never
// holds a slash, plain or encoded, nor any other escape.
func typedNames() []string { return []string{"version", "int", "sha", "uuid", "date"} }

// kindNamed returns the kind of a word in braces.
func kindNamed(word string) (partKind, bool) {
	i := slices.Index(typedNames(), word)
	return kindVersion + partKind(i), i >= 0
}

// readTyped reads the word in braces at i.
func readTyped(text string, i int) (partKind, *fault) {
	const meant = " (a brace that is meant is written %7B)"
	rest := text[i+1:]
	end := strings.IndexAny(rest, "}/{*")
	if end < 0 || rest[end] != '}' {
		word := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))]
		return 0, &fault{i, "a brace that is not closed", "write } behind the word; " + suggestion(word, typedNames()) + meant}
	}
	k, ok := kindNamed(rest[:end])
	if !ok {
		return 0, &fault{i, "unknown type " + quoted(text[i:i+end+2]) + " in a path", suggestion(rest[:end], typedNames()) + meant}
	}
	return k, nil
}

// typed reports whether the part is a word in braces.
func (k partKind) typed() bool { return k >= kindVersion }

// String returns the part as it is written in a pattern.
func (k partKind) String() string {
	switch k {
	case kindStar:
		return "*"
	case kindDeep:
		return "**"
	default:
		return "{" + typedNames()[k-kindVersion] + "}"
	}
}

// lengths returns of which lengths a text of a typed kind begins s.
func (k partKind) lengths(s string) lengths {
	switch k {
	case kindVersion:
		return versionLengths(s)
	case kindInt:
		return intLengths(s)
	case kindSHA:
		return shaLengths(s)
	case kindUUID:
		return uuidLengths(s)
	case kindDate:
		return dateLengths(s)
	default:
		return lengths{}
	}
}

// maxTyped is the greatest length of a typed part, in bytes.
const maxTyped = 128

// lengths is a set of lengths up to maxTyped.
type lengths [maxTyped/64 + 1]uint64

func (l *lengths) add(n int) { l[n/64] |= 1 << (n % 64) }

// next returns the least length that is n or more, or -1.
func (l *lengths) next(n int) int {
	for i := n / 64; i < len(l); i++ {
		if word := l[i] >> (n % 64); word != 0 {
			return n + bits.TrailingZeros64(word)
		}
		n = (i + 1) * 64
	}
	return -1
}
