package examples

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// persistence are the variables by which a user of a slow network has clients try
// again where a registry does not answer at once, or says that it cannot: a package
// that came at the second attempt is as good. They also have clients ask nobody
// whether there is a newer client: what such a question meets is forgotten, so that
// it is in one recording and not in the next.
//
// Sources: npm help 7 config,
// https://pip.pypa.io/en/stable/topics/configuration/,
// https://doc.rust-lang.org/cargo/reference/config.html,
// https://docs.astral.sh/uv/reference/environment/,
// https://maven.apache.org/resolver/configuration.html and, before Maven 3.9,
// https://maven.apache.org/wagon/wagon-providers/wagon-http/.
func persistence() []string {
	return []string{
		"npm_config_fetch_retries=6", "npm_config_fetch_retry_mintimeout=1000", "npm_config_fetch_retry_maxtimeout=30000",
		"npm_config_update_notifier=false",
		"PIP_RETRIES=8", "PIP_DEFAULT_TIMEOUT=120", "PIP_DISABLE_PIP_VERSION_CHECK=1",
		"CARGO_NET_RETRY=8", "CARGO_HTTP_TIMEOUT=120",
		"UV_HTTP_RETRIES=8", "UV_HTTP_TIMEOUT=120",
		"MAVEN_OPTS=-Dmaven.wagon.http.retryHandler.count=8 -Dmaven.wagon.http.serviceUnavailableRetryStrategy.class=standard " +
			"-Daether.connector.http.retryHandler.count=8",
	}
}

// patientCommand is a command that may run as long as the test, less the minute in
// which the test then says what it waited for: how long a client takes is the
// machine's affair.
func patientCommand(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Minute))
		t.Cleanup(cancel)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error {
		t.Logf("%q had not ended when the test's time was up:\n%s", cmd.Args, whereabouts(cmd.Process.Pid, 0))
		return cmd.Process.Kill()
	}
	cmd.WaitDelay = 10 * time.Second // what it left behind may hold its output
	return cmd
}

// ended fails the test where a command was not there, or did not end by itself.
func ended(t *testing.T, cmd *exec.Cmd, err error, out *bytes.Buffer) {
	t.Helper()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() == -1 {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, out)
	}
}

// whereabouts is what a process and those it started are at.
func whereabouts(pid, depth int) string {
	dir := fmt.Sprintf("/proc/%d", pid)
	text := strings.Repeat("  ", depth) + fmt.Sprint(pid)
	for _, file := range []string{"cmdline", "wchan", "syscall"} {
		content, _ := os.ReadFile(filepath.Join(dir, file))
		text += fmt.Sprintf("  %s: %.200q", file, strings.TrimSpace(string(bytes.ReplaceAll(content, []byte{0}, []byte(" ")))))
	}
	text += "\n"
	tasks, _ := filepath.Glob(filepath.Join(dir, "task", "*", "children"))
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for child := range strings.FieldsSeq(string(children)) {
			var id int
			if _, err := fmt.Sscan(child, &id); err == nil {
				text += whereabouts(id, depth+1)
			}
		}
	}
	return text
}
