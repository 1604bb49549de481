package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/juliendoutre/proxaudit/enforce/isolate"
	"github.com/juliendoutre/proxaudit/internal/ca"
	"github.com/juliendoutre/proxaudit/policy/rego/regotest"
)

func TestMain(m *testing.M) {
	if code, ok := wrapped(); ok {
		os.Exit(code)
	}
	testscript.Main(m, map[string]func(){"proxaudit": main})
}

// scriptsLimit is more than all scripts take on a busy machine. What a script waits
// for then is interrupted, and the script shows how far it came.
const scriptsLimit = 10 * time.Minute

// TestScripts runs proxaudit as its users type it, with curl as the command
// that is wrapped and a server of the test's own as the internet.
func TestScripts(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("under CI this must run: curl is not installed")
		}
		t.Skip("curl is not installed")
	}
	testscript.Run(t, testscript.Params{
		Deadline:            time.Now().Add(scriptsLimit),
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Condition:           condition,
		Setup:               setup,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"opabuild": opaBuild},
	})
}

// condition answers [need:NAME]: whether a program is installed, and [netns]:
// whether commands can be confined. Under CI, where .ci/run installs them all,
// what is missing is an error.
func condition(cond string) (bool, error) {
	if cond == "netns" {
		f := isolate.ProbeNetns(context.Background())
		if !f.Works && os.Getenv("CI") == "true" {
			return false, fmt.Errorf("under CI this must run: %s", f.Detail)
		}
		if outsideAddress() == "" {
			return false, errors.New("this machine has no address but the loopback's")
		}
		return f.Works, nil
	}
	name, ok := strings.CutPrefix(cond, "need:")
	if !ok {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	_, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "true" {
		return false, fmt.Errorf("under CI this must run: %s is not installed", name)
	}
	return err == nil, nil
}

// opaBuild is the command `opabuild FOLDER BUNDLE [KEY]`: it builds the folder
// and, where KEY is given, signs it and writes the public key there. A key that
// is there already is replaced.
func opaBuild(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: opabuild FOLDER BUNDLE [KEY]")
	}
	var signer *regotest.Signer
	if len(args) > 2 {
		var err error
		signer, err = regotest.NewSigner("ES256")
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), signer.Public, 0o600))
	}
	data, err := regotest.Bundle(os.DirFS(ts.MkAbs(args[0])), signer)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
}

// bundleServer serves the script's folder "bundles" as a bundle server does, each
// file with an ETag; below "private" it wants the token "s3cret". While the file
// "down" is there, it answers 503. Each request goes into "bundle-requests".
func bundleServer(env *testscript.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log, err := os.OpenFile(filepath.Join(env.WorkDir, "bundle-requests"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprintf(log, "%s %s %s\n", r.Method, r.URL.Path, r.Header.Get("Authorization"))
		_ = log.Close()
		_, down := os.Stat(filepath.Join(env.WorkDir, "down"))
		data, err := os.ReadFile(filepath.Join(env.WorkDir, filepath.FromSlash(r.URL.Path)))
		switch {
		case down == nil:
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasPrefix(r.URL.Path, "/bundles/private/") && r.Header.Get("Authorization") != "Bearer s3cret":
			w.WriteHeader(http.StatusUnauthorized)
		case err != nil:
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(data))))
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		}
	})
}

// gitServer serves the repositories below the script's folder "git", to read
// and to push to, by git's own program.
func gitServer(env *testscript.Env) http.Handler {
	git, err := exec.LookPath("git")
	if err != nil {
		return http.NotFoundHandler()
	}
	return &cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Root: "/git",
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Join(env.WorkDir, "git"), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=tester"},
	}
}

// serverEverywhere returns a server on every address of this machine: a confined
// command has a loopback of its own.
func serverEverywhere(h http.Handler) (*httptest.Server, error) {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		return nil, err
	}
	return &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}, nil
}

// outsideAddress returns an address of this machine that is no loopback one, ""
// where it has none.
func outsideAddress() string {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return n.IP.String()
		}
	}
	return ""
}

// setup starts the origin server of one script. $HTTPS and $HTTP are its URLs;
// /held there is answered in part, and in whole once the script's folder has a
// file "release". $NAME is this machine's name and $OUTSIDE its address, $BUSY a
// port in use and $FREE one that is kept for a server that the script starts; what reached the origin is appended to
// the file "received" in the script's folder. It redirects to $CDN, see
// contentNetwork.
func setup(env *testscript.Env) error {
	received, err := os.OpenFile(filepath.Join(env.WorkDir, "received"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	env.Defer(func() { _ = received.Close() })
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(received, "%s %s\n", r.Method, r.RequestURI)
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello from the origin\n")
	})
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("/held", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "the first half\n")
		_ = http.NewResponseController(w).Flush()
		h(w, r)
		for {
			if _, err := os.Stat(filepath.Join(env.WorkDir, "release")); err == nil || r.Context().Err() != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	mux.Handle("/git/", gitServer(env))
	mux.Handle("/bundles/", bundleServer(env))
	network, err := newContentNetwork(env, mux)
	if err != nil {
		return err
	}
	network.redirectTo(mux)
	authority, err := ca.New()
	if err != nil {
		return err
	}
	outside := outsideAddress()
	plain, err := serverEverywhere(mux)
	if err != nil {
		return err
	}
	secure, err := serverEverywhere(mux)
	if err != nil {
		return err
	}
	cdn, err := serverEverywhere(network)
	if err != nil {
		return err
	}
	secure.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		local, _, _ := net.SplitHostPort(hello.Conn.LocalAddr().String())
		leaf, err := authority.Leaf(cmp.Or(hello.ServerName, local))
		if err != nil {
			return nil, err
		}
		return &tls.Config{Certificates: []tls.Certificate{*leaf}}, nil
	}}
	cdn.TLS = secure.TLS.Clone()
	_, network.port, _ = net.SplitHostPort(cdn.Listener.Addr().String())
	plain.Start()
	secure.StartTLS()
	cdn.StartTLS()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Defer(func() { plain.Close(); secure.Close(); cdn.Close(); _ = busy.Close() })
	free, release, err := reservePort()
	if err != nil {
		return err
	}
	env.Defer(release)
	roots := filepath.Join(env.WorkDir, "origin-ca.pem")
	if err := os.WriteFile(roots, authority.CertificatePEM(), 0o600); err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	_, plainPort, _ := net.SplitHostPort(plain.Listener.Addr().String())
	_, securePort, _ := net.SplitHostPort(secure.Listener.Addr().String())
	env.Setenv("HTTP", "http://127.0.0.1:"+plainPort)
	env.Setenv("HTTPS", "https://127.0.0.1:"+securePort)
	env.Setenv("CDN", "https://127.0.0.1:"+network.port)
	env.Setenv("OUTSIDE", outside)
	env.Setenv("BUSY", port)
	env.Setenv("FREE", strconv.Itoa(free))
	name, err := os.Hostname() // it leads to this machine, and is no loopback address
	if err != nil {
		return err
	}
	env.Setenv("NAME", name)
	env.Setenv("SSL_CERT_FILE", roots)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"} {
		env.Setenv(name, "")
	}
	return nil
}
