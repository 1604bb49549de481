package policy

import "fmt"

// Severity says what a finding about a policy means for who wrote it.
type Severity uint8

const (
	// Note is for what a policy says in so many words and a reviewer should see.
	Note Severity = iota
	// Warning is for what is likely not meant, or weaker than it looks.
	Warning
	// Error is for what keeps the policy, or the rule, from working.
	Error
)

// String returns the spelling used in reports, which is SARIF's too.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	default:
		return "note"
	}
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one thing about a policy file that its author should look at.
type Finding struct {
	// ID names the kind of finding, in words with hyphens. It is relied on from
	// outside and does not change.
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	// Line and Column count from 1. Both are 0 when the file as a whole is meant.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Message says what is the matter, Mend what to do about it.
	Message string `json:"message"`
	Mend    string `json:"mend,omitempty"`
	// Suppressions are why the finding does not count, in the words of whoever wrote
	// that it should not. It is empty for one that does.
	Suppressions []Suppression `json:"suppressions,omitempty"`
}

// Suppression silences a finding, as in section 3.35 of SARIF 2.1.0.
type Suppression struct {
	// Kind is "inSource": a comment in the policy.
	Kind          string `json:"kind"`
	Justification string `json:"justification"`
}

// Counts reports whether the finding is not suppressed.
func (f Finding) Counts() bool { return len(f.Suppressions) == 0 }

// Place returns "file:line:column", or as much of it as is known.
func (f Finding) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
}
