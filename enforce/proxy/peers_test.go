package proxy

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// peers is a wire whose client and server are other people's programs.
type peers struct {
	*wire
	dir  string // ca.pem of the run, cert.pem and key.pem of the server, www
	addr string // where a client connects to: the proxy
	file []byte // www/file
}

// program returns the path of a program that Debian brings, or says what is
// missing: under CI, by failing.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing; .ci/run installs it", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// newPeers opens the entrance for connections that nobody announces one by one.
func newPeers(t *testing.T, e entrance) *peers {
	t.Helper()
	return peersBy(t, e, allowHost("ok.test"))
}

// peersBy is newPeers with another policy.
func peersBy(t *testing.T, e entrance, by policy.Policy) *peers {
	t.Helper()
	w := newWire(t, e, by, text("unused"))
	p := &peers{wire: w, dir: t.TempDir(), addr: w.addr, file: make([]byte, 300_000)}
	_, _ = rand.Read(p.file[:200_000]) // the rest compresses
	leaf, err := w.origin.authority.Leaf("ok.test")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var chain []byte
	for _, der := range leaf.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	p.write("cert.pem", chain)
	p.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	p.write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.ca.Raw}))
	p.write("www/file", p.file)
	return p
}

func (p *peers) write(name string, data []byte) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// announce says what the connections of programs are meant for.
func (p *peers) announce() {
	target := netip.AddrPortFrom(jailAddr, 1)
	if p.captured {
		target = netip.AddrPortFrom(okAddr, uint16(p.at))
	}
	p.jail.mu.Lock()
	defer p.jail.mu.Unlock()
	p.jail.other = target
}

// freePort returns a port on 127.0.0.1 at which nobody listens. The kernel gives
// none of these out by itself (net.ipv4.ip_local_port_range, ip(7)), and that of UDP,
// held until the test is over, keeps away other tests that look for one.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 10_000 + mathrand.IntN(20_000)
		held, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close()
			t.Cleanup(func() { _ = held.Close() })
			return port
		}
		_ = held.Close()
	}
	t.Fatal("no port is free")
	return 0
}

// serve starts a server and waits until it listens.
func (p *peers) serve(start func(port string) *exec.Cmd) {
	p.t.Helper()
	p.at = freePort(p.t)
	var said bytes.Buffer
	cmd := start(fmt.Sprint(p.at))
	cmd.Dir = filepath.Join(p.dir, "www")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); <-gone })
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-gone:
			gone <- err
			p.t.Fatalf("%s: %v\n%s", cmd.Args, err, said.Bytes())
		default:
		}
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.at)); err == nil {
			_ = c.Close()
			p.announce()
			return
		}
	}
	p.t.Fatalf("%s does not listen", cmd.Args)
}

// run runs a client and returns what it printed.
func (p *peers) run(stdin []byte, name string, args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(p.t, name), args...)
	cmd.Dir = p.dir
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(), "no_proxy=", "NO_PROXY=", "http_proxy=", "https_proxy=", "HTTP_PROXY=", "HTTPS_PROXY=")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		p.t.Errorf("%s %.200q: %v\n%s", name, args, err, complaints.Bytes())
	}
	return string(out)
}

// curl asks for a path and returns "status version" and the body.
func (p *peers) curl(stdin []byte, path string, args ...string) (said, body string) {
	p.t.Helper()
	scheme := "https"
	if !p.secure {
		scheme = "http"
	}
	all := append([]string{"-sS", "--cacert", "ca.pem", "-o", "out", "-w", "%{http_code} %{http_version}", "--max-time", fmt.Sprint(patience.Seconds())}, args...)
	if p.captured {
		all = append(all, "--connect-to", p.fill("%h:")+p.addr)
	} else {
		all = append(all, "-x", "http://"+p.addr)
	}
	_ = os.Remove(filepath.Join(p.dir, "out"))
	said = p.run(stdin, "curl", append(all, scheme+p.fill("://%h")+path)...)
	out, _ := os.ReadFile(filepath.Join(p.dir, "out"))
	return said, string(out)
}

