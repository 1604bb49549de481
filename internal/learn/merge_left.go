package learn

import (
	"fmt"
	"strings"
)

// leftBlock returns the lines of the block of what was not learned, the first and
// the last; 0 where there is none. A block without its last line is an error: what
// is below it may be somebody's own.
func (p *policyText) leftBlock() (first, last int, err error) {
	for n := 1; n <= len(p.lines); n++ {
		switch strings.TrimRight(p.line(n), " \t") {
		case notLearned:
			if first != 0 {
				return 0, 0, fmt.Errorf("line %d: a second block of what was not learned: remove one of them", n)
			}
			first = n
		case endOfNotLearned:
			if first != 0 && last == 0 {
				last = n
			}
		}
	}
	if first != 0 && last == 0 {
		return 0, 0, fmt.Errorf("line %d: nothing says where the block of what was not learned ends: write the line %q behind it, or remove it", first, endOfNotLearned)
	}
	return first, last, nil
}

// replaceLeft replaces the block of what was not learned by another one, which
// begins with a blank line, or is empty.
func (p *policyText) replaceLeft(block string) error {
	first, last, err := p.leftBlock()
	switch {
	case err != nil:
		return err
	case first == 0 && block == "":
		return nil
	case first == 0:
		p.insert(len(p.lines)+1, block)
		return nil
	case block == "" && first > 1 && p.line(first-1) == "":
		first--
	}
	block = strings.TrimPrefix(block, "\n")
	from, to := p.lineStart(first), p.lineStart(last+1)
	if to == len(p.data) && to > 0 && p.data[to-1] != '\n' {
		block = strings.TrimSuffix(block, "\n")
	}
	if strings.ReplaceAll(block, "\n", p.eol) != string(p.data[from:to]) {
		p.cut(from, to-from, block)
	}
	return nil
}

// leftLines returns the requests that the block of what was not learned lists.
func (p *policyText) leftLines() map[string]bool {
	out := map[string]bool{}
	first, last, err := p.leftBlock()
	for n := first; err == nil && n > 0 && n <= last; n++ {
		if request, ok := strings.CutPrefix(p.line(n), "#   "); ok {
			request, _, _ = strings.Cut(request, "  (")
			out[request] = true
		}
	}
	return out
}
