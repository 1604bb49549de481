// Package spelling guesses which word was meant by one that nobody knows. It must
// never decide anything: what it returns is for a person to read.
package spelling

import "strings"

// Nearest returns the one of known that word is likely to be a slip for, or "".
// Case does not count. Known words are in lower case.
func Nearest(word string, known []string) string {
	best, bestDistance := "", 3
	for _, k := range known {
		// Two slips in a short word make another word.
		if d := Distance(strings.ToLower(word), k); d < bestDistance && d*2 <= len(k) {
			best, bestDistance = k, d
		}
	}
	return best
}

// Distance is the Levenshtein distance of two words, in bytes. Words of very
// different lengths are far apart without being compared.
func Distance(a, b string) int {
	if d := len(a) - len(b); d > 3 || d < -3 {
		return 4
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
