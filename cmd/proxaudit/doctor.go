package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/enforce/isolate"
)

// doctor tries each way to confine a command and says what works, what does not
// and why, and what to do about it.
func doctor(con console) int {
	f := isolate.ProbeNetns(context.Background())
	var b strings.Builder
	describe(&b, f)
	fmt.Fprintf(&b, "%-6s works, but is advisory: a program that ignores proxy variables is neither seen nor stopped\n", "env")
	if show(con.out, b.String()) != exitOK {
		return exitFailed
	}
	if !f.Works {
		return exitFindings
	}
	return exitOK
}

func describe(b *strings.Builder, f isolate.Finding) {
	line := func(indent, text string) {
		for l := range strings.Lines(strings.TrimRight(text, "\n")) {
			fmt.Fprintf(b, "%s%s\n", indent, enforce.Printable(strings.TrimRight(l, "\n")))
		}
	}
	if f.Works {
		fmt.Fprintf(b, "%-6s works: %s; made and tested in %d ms\n", f.Name, enforce.Printable(f.Detail), f.Took.Milliseconds())
	} else {
		fmt.Fprintf(b, "%-6s does not work: %s\n", f.Name, enforce.Printable(f.Detail))
	}
	for _, w := range f.Warnings {
		line("       warning: ", w)
	}
	if f.Mend != "" {
		line("       ", f.Mend)
	}
}