// entrancesOfPeers are those that a program can be pointed at.
var entrancesOfPeers = []entrance{
	{name: "explicit", secure: true},
	{name: "captured", secure: true, captured: true},
}

func (p *peers) nginx() {
	p.t.Helper()
	path := program(p.t, "nginx")
	p.serve(func(port string) *exec.Cmd {
		p.write("nginx.conf", []byte(`
daemon off; master_process off; pid nginx.pid; error_log stderr crit; user root;
events {}
http {
	access_log off; gzip on; gzip_min_length 1; gzip_types *; client_max_body_size 10m;
	client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
	server {
		listen 127.0.0.1:`+port+` ssl http2;
		ssl_certificate cert.pem; ssl_certificate_key key.pem;
		root www;
		location /put/ { dav_methods PUT DELETE; create_full_put_path on; }
		location /echo { default_type text/plain; return 200 "$request_method $server_protocol $http_host $request_uri $http_x_kept"; }
		location /wait { return 204; }
	}
}`))
		return exec.Command(path, "-e", "stderr", "-p", p.dir, "-c", "nginx.conf")
	})
}

// TestCurlAndNginx: curl in each version of HTTP, and nginx, notice nothing.
func TestCurlAndNginx(t *testing.T) {
	t.Parallel()
	for _, e := range entrancesOfPeers {
		t.Run(e.name, func(t *testing.T) {
			p := newPeers(t, e)
			p.nginx()
			upload := bytes.Repeat([]byte("upload "), 100_000)
			for version, flag := range map[string]string{"1.0": "--http1.0", "1.1": "--http1.1", "2": "--http2"} {
				in := map[string]string{"1.0": "1", "1.1": "1.1", "2": "2"}[version] // of the answer
				want := func(what, said, wantSaid string, ok bool) {
					if said != wantSaid+" "+in || !ok {
						t.Errorf("HTTP/%s, %s: %q", version, what, said)
					}
				}
				said, body := p.curl(nil, "/file", flag)
				want("a file", said, "200", body == string(p.file))
				said, body = p.curl(nil, "/file", flag, "--compressed")
				want("compressed", said, "200", body == string(p.file))
				said, body = p.curl(nil, "/file", flag, "-r", "10-19")
				want("a range", said, "206", body == string(p.file[10:20]))
				said, body = p.curl(nil, "/file", flag, "-r", "0-1,100-101")
				want("two ranges", said, "206", strings.Count(body, "Content-Range: ") == 2)
				said, _ = p.curl(nil, "/file", flag, "-r", "999999-")
				want("no range", said, "416", true)
				said, body = p.curl(nil, "/file", flag, "-I")
				want("HEAD", said, "200", strings.Contains(strings.ToLower(body), "content-length: 300000"))
				said, _ = p.curl(nil, "/wait", flag)
				want("204", said, "204", true)
				said, body = p.curl(nil, "/echo/%2Fa%20b?c=%2e", flag, "-H", "X-Kept: yes", "--path-as-is")
				proto := map[string]string{"1.0": "HTTP/1.1", "1.1": "HTTP/1.1", "2": "HTTP/2.0"}[version]
				want("what arrives", said, "200", body == p.fill("GET "+proto+" %h /echo/%2Fa%20b?c=%2e yes"))
				if body != p.fill("GET "+proto+" %h /echo/%2Fa%20b?c=%2e yes") {
					t.Errorf("%q", body)
				}
				name := "/put/" + version
				if version != "1.0" { // which has no way to send a body of unknown length
					said, _ = p.curl(upload, name, flag, "-T", "-")
					want("an upload", said, "201", p.holds(name, upload))
				}
				p.write("upload", upload)
				said, _ = p.curl(nil, name+"x", flag, "-T", "upload", "-H", "Expect: 100-continue")
				want("an upload that asks", said, "201", p.holds(name+"x", upload))
			}
			p.end()
			for _, ev := range p.events.of(enforce.StageResponse) {
				if ev.Error != "" && ev.Status == 200 {
					t.Errorf("event %+v", ev)
				}
			}
		})
	}
}

