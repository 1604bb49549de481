package hostname

import "golang.org/x/net/publicsuffix"

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
