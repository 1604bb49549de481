package isolate

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// TestSeatbelt: elsewhere than on macOS it is refused, not weakened; the profile
// denies before it allows the one port.
func TestSeatbelt(t *testing.T) {
	p := seatbeltProfile("4711")
	if deny, allow := strings.Index(p, "(deny network*)"), strings.Index(p, `(remote ip "localhost:4711")`); deny < 0 || allow < deny {
		t.Errorf("profile:\n%s", p)
	}
	if runtime.GOOS == "darwin" {
		t.Skip("what the sandbox does on macOS has not been tested by this project")
	}
	var refusal *Refusal
	if j, err := Seatbelt(EnvOptions{}); j != nil || !errors.As(err, &refusal) {
		t.Errorf("got %v, %v", j, err)
	}
}
