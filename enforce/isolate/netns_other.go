//go:build !linux

package isolate

import (
	"context"
	"errors"
)

var errLinuxOnly = errors.New("this needs Linux")

// Netns is there on Linux only.
type Netns struct{ Jail }

// NewNetns fails with a *Refusal.
func NewNetns(context.Context, NetnsOptions) (*Netns, error) {
	return nil, &Refusal{
		Step: "make the namespaces", Err: errLinuxOnly,
		Mend: "ask for weaker isolation with -isolation=env",
	}
}

// ProbeNetns finds that it does not work.
func ProbeNetns(context.Context) Finding {
	return Finding{Name: NetnsName, Detail: errLinuxOnly.Error()}
}
