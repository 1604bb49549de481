package allowlist

import "bytes"

const (
	goOnBytes    = 256 << 10 // of a file that is read on after a mistake: each takes a search
	goOnMistakes = 20        // of syntax, in one file
)

var (
	topKey = lazily(`^[A-Za-z_]+ *:`)
	dash   = lazily(`^( *)-(?:\s|$)`)
)

// goOn adds m, a mistake of syntax, and takes the rule that it is in out of the data,
// or else the key of the policy, so that one run names the mistakes of the others
// too. It reports whether it did.
//
// What is read on must be what its author wrote: where the next mistake of syntax is
// not behind the last, a quote or a bracket further up is the cause of both. It is
// named alone then, and nothing is read on.
func (p *parser) goOn(m Mistake) bool {
	if n := len(p.mistakes); n > 0 && m.Line <= p.mistakes[n-1].Line {
		if m.Line < p.mistakes[n-1].Line {
			p.mistakes = nil
			p.add(m)
		}
		return false
	}
	p.add(m)
	lines := p.lines()
	from, to := partOf(lines, m.Line-1)
	if len(p.data) > goOnBytes || len(p.mistakes) >= goOnMistakes || p.probed >= probeBytes || to == 0 {
		return false
	}
	for i := from; i < to; i++ {
		lines[i] = []byte("\n")
	}
	p.data, p.partial = bytes.Join(lines, nil), true
	return true
}

// partOf returns the lines, from the first up to the second, of the rule or the key of
// the policy that a line belongs to. Both are 0 where there is none: in a file that
// is not written a key a line.
func partOf(lines [][]byte, line int) (from, to int) {
	key := line
	for key >= 0 && !topKey().Match(lines[key]) {
		key--
	}
	if key < 0 {
		return 0, 0
	}
	end := key + 1
	for end < len(lines) && !topKey().Match(lines[end]) {
		end++
	}
	indent := -1 // of the rules below the key
	from, to = key, end
	for i := key + 1; i < end; i++ {
		at := dash().FindSubmatch(lines[i])
		if at == nil {
			continue
		}
		if indent < 0 {
			indent = len(at[1])
		}
		switch {
		case len(at[1]) > indent: // in a list of a rule
		case i <= line:
			from = i
		default:
			return from, min(to, i)
		}
	}
	return from, to
}
