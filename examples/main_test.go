package examples

import (
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// getVariable is the URL that this program gets, as Go's own client.
const getVariable = "PROXAUDIT_TEST_GET"

// TestMain is Go's own client where a test wants one. Half of what the tests do is
// to wait for registries, so that more of them run at once than there are processors.
func TestMain(m *testing.M) {
	if url := os.Getenv(getVariable); url != "" {
		get(url)
		return
	}
	for _, kv := range persistence() {
		name, value, _ := strings.Cut(kv, "=")
		if _, set := os.LookupEnv(name); set {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	program.remove()
	os.Exit(code)
}

func get(url string) {
	r, err := http.Get(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer r.Body.Close()
	_, _ = io.Copy(os.Stdout, r.Body)
	if r.StatusCode != http.StatusOK {
		os.Exit(1)
	}
}

// program is proxaudit, linked once for all tests.
var program linked

type linked struct {
	once sync.Once
	dir  string
	err  error
}

// build makes the program, as a user would get it, and returns where it lies, in a
// folder of t's own.
func build(t *testing.T) string {
	t.Helper()
	program.once.Do(program.link)
	if program.err != nil {
		t.Fatal(program.err)
	}
	from, to := filepath.Join(program.dir, "proxaudit"), filepath.Join(t.TempDir(), "proxaudit")
	if os.Link(from, to) != nil { // another file system
		copyProgram(t, from, to)
	}
	return to
}

func (l *linked) link() {
	if l.err = lookAtSources(); l.err != nil {
		return
	}
	if l.dir, l.err = os.MkdirTemp("", "proxaudit-examples"); l.err != nil {
		return
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(l.dir, "proxaudit"), "../cmd/proxaudit").CombinedOutput(); err != nil {
		l.err = fmt.Errorf("go build: %w\n%s", err, out)
	}
}

func (l *linked) remove() {
	if l.dir != "" {
		_ = os.RemoveAll(l.dir)
	}
}

// lookAtSources looks into every folder of the program. The go command keeps a
// test's result until something changes that the test itself has looked at; what
// the programs look at that it runs, it does not know (go help test).
func lookAtSources() error {
	return filepath.WalkDir("..", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && len(d.Name()) > 2 && d.Name()[0] == '.' {
			return fs.SkipDir
		}
		return err
	})
}

func copyProgram(t *testing.T, from, to string) {
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	if err != nil {
		t.Error(err)
	}
}
