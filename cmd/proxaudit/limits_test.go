package main

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce/proxy"
)

// TestLimitFlags: every limit has a flag that sets it, help names its default,
// and nothing that is no limit is taken for one.
func TestLimitFlags(t *testing.T) {
	var l proxy.Limits
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	limitFlags(f, &l)
	if l != proxy.DefaultLimits() {
		t.Fatalf("without flags: %+v", l)
	}
	f.VisitAll(func(fl *flag.Flag) {
		before := l
		_, entry, found := strings.Cut(limitsHelp, "\n    -"+fl.Name+" ")
		entry, _, _ = strings.Cut(entry, "\n    -")
		if !found || !strings.Contains(entry, "("+fl.DefValue) {
			t.Errorf("help does not say that -%s is %s:\n%s", fl.Name, fl.DefValue, entry)
		}
		for _, wrong := range []string{"", "0", "-1", "0s", "-1s", "soon", "99999999999999999999"} {
			if err := f.Set(fl.Name, wrong); err == nil {
				t.Errorf("-%s takes %q", fl.Name, wrong)
			}
		}
		right := "7"
		if _, isTime := fl.Value.(*span); isTime {
			right = "7s"
		}
		if err := f.Set(fl.Name, right); err != nil || l == before {
			t.Errorf("-%s %s: %v, %+v", fl.Name, right, err, l)
		}
	})
	want := proxy.Limits{
		MaxHeaderBytes: 7, MaxConnections: 7, MaxRequests: 7, HeaderTimeout: 7 * time.Second, HandshakeTimeout: 7 * time.Second,
		DialTimeout: 7 * time.Second, FirstByteTimeout: 7 * time.Second, IdleTimeout: 7 * time.Second, TunnelTimeout: 7 * time.Second,
	}
	if l != want {
		t.Errorf("after all flags: %+v", l)
	}
}
