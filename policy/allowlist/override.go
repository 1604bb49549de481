package allowlist

import "strings"

// override says what the headers of a request may replace at the server.
type override uint8

const (
	overridesMethod override = 1 << iota
	overridesPath
	overridesKnown // the headers have been looked at
)

// overrides returns what a header field may replace. Some frameworks take the
// method or the path from these fields, so a rule that names either would be
// compared with what is not executed.
func overrides(name string) override {
	if len(name) < len("X-HTTP-Method") || name[0]|0x20 != 'x' {
		return 0
	}
	switch {
	case equalField(name, "x-http-method-override"), equalField(name, "x-http-method"),
		equalField(name, "x-method-override"):
		return overridesMethod
	case equalField(name, "x-original-url"), equalField(name, "x-rewrite-url"):
		return overridesPath
	default:
		return 0
	}
}

// equalField compares field names without regard to case, and takes "_" for
// "-": CGI and its heirs (RFC 3875 section 4.1.18) cannot tell them apart.
func equalField(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	if strings.EqualFold(name, lower) {
		return true
	}
	return strings.EqualFold(strings.ReplaceAll(name, "_", "-"), lower)
}
