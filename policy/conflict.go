package policy

import "bytes"

// MergeConflict returns the line, from 1, on which git left the first conflict of
// a merge in a file, and 0 where there is none.
func MergeConflict(data []byte) int {
	if !bytes.Contains(data, []byte("<<<<<<< ")) {
		return 0
	}
	begin, middle, n := 0, false, 0
	for line := range bytes.Lines(data) {
		n++
		switch {
		case begin == 0 && bytes.HasPrefix(line, []byte("<<<<<<< ")):
			begin = n
		case begin > 0 && string(bytes.TrimRight(line, "\r\n")) == "=======":
			middle = true
		case middle && bytes.HasPrefix(line, []byte(">>>>>>> ")):
			return begin
		}
	}
	return 0
}
