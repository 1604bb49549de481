package learn

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// TestGoldenClean looks at what is learned as check does.
func TestGoldenClean(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		for _, f := range (allowlist.Linter{Now: time.Now(), Ecosystems: ecosystem.Types()}).Lint(path) {
			if f.Severity > policy.Note {
				t.Errorf("%s: %s: %s [%s]", f.Place(), f.Severity, f.Message, f.ID)
			}
		}
	}
}
