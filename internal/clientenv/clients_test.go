package clientenv

import (
	"bytes"
	"context"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

// client is a real program that fetches something from an origin.
type client struct {
	name string
	// program must be there; required means that it must be in CI.
	program  string
	required bool
	argv     []string          // ORIGIN stands for the origin's URL
	files    map[string]string // in the working directory
	want     string            // in what it writes
	// noProxy is true for a client that no variable brings to a proxy.
	noProxy bool
}

func clients() []client {
	return []client{
		{name: "curl", program: "curl", required: true, argv: []string{"curl", "-fsS", "ORIGIN/file"}, want: hello},
		{name: "wget", program: "wget", argv: []string{"wget", "-qO-", "--tries=1", "ORIGIN/file"}, want: hello},
		{name: "git", program: "git", required: true, argv: []string{"git", "ls-remote", "ORIGIN/repo.git"}, want: "refs/heads/main"},
		{name: "python", program: "python3", required: true, want: hello,
			argv: []string{"python3", "-c", "import urllib.request as u; print(u.urlopen('ORIGIN/file').read().decode())"}},
		{name: "pip", program: "python3", required: true, want: "demo-1.0-py3-none-any.whl",
			argv: []string{"python3", "-m", "pip", "download", "--no-deps", "--retries=0", "--no-cache-dir", "--index-url", "ORIGIN/simple/", "demo"}},
		{name: "node", program: "node", required: true, want: hello, noProxy: true,
			argv: []string{"node", "-e", "require('https').get('ORIGIN/file', r => r.pipe(process.stdout))"}},
		{name: "npm", program: "npm", required: true, want: "1.0.0",
			argv:  []string{"npm", "view", "demo", "version", "--registry=ORIGIN/npm/", "--fetch-retries=0"},
			files: map[string]string{"package.json": "{}", ".npmrc": "cafile=/nonexistent/project.pem\nnoproxy=ok.test\n"}},
		{name: "go", program: "go", required: true, want: "v1.0.0", argv: []string{"go", "list", "-m", "-versions", "demo.test/m"},
			files: map[string]string{"go.mod": "module x\n"}},
		{name: "cargo", program: "cargo", required: true, want: "Locking 1 package", argv: []string{"cargo", "generate-lockfile"},
			files: map[string]string{
				"Cargo.toml":         "[package]\nname = \"x\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[dependencies]\ndemo = { version = \"1\", registry = \"local\" }\n",
				"src/lib.rs":         "",
				".cargo/config.toml": "[registries.local]\nindex = \"sparse+ORIGIN/index/\"\n[net]\nretry = 0\n",
			}},
		{name: "java", program: "java", required: true, want: hello, argv: []string{"java", "Get.java", "ORIGIN/file"},
			files: map[string]string{"Get.java": "public class Get { public static void main(String[] a) throws Exception { System.out.write(new java.net.URL(a[0]).openStream().readAllBytes()); System.out.flush(); } }"}},
		{name: "maven", program: "mvn", want: "BUILD SUCCESS", argv: []string{"mvn", "-B", "-s", "settings.xml", "validate"},
			files: map[string]string{
				"settings.xml": "<settings><localRepository>repository</localRepository><mirrors><mirror><id>m</id><mirrorOf>*</mirrorOf><url>ORIGIN/maven</url></mirror></mirrors></settings>",
				"pom.xml":      "<project><modelVersion>4.0.0</modelVersion><parent><groupId>test.demo</groupId><artifactId>parent</artifactId><version>1</version><relativePath/></parent><artifactId>x</artifactId><packaging>pom</packaging></project>",
			}},
		{name: "php curl", program: "php", required: true, want: hello,
			argv: []string{"php", "-r", "$c = curl_init('ORIGIN/file'); curl_setopt($c, CURLOPT_FAILONERROR, true); exit(curl_exec($c) ? 0 : 1);"}},
		{name: "php streams", program: "php", required: true, want: hello, noProxy: true,
			argv: []string{"php", "-r", "$s = file_get_contents('ORIGIN/file'); echo $s; exit($s === false ? 1 : 0);"}},
		{name: "apt", program: "/usr/lib/apt/apt-helper", want: "", argv: []string{"/usr/lib/apt/apt-helper", "download-file", "ORIGIN/file", "out"}},
	}
}

// TestRealClients runs each client three times against an origin that only the
// run's authority vouches for: as it is, where it must fail; with the trust that
// was made; and through a proxy for a name that only the proxy can reach, in an
// environment and with configuration files that say otherwise wherever they can.
//
// It takes about 40 seconds of CPU, most of it Java's.
func TestRealClients(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: starts every client three times")
	}
	a := newAuthority(t)
	origin := newOrigin(t, a)
	proxy := newTunnel(t, origin.Listener.Addr().String())
	roots := ReadRoots(nil)
	trust, err := roots.Write(nil, a.pem)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trust.Remove() })
	direct := strings.Replace(origin.URL, "127.0.0.1", "localhost", 1)

	for _, c := range clients() {
		t.Run(c.name, func(t *testing.T) {
			if _, err := exec.LookPath(c.program); err != nil {
				if c.required && os.Getenv("CI") == "true" {
					t.Fatalf("%s is missing, and CI must have it", c.program)
				}
				t.Skipf("%s is not installed", c.program)
			}
			outer := plainEnv(t)
			if out, err := c.run(t, direct, outer); err == nil {
				t.Errorf("it works without the run's trust, so it proves nothing:\n%s", out)
			}
			if out, err := c.run(t, direct, Environ(outer, "", trust)); err != nil || !strings.Contains(out, c.want) {
				t.Errorf("with the run's trust: %v\n%s", err, out)
			}
			if c.noProxy {
				return
			}
			hostile := hostileEnv(t, outer)
			out, err := c.run(t, "https://ok.test", Environ(hostile, proxy.url, trust))
			if err != nil || !strings.Contains(out, c.want) {
				t.Errorf("through the proxy: %v\n%s", err, out)
			}
			if asked := proxy.take(); !slices.Contains(asked, "ok.test:443") {
				t.Errorf("the proxy was asked for %q", asked)
			}
		})
	}
}

