package lockfile

import (
	"strings"
	"unicode/utf8"
)

// lines calls each for every line, without its end. It is for lockfiles of one
// statement a line.
func (r *reader) lines(each func(n int, line string) error) error {
	n := 0
	for line := range strings.Lines(string(r.data)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if !utf8.ValidString(line) || strings.IndexByte(line, 0) >= 0 {
			return r.failLine(n, 1, "it is not text in UTF-8")
		}
		if err := each(n, line); err != nil {
			return err
		}
	}
	return nil
}
