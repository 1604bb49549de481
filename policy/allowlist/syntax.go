package allowlist

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// yamlPlace is what the YAML reader puts before its words. Its line is that of
// the construct it was in, counted from 0 or 1: it is not used.
var yamlPlace = lazily(`^yaml: (line \d+: )?`)

// filledList is a key with a list in brackets.
var filledList = lazily(`^[a-z]+: *\[.*\]\s*(?:#.*)?$`)

// syntax turns an error of the YAML reader into a mistake with a place, and reports
// whether the file can be read on without the rule, or the part, that it is in.
func (p *parser) syntax(err error) bool {
	m := Mistake{Message: "not YAML: " + yamlPlace().ReplaceAllString(err.Error(), "")}
	line, offset := p.broken()
	m.Line = line + 1
	text := strings.TrimRight(string(p.lines()[line]), "\r\n")
	offset = min(offset, len(text))
	indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	if tab := strings.IndexByte(indent, '\t'); tab >= 0 {
		offset, m.Hint = tab, "indent with spaces, not tabs"
	} else {
		m.Hint, offset = syntaxHint(m.Message, text, offset)
		if strings.HasPrefix(text[len(indent):], "- ") && line > 0 && filledList().Match(p.lines()[line-1]) {
			m.Hint = "a list is either in brackets or below its key: remove the brackets on the line above, or put the rule into them"
		}
	}
	m.Column = utf8.RuneCountInString(text[:offset]) + 1
	return p.goOn(m)
}

func (p *parser) lines() [][]byte { return bytes.SplitAfter(p.data, []byte("\n")) }

const (
	probeBytes = 8 << 20 // to read in all while looking for the place
	lookAhead  = 20      // lines that a bracket may reasonably stay open
)

// broken returns the line, from 0, and the offset in it at which the file stops
// being YAML: the reader says neither. What comes before that place can be read,
// and nothing longer can. For a bracket or a quote that is never closed, it is
// where it opens. The search is bounded, for all mistakes of a file together, and
// ends early in a large one.
func (p *parser) broken() (line, offset int) {
	lines := p.lines()
	ends := make([]int, len(lines)+1)
	for i, l := range lines {
		ends[i+1] = ends[i] + len(l)
	}
	probe := prober{data: p.data, left: probeBytes - p.probed}
	defer func() { p.probed = probeBytes - probe.left }()
	good, bad := 0, len(lines)
	for bad-good > 1 {
		mid := (good + bad) / 2
		if probe.reads(ends[mid]) {
			good = mid
			continue
		}
		bad = mid
		// It may be in the middle of a list over several lines.
		for next := bad + 1; bad-good == 1 && next < min(bad+lookAhead, len(lines)); next++ {
			if probe.reads(ends[next]) {
				good, bad = next, len(lines)
			}
		}
	}
	for offset = len(lines[good]) - 1; offset > 0 && !probe.reads(ends[good]+offset); {
		offset--
	}
	return good, max(offset, 0)
}

// prober reads the beginnings of a file, some bytes in all.
type prober struct {
	data []byte
	left int
}

// reads reports whether the first n bytes are YAML.
func (p *prober) reads(n int) bool {
	if p.left -= n; p.left < 0 {
		return false
	}
	dec := yaml.NewDecoder(bytes.NewReader(p.data[:n]))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}
