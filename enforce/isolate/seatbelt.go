package isolate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
)

// SeatbeltName is the word for confinement by macOS's sandbox.
const SeatbeltName = "seatbelt"

// sandboxExec runs a command under a sandbox profile (sandbox-exec(1)). Apple
// calls it deprecated and goes on using it.
const sandboxExec = "/usr/bin/sandbox-exec"

// seatbelt is the jail of variables behind a profile that leaves one port.
type seatbelt struct{ Jail }

// Seatbelt makes a jail that macOS's sandbox closes: the command can open no
// connection but to the proxy's port, and no Unix socket, so that the system's
// resolver is out of reach too. Unlike netns it captures nothing; programs that
// ignore proxy variables fail.
//
// It has not been tested on macOS by this project, so it calls itself advisory.
func Seatbelt(o EnvOptions) (Jail, error) {
	err := errors.New("this needs macOS")
	if runtime.GOOS == "darwin" {
		_, err = os.Stat(sandboxExec)
	}
	if err != nil {
		return nil, &Refusal{Step: "use the sandbox", Err: err, Mend: "ask for weaker isolation with -isolation=env"}
	}
	j, err := Env(o)
	if err != nil {
		return nil, err
	}
	return &seatbelt{j}, nil
}

// Name implements Jail.
func (*seatbelt) Name() string { return SeatbeltName }

// Run implements Jail.
func (s *seatbelt) Run(ctx context.Context, c Command) (int, error) {
	_, port, err := net.SplitHostPort(s.Listener().Addr().String())
	if err != nil {
		return 0, err
	}
	c.Argv = append([]string{sandboxExec, "-p", seatbeltProfile(port)}, c.Argv...)
	return s.Jail.Run(ctx, c)
}

// seatbeltProfile denies the network but for one port of the loopback. The last
// rule that matches decides.
func seatbeltProfile(port string) string {
	return fmt.Sprintf(`(version 1)
(allow default)
(deny network*)
(allow network-outbound (remote ip "localhost:%s"))
`, port)
}
