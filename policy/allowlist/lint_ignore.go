package allowlist

import (
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// suppress takes out of account what comments in a file silence.
func (w *linting) suppress(d placedDocument) {
	if !policy.HoldsIgnores(d.text) {
		return
	}
	inText := map[int]bool{} // lines
	c := policy.Commented{
		File: d.file, Text: d.text, Rules: map[int]int{},
		Quoted: func(line, _ int) bool { return inText[line] },
	}
	for _, r := range w.rules {
		if r.file != d.file {
			continue
		}
		c.Rules[r.line] = max(c.Rules[r.line], r.lastLine())
		for n := range nodes(r.node) {
			if !policy.HoldsIgnores(n.Value) {
				continue
			}
			for i := range strings.Count(n.Value, "\n") + 2 {
				inText[n.Line+i] = true
			}
		}
	}
	w.found = c.Suppress(w.found)
}

// lastLine returns the last line that the rule is written on, but for texts that
// go on.
func (r *rule) lastLine() int {
	last := r.line
	for n := range nodes(r.node) {
		last = max(last, n.Line)
	}
	return last
}
