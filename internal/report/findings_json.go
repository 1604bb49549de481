package report

import (
	"encoding/json"
	"io"

	"github.com/juliendoutre/proxaudit/policy"
)

// findingsJSON writes one object, so that more can be said one day.
func findingsJSON(w io.Writer, found []policy.Finding) error {
	if found == nil {
		found = []policy.Finding{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Findings []policy.Finding `json:"findings"`
	}{found})
}
