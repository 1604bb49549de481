package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// FindingFormats are the formats of WriteFindings, the default first.
func FindingFormats() []string { return []string{"text", "json", "sarif"} }

// WriteFindings writes findings about policies in one of FindingFormats. Version
// is that of this program. An unknown format is an error: no reader must be given
// what it did not ask for.
func WriteFindings(w io.Writer, format, version string, found []policy.Finding) error {
	switch format {
	case "text":
		return findingsText(w, found)
	case "json":
		return findingsJSON(w, found)
	case "sarif":
		return findingsSARIF(w, version, found)
	default:
		return fmt.Errorf("unknown format %q: want %s", format, strings.Join(FindingFormats(), ", "))
	}
}

// findingsText writes what compilers write, and the mend below it. Nothing is
// written where nothing was found, or nothing that counts.
func findingsText(w io.Writer, found []policy.Finding) error {
	var b strings.Builder
	for _, f := range found {
		if !f.Counts() {
			continue
		}
		fmt.Fprintf(&b, "%s: %s: %s [%s]\n", enforce.Printable(f.Place()), f.Severity, enforce.Printable(f.Message), f.ID)
		if f.Mend != "" {
			fmt.Fprintf(&b, "  hint: %s\n", enforce.Printable(f.Mend))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
