package isolate

import (
	"context"
	"time"
)

// ProbeNetns makes a jail, lets it test itself, and ends it. It is for doctor:
// settings and versions only hint at what a kernel allows.
func ProbeNetns(ctx context.Context) Finding {
	begun := time.Now()
	n, err := NewNetns(ctx, NetnsOptions{})
	if err != nil {
		f := Finding{Name: NetnsName, Detail: err.Error()}
		if h, ok := err.(interface{ Hint() string }); ok {
			f.Mend = h.Hint()
		}
		return f
	}
	defer n.Close()
	return Finding{
		Name: NetnsName, Works: true, Warnings: n.Warnings(), Took: time.Since(begun),
		Detail: "connections are taken by " + n.Capture(),
	}
}
