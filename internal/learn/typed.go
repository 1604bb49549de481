package learn

import (
	"strings"
	"time"
)

// Which parts of a path show a type, in the words that stand in a policy's path
// patterns: {version} {int} {sha} {uuid} {date}. Package policy/allowlist says
// what each word covers; what is found here is a part of that, found only where
// it is plain to see.

// class is what a part of a path looks like. As a byte it marks the part in a
// skeleton, where no path has such bytes.
type class byte

const (
	classNone    class = iota
	classVersion       // also a date with dots
	classInt           // a whole segment, or all of it before an extension; also a date without separators
	classSHA
	classUUID
	classDate // with separators, or within a segment
	classes
)

// word returns what is written for parts of class c with more than one value,
// of which dates says that all are real dates.
func (c class) word(dates bool) string {
	switch {
	case c == classSHA:
		return "{sha}"
	case c == classUUID:
		return "{uuid}"
	case c == classDate || dates:
		return "{date}"
	case c == classInt:
		return "{int}"
	default:
		return "{version}"
	}
}

// classAt returns the class of what begins in segment at i, and its length.
func classAt(segment string, i int) (class, int) {
	if i > 1 && segment[i-1] == '.' && isDigit(segment[i-2]) {
		return classNone, 0 // the rest of what is none
	}
	if i > 0 && isWord(segment[i-1]) {
		// Within a word only a version is told: go1.22.1.
		if isDigit(segment[i]) && !isDigit(segment[i-1]) {
			return versionAt(segment, i)
		}
		return classNone, 0
	}
	rest := segment[i:]
	if len(rest) >= 36 && isUUID(rest[:36]) && !isWordAt(rest, 36) {
		return classUUID, 36
	}
	if n := len(rest) - len(strings.TrimLeft(rest, hexDigits)); isDigestLen(n) && !isWordAt(rest, n) {
		return classSHA, n
	}
	if n := dateLen(rest); n > 0 && rest[4] != '.' && !isWordAt(rest, n) {
		if n == 8 && i == 0 && isExtension(rest[n:]) {
			return classInt, n
		}
		return classDate, n
	}
	if n := digits(rest); i == 0 && 0 < n && n <= 20 && isExtension(rest[n:]) {
		return classInt, n
	}
	return versionAt(segment, i)
}

const hexDigits = "0123456789abcdefABCDEF"

// isDigestLen knows the lengths of digests in hexadecimal, but for MD5's, which
// is that of too many keys: see isDigest.
func isDigestLen(n int) bool { return n == 40 || n == 56 || n == 64 || n == 96 || n == 128 }

// isExtension reports whether s is nothing or the end of a file's name, such as
// .json or .tar.gz.
func isExtension(s string) bool {
	for s != "" {
		if s[0] != '.' || len(s) == 1 || !isLetter(s[1]) {
			return false
		}
		n := 1
		for n < len(s) && isWord(s[n]) {
			n++
		}
		if s = s[n:]; n > 10 {
			return false
		}
	}
	return true
}

// dateLen returns the length of the date that begins s, or 0: the year, the
// month and the day, with one separator or with none, and real.
func dateLen(s string) int {
	for _, layout := range [...]string{"2006-01-02", "2006_01_02", "2006.01.02", "20060102"} {
		if n := len(layout); len(s) >= n && digits(s[:4]) == 4 && s[4] == layout[4] || n == 8 && len(s) >= n && digits(s[:8]) == 8 {
			if _, err := time.Parse(layout, s[:n]); err == nil {
				return n
			}
		}
	}
	return 0
}

// isDate reports whether all of s is a date.
func isDate(s string) bool { return dateLen(s) == len(s) && s != "" }

// digits returns how many digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool  { return kindOf(c) == 1 }
func isLetter(c byte) bool { return kindOf(c) > 1 }
func isWord(c byte) bool   { return kindOf(c) != 0 }

func isLetterAt(s string, i int) bool { return i < len(s) && isLetter(s[i]) }
func isWordAt(s string, i int) bool   { return i < len(s) && isWord(s[i]) }
