package enforce

import (
	"strings"

	"github.com/juliendoutre/proxaudit/policy"
)

// RedactProcess returns a copy of p that can be shown: secrets in its arguments
// are replaced, those that look like one and those behind a flag that is named
// like one (--token X, --password=X). A nil p stays nil.
func RedactProcess(p *policy.Process) *policy.Process {
	if p == nil {
		return nil
	}
	shown := *p
	shown.Argv = make([]string, len(p.Argv))
	secret := false
	for i, arg := range p.Argv {
		name, value, assigned := strings.Cut(arg, "=")
		switch {
		case secret && !strings.HasPrefix(arg, "-"):
			arg = redacted
		case assigned && value != "" && isSecretFlag(name):
			arg = name + "=" + redacted
		default:
			arg = RedactText(arg)
		}
		secret = !assigned && isSecretFlag(p.Argv[i])
		shown.Argv[i] = arg
	}
	return &shown
}

// isSecretFlag reports whether a word on a command line names a secret: a flag,
// or a variable that env(1) sets.
func isSecretFlag(word string) bool {
	name := strings.ToLower(strings.TrimLeft(word, "-"))
	if name == "" || strings.ContainsAny(name, " /:") {
		return false
	}
	if !strings.HasPrefix(word, "-") && strings.ToUpper(word) != word {
		return false
	}
	for _, part := range [...]string{"token", "password", "passwd", "secret", "apikey", "api-key", "api_key", "credential"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
