package examples

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/note"
)

// TestBaselineChecksumDatabase learns a build that asks a checksum database, and
// repeats it when the database has grown: what a client reads of it then, to
// prove that nothing was rewritten, are other files than before
// (https://go.dev/ref/mod#checksum-database).
func TestBaselineChecksumDatabase(t *testing.T) {
	t.Parallel()
	needClient(t, "go")
	binary := build(t)
	// The client asks its module proxy first and, where that does not know the
	// database, the database itself.
	t.Run("behind the proxy", func(t *testing.T) {
		repeatGrown(t, binary, func(database http.Handler, r *http.Request) http.Handler {
			if strings.HasPrefix(r.URL.Path, "/sumdb/"+sumdbName+"/supported") {
				return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			}
			if strings.HasPrefix(r.URL.Path, "/sumdb/") {
				return http.StripPrefix("/sumdb/"+sumdbName, database)
			}
			return nil
		})
	})
	t.Run("by itself", func(t *testing.T) {
		repeatGrown(t, binary, func(database http.Handler, r *http.Request) http.Handler {
			if r.Host == sumdbName {
				return database
			}
			if strings.HasPrefix(r.URL.Path, "/sumdb/") {
				return http.NotFoundHandler()
			}
			return nil
		})
	})
}

const sumdbName = "sum.example.org"

// repeatGrown learns a build and repeats it when 680 modules more are known.
func repeatGrown(t *testing.T, binary string, serve func(http.Handler, *http.Request) http.Handler) {
	t.Helper()
	database, verifier := newDatabase(t)
	handler := sumdb.NewServer(database)
	d := newDay(t)
	d.own = func(r *http.Request) http.Handler { return serve(handler, r) }
	b := baseline{project: named("go")}
	// The client keeps the last tree it saw in GOPATH, and has it proved that a
	// later one goes on from there.
	project, gopath, policy := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "policy.yaml")
	copyTo(t, project, b.dir)
	if err := os.Remove(filepath.Join(project, "go.sum")); err != nil {
		t.Fatal(err)
	}
	run := func(words ...string) built {
		env := append(d.environ(), "GOPATH="+gopath, "GOSUMDB="+verifier, "GOFLAGS=-modcacherw -mod=mod", "GONOSUMDB=", "GOPRIVATE=")
		return b.build(t, binary, project, b.newCaches(t), env, slices.Concat(words, d.words())...)
	}
	grow(t, database, 0, 20)
	if learned := run("learn", "-o", policy); learned.code != 0 {
		t.Fatalf("learn: exit code %d\n%s", learned.code, learned.out)
	}
	before := d.paths()
	grow(t, database, 20, 700)
	again := run("enforce", "-policy", policy)
	after := d.paths()
	if again.code != 0 || len(again.denials()) > 0 {
		t.Errorf("enforce on a grown database: exit code %d, denied %q\n%s\n%s", again.code, urls(again.denials()), again.out, read(t, policy))
	}
	isNew := func(path string) bool { return strings.Contains(path, "/tile/") && !slices.Contains(before, path) }
	if !slices.ContainsFunc(after, isNew) {
		t.Errorf("the same tiles were read of a database that had grown: it shows nothing: %q", after)
	}
}

// newDatabase knows the sums of the Go example, and makes up all others.
func newDatabase(t *testing.T) (database *sumdb.TestServer, verifier string) {
	t.Helper()
	signer, verifier, err := note.GenerateKey(rand.Reader, sumdbName)
	if err != nil {
		t.Fatal(err)
	}
	sums := read(t, filepath.Join("go", "go.sum"))
	return sumdb.NewTestServer(signer, func(path, version string) ([]byte, error) {
		line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(path+" "+version) + `(/go\.mod)? h1:\S+\n`)
		if lines := line.FindAllString(sums, -1); len(lines) == 2 {
			return []byte(lines[0] + lines[1]), nil
		}
		return fmt.Appendf(nil, "%s %s h1:none\n%s %s/go.mod h1:none\n", path, version, path, version), nil
	}), verifier
}

func grow(t *testing.T, database *sumdb.TestServer, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		m := module.Version{Path: fmt.Sprintf("example.org/m%d", i), Version: "v1.0.0"}
		if _, err := database.Lookup(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}
