package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce"
)

// finding is one thing to tell, however often it happened.
type finding struct {
	event enforce.Event
	times int
}

type findings struct {
	byKey map[string]*finding
	lost  int
}

// add takes ev in, which is the same thing to tell as another one of its key.
func (f *findings) add(key string, ev enforce.Event) {
	if f.byKey == nil {
		f.byKey = map[string]*finding{}
	}
	if known, ok := f.byKey[key]; ok {
		known.times++
		return
	}
	if len(f.byKey) >= maxRemembered {
		f.lost++
		return
	}
	f.byKey[key] = &finding{event: ev, times: 1}
}

// shown are those that the summary has room for, in the order in which they came.
func (f *findings) shown() []*finding {
	all := slices.SortedFunc(maps.Values(f.byKey), func(x, y *finding) int {
		return cmp.Or(x.event.Time.Compare(y.event.Time), cmp.Compare(x.event.ID, y.event.ID))
	})
	return all[:min(len(all), maxShown)]
}

// rest says that there are more.
func (f *findings) rest(b *strings.Builder, verb string) {
	if len(f.byKey) > maxShown {
		fmt.Fprintf(b, "proxaudit: %s: and %d more; -output FILE keeps them all\n", verb, len(f.byKey)-maxShown+f.lost)
	}
}

// head is the first line about it.
func (f *finding) head(b *strings.Builder, verb, what string) {
	fmt.Fprintf(b, "proxaudit: %s: %s", verb, enforce.Printable(what))
	if f.times > 1 {
		fmt.Fprintf(b, " (%d times)", f.times)
	}
	b.WriteString("\n")
}
