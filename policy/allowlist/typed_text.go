package allowlist

import "strings"

// maxVersionText bounds a version in a path, in bytes.
const maxVersionText = 64

// versionLengths is for what releases are named by: v4, or numbers with dots
// between them, of which there are two at least, with an optional v in front and
// what marks a pre-release or a build behind: 1.2, v1.2.3-rc.1, 1.2.Final,
// 2.0~rc1+dfsg-3. A dot stands behind a letter or a digit, and either ends it.
func versionLengths(s string) (l lengths) {
	s = s[:min(len(s), maxVersionText)]
	from := 0
	if strings.HasPrefix(s, "v") {
		from = 1
	}
	major := from + digits(s[from:])
	if major == from {
		return l
	}
	if from == 1 {
		for n := from + 1; n <= major; n++ {
			l.add(n)
		}
	}
	if major+1 >= len(s) || s[major] != '.' || !isDigit(s[major+1]) {
		return l
	}
	for i := major + 1; i < len(s); i++ {
		switch c := s[i]; {
		case isDigit(c) || isLetter(c):
			l.add(i + 1)
		case c == '+' || c == '~' || c == '_' || c == '-':
		case c == '.' && (isDigit(s[i-1]) || isLetter(s[i-1])):
		default:
			return l
		}
	}
	return l
}

// intLengths is for 1 to 20 digits, as many as 64 bits can have.
func intLengths(s string) (l lengths) {
	for n := 1; n <= digits(s[:min(len(s), 20)]); n++ {
		l.add(n)
	}
	return l
}

// shaLengths is for digests in hexadecimal: MD5, SHA-1, and SHA-2 of 224 to 512
// bits.
func shaLengths(s string) (l lengths) {
	n := 0
	for n < len(s) && n < 128 && isHex(s[n]) {
		n++
	}
	for _, length := range [...]int{32, 40, 56, 64, 96, 128} {
		if length <= n {
			l.add(length)
		}
	}
	return l
}

// uuidLengths is for the text form of RFC 9562 section 4.
func uuidLengths(s string) (l lengths) {
	const length = 36
	if len(s) < length {
		return l
	}
	for i := range length {
		if hyphen := i == 8 || i == 13 || i == 18 || i == 23; hyphen && s[i] != '-' || !hyphen && !isHex(s[i]) {
			return l
		}
	}
	l.add(length)
	return l
}

// dateLengths is for a day: 2026-11-24, 2026.11.24, 2026_11_24 or 20261124.
func dateLengths(s string) (l lengths) {
	if len(s) >= 8 && digits(s[:8]) == 8 && isDay(s[:4], s[4:6], s[6:8]) {
		l.add(8)
	}
	if len(s) >= 10 && strings.IndexByte("-._", s[4]) >= 0 && s[4] == s[7] && isDay(s[:4], s[5:7], s[8:10]) {
		l.add(10)
	}
	return l
}

// isDay reports whether the digits name a day of the Gregorian calendar.
func isDay(year, month, day string) bool {
	if digits(year)+digits(month)+digits(day) != len("20261124") {
		return false
	}
	y, m, d := number(year), number(month), number(day)
	last := 31
	switch m {
	case 4, 6, 9, 11:
		last = 30
	case 2:
		last = 28
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			last = 29
		}
	}
	return 1 <= m && m <= 12 && 1 <= d && d <= last
}

// digits returns how many digits begin s.
func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// number is the value of a few digits.
func number(s string) (n int) {
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
