package allowlist

import "strings"

// suggestion returns a hint for a word that is none of known: the nearest one,
// or all of them.
func suggestion(word string, known []string) string {
	best, bestDistance := "", 3
	for _, k := range known {
		// Two slips in a short word make another word.
		if d := distance(strings.ToLower(word), k); d < bestDistance && d*2 <= len(k) {
			best, bestDistance = k, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "known here: " + strings.Join(known, ", ")
}

// distance is the Levenshtein distance of two words, in bytes. Words of very
// different lengths are far apart without being compared.
func distance(a, b string) int {
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