// run runs the client in a directory of its own and returns all it wrote.
func (c client) run(t *testing.T, url string, env []string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	fill := func(s string) string { return strings.ReplaceAll(s, "ORIGIN", url) }
	for name, text := range c.files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(fill(text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	argv := make([]string, len(c.argv))
	for i, a := range c.argv {
		argv[i] = fill(a)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(env, "GOPROXY="+url+"/go")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// plainEnv is an environment with a home of its own that says nothing about
// proxies and trust.
func plainEnv(t *testing.T) []string {
	t.Helper()
	real, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	keep := func(name, otherwise string) string {
		if v := os.Getenv(name); v != "" {
			return name + "=" + v
		}
		return name + "=" + otherwise
	}
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8", "TMPDIR=" + os.TempDir(),
		keep("RUSTUP_HOME", filepath.Join(real, ".rustup")), keep("PYENV_ROOT", filepath.Join(real, ".pyenv")),
		"CARGO_HOME=" + filepath.Join(home, ".cargo"), "GOPATH=" + filepath.Join(home, "go"), "GOCACHE=" + filepath.Join(home, "gocache"),
		"GOFLAGS=-modcacherw", "GOSUMDB=off", "GOTOOLCHAIN=local", "GIT_TERMINAL_PROMPT=0", "npm_config_update_notifier=false",
		"PIP_DISABLE_PIP_VERSION_CHECK=1", "npm_config_cache=" + filepath.Join(home, "npm"),
	}
}

// hostileEnv adds an outer proxy, an outer trust and exceptions wherever a
// client would read them. Nothing listens on port 1.
func hostileEnv(t *testing.T, plain []string) []string {
	t.Helper()
	const dead, nowhere = "http://127.0.0.1:1", "/nonexistent/outer.pem"
	home := lookup(plain, "HOME")
	for name, text := range map[string]string{
		".npmrc":               "cafile=" + nowhere + "\nproxy=" + dead + "\nhttps-proxy=" + dead + "\nnoproxy=ok.test\n",
		".config/pip/pip.conf": "[global]\ncert = " + nowhere + "\nproxy = " + dead + "\n",
		".gitconfig":           "[http]\n\tproxy = " + dead + "\n\tsslCAInfo = " + nowhere + "\n",
		".cargo/config.toml":   "[http]\nproxy = \"" + dead + "\"\ncainfo = \"" + nowhere + "\"\n",
	} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const java = "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=1 -Djavax.net.ssl.trustStore=/nonexistent/outer.jks"
	return slices.Concat(plain, []string{
		"HTTPS_PROXY=" + dead, "https_proxy=" + dead, "ALL_PROXY=" + dead, "NO_PROXY=*", "no_proxy=ok.test",
		"NPM_CONFIG_HTTPS_PROXY=" + dead, "NPM_CONFIG_CAFILE=" + nowhere, "NPM_CONFIG_NOPROXY=ok.test",
		"PIP_PROXY=" + dead, "CARGO_HTTP_PROXY=" + dead, "SSL_CERT_FILE=" + nowhere, "CURL_CA_BUNDLE=" + nowhere,
		"JAVA_TOOL_OPTIONS=" + java, "MAVEN_OPTS=" + java, "JDK_JAVA_OPTIONS=" + java,
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.proxy", "GIT_CONFIG_VALUE_0=" + dead,
	})
}
