//go:build !linux

package child

import (
	"os"
	"syscall"
	"time"
)

// leftovers does nothing here: there is no subreaper but on Linux, so what the
// command leaves behind runs on.
type leftovers struct {
	changed <-chan os.Signal
	command int
}

func attributes() *syscall.SysProcAttr { return nil }

func adopt() (*leftovers, error)           { return &leftovers{}, nil }
func (*leftovers) release()                {}
func (*leftovers) again() <-chan time.Time { return nil }
func (*leftovers) sweep()                  {}
func (*leftovers) end(time.Duration) error { return nil }
