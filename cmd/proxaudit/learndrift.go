package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/juliendoutre/proxaudit/internal/learn"
)

// unifiedDiff is empty where nothing changes; else `patch -p0` takes it.
func unifiedDiff(name string, before, after []byte) []byte {
	text := diff.Diff(name, before, name, after)
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[i+1:] // "diff name name", which is what a program was called
	}
	return text
}

// maxDenied bounds how many requests are shown that a policy denies.
const maxDenied = 20

// sayDenied says what was recorded and stays denied: no rule is added beside one
// that denies.
func sayDenied(con console, path string, denied []learn.Denied) {
	if len(denied) == 0 {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s denies what was recorded, and goes on to", path)
	for i, d := range denied {
		if i == maxDenied {
			fmt.Fprintf(&b, "\nand %d more", len(denied)-i)
			break
		}
		fmt.Fprintf(&b, "\n%s  (%s)", d.Request, d.Rule)
	}
	say(con.err, "warning", b.String())
}

// driftWords says how much is new, in one line.
func driftWords(path string, m *learn.Merged) string {
	var parts []string
	if m.Requests > 0 {
		parts = append(parts, "says nothing about "+counted(m.Requests, "request"))
	}
	if m.NotLearned > 0 {
		parts[0] += fmt.Sprintf(" (%d not to be learned)", m.NotLearned)
	}
	if m.Locked > 0 {
		parts = append(parts, "lacks "+counted(m.Locked, "rule")+" for what lockfiles name")
	}
	words := path + " " + strings.Join(parts, " and ")
	if m.Hosts > 0 {
		words += ", " + counted(m.Hosts, "new host")
	}
	if m.Packages > 0 {
		words += ", " + counted(m.Packages, "new package")
	}
	if m.Unseen > 0 {
		words += "; " + counted(m.Unseen, "rule") + " no longer seen"
	}
	return words
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
