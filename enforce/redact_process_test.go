package enforce

import (
	"slices"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

func TestRedactProcess(t *testing.T) {
	tests := []struct{ in, want []string }{
		{nil, []string{}},
		{[]string{"npm", "ci"}, []string{"npm", "ci"}},
		{[]string{"deploy", "--token", "s3cret", "now"}, []string{"deploy", "--token", "REDACTED", "now"}},
		{[]string{"deploy", "--auth-token=s3cret"}, []string{"deploy", "--auth-token=REDACTED"}},
		{[]string{"env", "NPM_TOKEN=s3cret", "npm"}, []string{"env", "NPM_TOKEN=REDACTED", "npm"}},
		{[]string{"x", "--password", "--verbose"}, []string{"x", "--password", "--verbose"}},
		{[]string{"cat", "token"}, []string{"cat", "token"}},
		{[]string{"git", "clone", "https://u:s3cret@ok.test/"}, []string{"git", "clone", "https://u:REDACTED@ok.test/"}},
	}
	for _, tt := range tests {
		p := &policy.Process{PID: 1, Argv: slices.Clone(tt.in)}
		if got := RedactProcess(p).Argv; !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
		if !slices.Equal(p.Argv, tt.in) {
			t.Errorf("%q was changed to %q", tt.in, p.Argv)
		}
	}
	if RedactProcess(nil) != nil {
		t.Error("nil became something")
	}
}
