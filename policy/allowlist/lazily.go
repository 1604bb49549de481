package allowlist

import (
	"regexp"
	"sync"
)

// lazily returns an expression that is compiled when it is first asked for: most
// runs need none, and to compile all takes each start of the program time.
func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