// holds reports whether a file of the server's is data.
func (p *peers) holds(name string, data []byte) bool {
	got, err := os.ReadFile(filepath.Join(p.dir, "www", name))
	return err == nil && bytes.Equal(got, data)
}

// TestCurlDenied: curl prints our words where it was refused.
func TestCurlDenied(t *testing.T) {
	t.Parallel()
	for _, e := range entrancesOfPeers {
		p := newPeers(t, e)
		p.nginx()
		said, body := p.curl(nil, "/file", "-H", "Host: evil.test")
		if !strings.HasPrefix(said, "403") || !strings.Contains(body, "evil.test") {
			t.Errorf("%s: %q %q", e.name, said, body)
		}
	}
}

// TestOtherServers: curl gets a file from servers of other families.
func TestOtherServers(t *testing.T) {
	t.Parallel()
	servers := []struct {
		name   string
		secure bool
		start  func(p *peers, path, port string) *exec.Cmd
		flags  []string
	}{
		{"nghttpd", true, func(p *peers, path, port string) *exec.Cmd {
			return exec.Command(path, "-a", "127.0.0.1", "-d", filepath.Join(p.dir, "www"), port, filepath.Join(p.dir, "key.pem"), filepath.Join(p.dir, "cert.pem"))
		}, []string{"--http2"}},
		{"openssl", true, func(p *peers, path, port string) *exec.Cmd {
			return exec.Command(path, "s_server", "-accept", "127.0.0.1:"+port, "-WWW", "-quiet", "-cert", filepath.Join(p.dir, "cert.pem"), "-key", filepath.Join(p.dir, "key.pem"))
		}, []string{"--http1.1"}},
		{"python3", false, func(p *peers, path, port string) *exec.Cmd {
			return exec.Command(path, "-m", "http.server", "-b", "127.0.0.1", port)
		}, []string{"--http1.1"}},
		{"node", true, func(p *peers, path, port string) *exec.Cmd {
			return exec.Command(path, "-e", `
const fs = require("fs"), [port, dir] = process.argv.slice(1)
const o = {key: fs.readFileSync(dir + "/key.pem"), cert: fs.readFileSync(dir + "/cert.pem"), allowHTTP1: true}
require("http2").createSecureServer(o, (q, r) => {
	if (r.writeEarlyHints) r.writeEarlyHints({link: "</a.css>; rel=preload"})
	r.writeHead(200, {"x-version": q.httpVersion}); fs.createReadStream("file").pipe(r)
}).listen(+port, "127.0.0.1")`, port, p.dir)
		}, []string{"--http2", "-D", "head"}},
	}
	for _, e := range entrancesOfPeers {
		for _, s := range servers {
			t.Run(e.name+", "+s.name, func(t *testing.T) {
				path := program(t, s.name)
				e.secure = s.secure
				e.absolute = !s.secure && !e.captured
				p := newPeers(t, e)
				p.serve(func(port string) *exec.Cmd { return s.start(p, path, port) })
				said, body := p.curl(nil, "/file", s.flags...)
				if !strings.HasPrefix(said, "200") || body != string(p.file) {
					t.Errorf("%q, %d bytes", said, len(body))
				}
				if s.name == "node" {
					head, _ := os.ReadFile(filepath.Join(p.dir, "head"))
					if !strings.Contains(string(head), "103") || !strings.Contains(string(head), "preload") {
						t.Errorf("no early hints in %q", head)
					}
				}
			})
		}
	}
}

