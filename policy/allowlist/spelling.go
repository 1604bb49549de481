package allowlist

import (
	"strings"

	"github.com/juliendoutre/proxaudit/internal/spelling"
)

// suggestion returns a hint for a word that is none of known: the nearest one,
// or all of them.
func suggestion(word string, known []string) string {
	if best := spelling.Nearest(word, known); best != "" {
		return "did you mean " + best + "?"
	}
	return "known here: " + strings.Join(known, ", ")
}
