package rego

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/open-policy-agent/opa/v1/topdown/print"
)

// printer is where print() goes.
type printer struct {
	mu sync.Mutex
	w  io.Writer
}

// Print implements print.Hook. Policies print what came in over the wire, so
// nothing a terminal would act on is passed on as it is.
func (p *printer) Print(c print.Context, text string) error {
	where := ""
	if c.Location != nil {
		where = c.Location.String() + ": "
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := fmt.Fprintf(p.w, "%s%s\n", where, escape(text))
	return err
}

// escape spells whatever is not printable in Go's notation.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return b.String()
}