// TestOtherClients: clients of other families get the file from nginx.
func TestOtherClients(t *testing.T) {
	t.Parallel()
	python := `
import http.client, ssl, socket, sys
explicit, proxy, port = sys.argv[1] == "explicit", int(sys.argv[2]), int(sys.argv[3])
ctx = ssl.create_default_context(cafile="ca.pem")
if explicit:
    c = http.client.HTTPSConnection("127.0.0.1", proxy, context=ctx)
    c.set_tunnel("ok.test", port)
else:
    c = http.client.HTTPSConnection("ok.test", port, context=ctx)
    c.sock = ctx.wrap_socket(socket.create_connection(("127.0.0.1", proxy)), server_hostname="ok.test")
for _ in range(3):
    c.request("GET", "/file", headers={"Host": "ok.test:%d" % port})
    r = c.getresponse(); body = r.read()
    assert r.status == 200 and body == open("www/file", "rb").read(), (r.status, len(body))
c.request("PUT", "/put/python", body=iter([b"a" * 1000, b"b"]), headers={"Host": "ok.test:%d" % port}, encode_chunked=True)
assert c.getresponse().status == 201
print("fine")`
	node := `
const fs = require("fs"), net = require("net"), tls = require("tls"), http = require("http"), https = require("https"), http2 = require("http2")
const [entrance, proxy, port] = process.argv.slice(1), ca = fs.readFileSync("ca.pem"), want = fs.readFileSync("www/file")
const open = (alpn, f) => {
	const up = socket => { const s = tls.connect({socket, servername: "ok.test", ca, ALPNProtocols: alpn}, () => f(s)) }
	if (entrance === "explicit")
		http.request({host: "127.0.0.1", port: proxy, method: "CONNECT", path: "ok.test:" + port}).on("connect", (r, s) => up(s)).end()
	else { const s = net.connect(proxy, "127.0.0.1", () => up(s)) }
}
const check = (what, parts) => { if (Buffer.compare(Buffer.concat(parts), want)) throw what; console.log(what) }
open(["http/1.1"], s => https.get({createConnection: () => s, path: "/file", headers: {host: "ok.test:" + port}}, r => {
	const parts = []; r.on("data", d => parts.push(d)).on("end", () => { check("http1", parts)
		open(["h2"], s => { const c = http2.connect("https://ok.test:" + port, {createConnection: () => s}), q = c.request({":path": "/file"}), parts = []
			q.on("data", d => parts.push(d)).on("end", () => { check("http2", parts); c.close(); s.destroy(); process.exit(0) }) }) })
}))`
	java := `
import java.net.*; import java.net.http.*; import java.nio.file.*; import java.security.*; import java.security.cert.*; import java.util.*; import javax.net.ssl.*;
public class Get { public static void main(String[] a) throws Exception {
	KeyStore k = KeyStore.getInstance(KeyStore.getDefaultType()); k.load(null);
	try (var in = Files.newInputStream(Path.of("ca.pem"))) { k.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in)); }
	var tm = TrustManagerFactory.getInstance("PKIX"); tm.init(k); var s = SSLContext.getInstance("TLS"); s.init(null, tm.getTrustManagers(), null);
	var want = Files.readAllBytes(Path.of("www/file"));
	for (var v : HttpClient.Version.values()) {
		var c = HttpClient.newBuilder().version(v).sslContext(s).proxy(ProxySelector.of(new InetSocketAddress("127.0.0.1", Integer.parseInt(a[1])))).build();
		var r = c.send(HttpRequest.newBuilder(URI.create("https://ok.test:" + a[2] + "/file")).build(), HttpResponse.BodyHandlers.ofByteArray());
		if (r.statusCode() != 200 || r.version() != v || !Arrays.equals(r.body(), want)) throw new Exception(r + " " + r.version());
		var p = c.send(HttpRequest.newBuilder(URI.create("https://ok.test:" + a[2] + "/put/java" + v)).expectContinue(true).PUT(HttpRequest.BodyPublishers.ofInputStream(() -> new java.io.ByteArrayInputStream(want))).build(), HttpResponse.BodyHandlers.ofString());
		if (p.statusCode() != 201) throw new Exception("" + p);
		System.out.println(v); } } }`
	for _, e := range entrancesOfPeers {
		t.Run(e.name, func(t *testing.T) {
			p := newPeers(t, e)
			p.nginx()
			_, port, _ := net.SplitHostPort(p.addr)
			args := []string{e.name, port, fmt.Sprint(p.at)}
			t.Run("python", func(t *testing.T) {
				if out := p.run(nil, "python3", append([]string{"-c", python}, args...)...); out != "fine\n" {
					t.Errorf("%q", out)
				}
			})
			t.Run("node", func(t *testing.T) {
				if out := p.run(nil, "node", append([]string{"-e", node}, args...)...); out != "http1\nhttp2\n" {
					t.Errorf("%q", out)
				}
			})
			t.Run("openssl", func(t *testing.T) {
				connect := []string{"s_client", "-quiet", "-ign_eof", "-CAfile", "ca.pem", "-verify_return_error"}
				if e.captured {
					connect = append(connect, "-connect", p.addr)
				} else {
					connect = append(connect, "-proxy", p.addr, "-connect", p.fill("%h"))
				}
				ask := []byte(p.fill("GET /echo HTTP/1.1\r\nHost: %h\r\nConnection: close\r\n\r\n"))
				for sni, status := range map[string]string{"ok.test": "200", "evil.test": "403", "127.0.0.1": "403", "": "200"} {
					name := []string{"-servername", sni}
					if sni == "" {
						name = []string{"-noservername"}
					}
					if out := p.run(ask, "openssl", append(connect, name...)...); !strings.HasPrefix(out, "HTTP/1.1 "+status) {
						t.Errorf("server name %q: %q", sni, out)
					}
				}
			})
			if !e.captured { // it goes nowhere but to the host of its URL
				t.Run("java", func(t *testing.T) {
					p.write("Get.java", []byte(java))
					if out := p.run(nil, "java", append([]string{"Get.java"}, args...)...); out != "HTTP_1_1\nHTTP_2\n" {
						t.Errorf("%q", out)
					}
				})
				return
			}
			t.Run("nghttp", func(t *testing.T) {
				p.write("small", []byte("small"))
				authority := p.fill(":authority: %h")
				if out := p.run(nil, "nghttp", "--no-verify-peer", "-H", authority, "https://"+p.addr+"/file"); out != string(p.file) {
					t.Errorf("%d bytes", len(out))
				}
				if out := p.run(nil, "nghttp", "--no-verify-peer", "-n", "-s", "-m", "20", "-H", authority, "https://"+p.addr+"/file"); strings.Count(out, " 200 ") != 20 {
					t.Errorf("%s", out)
				}
				if out := p.run(nil, "nghttp", "--no-verify-peer", "-nv", "-H", ":method: PUT", "-H", authority, "-d", "small", "https://"+p.addr+"/put/nghttp"); !strings.Contains(out, ":status: 201") || !p.holds("put/nghttp", []byte("small")) {
					t.Errorf("%s", out)
				}
			})
		})
	}
}

// TestJavaOffersHTTP2: Java's client offers h2c with each request that is not
// encrypted. That breaks nothing.
func TestJavaOffersHTTP2(t *testing.T) {
	t.Parallel()
	got := make(chan string, 2)
	w := newWire(t, entrance{captured: true}, allowHost("ok.test"), headerRecorder(got))
	p := &peers{wire: w, dir: t.TempDir(), addr: w.addr}
	p.at = w.origin.plainPort
	p.announce()
	p.write("Get.java", []byte(`
import java.net.*; import java.net.http.*;
public class Get { public static void main(String[] a) throws Exception {
	var c = HttpClient.newHttpClient();
	for (int i = 0; i < 2; i++)
		System.out.println(c.send(HttpRequest.newBuilder(URI.create("http://" + a[0] + "/x")).header("Host", a[1]).build(), HttpResponse.BodyHandlers.ofString()).statusCode()); } }`))
	if out := p.run(nil, "java", "-Djdk.httpclient.allowRestrictedHeaders=host", "Get.java", p.addr, w.fill("%h")); out != "200\n200\n" {
		t.Fatalf("%q", out)
	}
	for range 2 {
		if h := await(t, got); h != "" {
			t.Errorf("the server received %s", h)
		}
	}
}
