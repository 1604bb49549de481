package hostname

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// IsPublicSuffix reports whether anyone may register a name directly below
// name, so that a wildcard over it would cover strangers: com, co.uk, github.io,
// and every single label, listed or not, by the prevailing rule "*" of
// publicsuffix.org. The name must be canonical; an address is not a suffix.
//
// The list is the one compiled into golang.org/x/net/publicsuffix.
func IsPublicSuffix(name string) bool {
	if name == "" || IsIP(name) {
		return false
	}
	suffix, _ := publicsuffix.PublicSuffix(name)
	return suffix == name
}

// Registrable returns the name that somebody registered, of which name is part, and
// the label of it that they chose: example.co.uk and example. Both are empty for an
// address and for a public suffix. The name must be canonical.
func Registrable(name string) (domain, label string) {
	if name == "" || IsIP(name) {
		return "", ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return "", ""
	}
	label, _, _ = strings.Cut(domain, ".")
	return domain, label
}
