package lockfile

import "fmt"

// Error is why a lockfile cannot be read.
type Error struct {
	File string
	// Line and Column count from 1; they are 0 where there is no place.
	Line, Column  int
	Message, Hint string
}

// Error returns "file:line:column: message" and the hint on a line of its own.
func (e *Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place += fmt.Sprintf(":%d", e.Line)
		if e.Column > 0 {
			place += fmt.Sprintf(":%d", e.Column)
		}
	}
	s := place + ": " + printable(e.Message)
	if e.Hint != "" {
		s += "\n  hint: " + printable(e.Hint)
	}
	return s
}
