package examples

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/ca"
)

// registries are servers by the names of gems.test, composer.test, nuget.test,
// registry.test, auth.test and cdn.test, and what they were asked.
type registries struct {
	*origin
	dir string
}

// backend is where the real registry of images listens.
const backend = "127.0.0.1:5000"

func newRegistries(t *testing.T, authority *ca.Authority, dir string) *registries {
	t.Helper()
	g := &registries{&origin{seen: map[string][]string{}}, dir}
	mux := http.NewServeMux()
	gems := http.FileServer(http.Dir(makeGems(t, filepath.Join(dir, "gems"))))
	mux.Handle("gems.test/", gems)
	for _, project := range []string{"7", "8"} { // as GitLab has them
		base := "/api/v4/projects/" + project + "/packages/rubygems"
		mux.Handle("gems.test"+base+"/", http.StripPrefix(base, gems))
	}
	composerServer(t, mux)
	nugetServer(t, mux)
	mux.Handle("registry.test/", httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: backend}))
	mux.Handle("cdn.test/", http.FileServer(http.Dir(filepath.Join(dir, "images"))))
	mux.HandleFunc("auth.test/token", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"token":"x"}`) })
	g.serve(t, authority, mux)
	plain := &http.Server{Addr: ":80", Handler: g.noted(mux), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = plain.ListenAndServe() }()
	t.Cleanup(func() { plain.Close() })
	g.startImages(t)
	return g
}

// take returns what any of them was asked since the last time.
func (g *registries) take() string {
	var seen []string
	for _, name := range []string{"gems", "composer", "nuget", "registry", "auth", "cdn", "private", "git", "api.git", "codeload.git", "index", "crates", "goproxy"} {
		seen = append(seen, g.origin.take(name+".test")...)
	}
	return strings.Join(seen, "\n")
}

// makeGems builds gems and both indexes of a server: the compact one, and the one
// before it, which gem's older commands still ask for.
func makeGems(t *testing.T, dir string) string {
	if err := os.MkdirAll(filepath.Join(dir, "gems"), 0o755); err != nil {
		t.Fatal(err)
	}
	names, versions := "---\n", "created_at: 2026-01-01T00:00:00Z\n---\n"
	for name, releases := range map[string][]string{"demo": {"0.9.0", "1.0.0"}, "other": {"1.0.0"}, "native": {"1.0.0", "1.0.0-x86_64-linux"}} {
		info := "---\n"
		for _, version := range releases {
			number, platform, _ := strings.Cut(version, "-")
			spec := fmt.Sprintf(`Gem::Specification.new { |s| s.name, s.version, s.platform, s.summary, s.authors, s.files = %q, %q, %q, "x", ["x"], [] }`,
				name, number, cmp.Or(platform, "ruby"))
			write(t, filepath.Join(dir, "x.gemspec"), spec+"\n")
			command(t, dir, "gem", "build", "--force", "--output", "gems/"+name+"-"+version+".gem", "x.gemspec")
			info += fmt.Sprintf("%s |checksum:%x\n", version, sha256.Sum256([]byte(read(t, filepath.Join(dir, "gems", name+"-"+version+".gem")))))
		}
		if err := os.MkdirAll(filepath.Join(dir, "info"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "info", name), info)
		names += name + "\n"
		versions += fmt.Sprintf("%s %s %x\n", name, strings.Join(releases, ","), md5.Sum([]byte(info)))
	}
	write(t, filepath.Join(dir, "names"), names)
	write(t, filepath.Join(dir, "versions"), versions)
	command(t, dir, "ruby", "-rrubygems/package", "-rfileutils", "-e", `
FileUtils.mkdir_p("quick/Marshal.4.8")
specs = Dir["gems/*.gem"].map { |file| Gem::Package.new(file).spec }
specs.each { |s| File.binwrite("quick/Marshal.4.8/#{s.full_name}.gemspec.rz", Gem.deflate(Marshal.dump(s))) }
all = specs.map { |s| [s.name, s.version, s.platform.to_s] }
{"specs" => all, "latest_specs" => all, "prerelease_specs" => []}.each { |name, list| File.binwrite("#{name}.4.8.gz", Gem::Util.gzip(Marshal.dump(list))) }
`)
	return dir
}

// composerServer answers as Packagist does, and keeps archives as Satis does.
func composerServer(t *testing.T, mux *http.ServeMux) {
	answer := func(path, body string) {
		mux.HandleFunc("composer.test"+path, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	}
	answer("/packages.json", `{"packages":[],"metadata-url":"/p2/%package%.json"}`)
	for name, releases := range map[string][]string{"demo": {"0.9.0", "1.0.0"}, "other": {"1.0.0"}} {
		var entries []string
		for _, version := range releases {
			file := fmt.Sprintf("/dist/acme/%s/acme-%s-%s-9f0a1b.zip", name, name, version)
			answer(file, zipped(t, map[string]string{"x/README": "acme/" + name + " " + version + "\n", "x/composer.json": `{"name":"acme/` + name + `"}`}))
			entries = append(entries, fmt.Sprintf(`{"name":"acme/%s","version":%q,"dist":{"type":"zip","url":"https://composer.test%s"}}`, name, version, file))
		}
		answer("/p2/acme/"+name+".json", fmt.Sprintf(`{"packages":{"acme/%s":[%s]}}`, name, strings.Join(entries, ",")))
	}
}

// nugetServer answers as NuGet V2 does (https://learn.microsoft.com/nuget, "NuGet
// Server API V2"), which is what Debian's client speaks.
func nugetServer(t *testing.T, mux *http.ServeMux) {
	const base = "http://nuget.test/api/v2"
	mux.HandleFunc("nuget.test/api/v2/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, `<service xml:base="`+base+`/" xmlns="http://www.w3.org/2007/app" xmlns:atom="http://www.w3.org/2005/Atom"><workspace><atom:title>Default</atom:title><collection href="Packages"><atom:title>Packages</atom:title></collection></workspace></service>`)
	})
	for id, releases := range map[string][]string{"Demo": {"0.9.0", "1.0.0"}, "Other": {"1.0.0"}} {
		for _, version := range releases {
			file := zipped(t, map[string]string{"_rels/.rels": `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/` + id + `.nuspec" Id="R1"/></Relationships>`,
				"[Content_Types].xml": `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="nuspec" ContentType="application/octet"/><Default Extension="txt" ContentType="application/octet"/></Types>`,
				id + ".nuspec": `<?xml version="1.0"?><package xmlns="http://schemas.microsoft.com/packaging/2010/07/nuspec.xsd"><metadata><id>` + id +
					`</id><version>` + version + `</version><authors>x</authors><description>x</description></metadata></package>`, "content/x.txt": "x"})
			entry := fmt.Sprintf(`<?xml version="1.0"?><entry xml:base="%s/" xmlns="http://www.w3.org/2005/Atom" xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><id>%[1]s/Packages(Id='%s',Version='%s')</id><title>%[2]s</title><updated>2026-01-01T00:00:00Z</updated><author><name>x</name></author><content type="application/zip" src="%[1]s/package/%[2]s/%[3]s"/><m:properties><d:Id>%[2]s</d:Id><d:Version>%[3]s</d:Version><d:PackageHashAlgorithm>SHA512</d:PackageHashAlgorithm></m:properties></entry>`, base, id, version)
			mux.HandleFunc(fmt.Sprintf("nuget.test/api/v2/Packages(Id='%s',Version='%s')", id, version), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/atom+xml;type=entry;charset=utf-8")
				_, _ = io.WriteString(w, entry)
			})
			mux.HandleFunc(fmt.Sprintf("nuget.test/api/v2/package/%s/%s", id, version), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/zip")
				_, _ = io.WriteString(w, file)
			})
		}
	}
}

// startImages starts Debian's registry, which sends clients to auth.test for a
// token and to cdn.test for blobs, and fills it.
func (g *registries) startImages(t *testing.T) {
	for _, program := range []string{"docker-registry", "skopeo"} {
		if _, err := exec.LookPath(program); err != nil {
			return
		}
	}
	config := filepath.Join(g.dir, "registry.yml")
	write(t, config, "version: 0.1\nstorage: {filesystem: {rootdirectory: "+filepath.Join(g.dir, "images")+"}}\nhttp: {addr: "+backend+
		"}\nauth: {silly: {realm: 'https://auth.test/token', service: registry.test}}\n"+
		"middleware: {storage: [{name: redirect, options: {baseurl: 'https://cdn.test/'}}]}\n")
	start(t, "listening on", nil, "docker-registry", "serve", config)
	for reference, content := range map[string]string{"acme/demo:1.0": "demo", "acme/demo:2.0": "two", "acme/tool:1.0": "tool", "evil/demo:1.0": "demo"} {
		g.push(t, reference, content)
	}
}

// push puts an image under a reference, and whatever was there stays under its
// digest.
func (g *registries) push(t *testing.T, reference, content string) {
	t.Helper()
	layout := t.TempDir()
	blobs := filepath.Join(layout, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		t.Fatal(err)
	}
	files, index := image(content)
	for _, blob := range files {
		write(t, filepath.Join(blobs, fmt.Sprintf("%x", sha256.Sum256([]byte(blob)))), blob)
	}
	write(t, filepath.Join(layout, "oci-layout"), `{"imageLayoutVersion":"1.0.0"}`)
	write(t, filepath.Join(layout, "index.json"), jsonOf(map[string]any{"schemaVersion": 2, "manifests": []any{index}}))
	command(t, layout, "skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", "oci:"+layout, "docker://"+backend+"/"+reference)
}

type object = map[string]any

// image returns an image for two platforms as the OCI image specification has it:
// its blobs and the descriptor of its index.
func image(content string) (blobs []string, index object) {
	const kind = "application/vnd.oci.image."
	add := func(mediaType, blob string) object {
		blobs = append(blobs, blob)
		return object{"mediaType": kind + mediaType, "size": len(blob), "digest": fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(blob)))}
	}
	var manifests []any
	for _, arch := range []string{"amd64", "arm64"} {
		var layer, packed bytes.Buffer
		w := tar.NewWriter(&layer)
		text := content + " for " + arch + "\n"
		_ = w.WriteHeader(&tar.Header{Name: "README", Mode: 0o644, Size: int64(len(text))})
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		z := gzip.NewWriter(&packed) // or skopeo would do it, and the digests were others
		_, _ = z.Write(layer.Bytes())
		_ = z.Close()
		l := add("layer.v1.tar+gzip", packed.String())
		platform := object{"architecture": arch, "os": "linux"}
		config := add("config.v1+json", jsonOf(object{"architecture": arch, "os": "linux", "rootfs": object{"type": "layers", "diff_ids": []any{fmt.Sprintf("sha256:%x", sha256.Sum256(layer.Bytes()))}}}))
		m := add("manifest.v1+json", jsonOf(object{"schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": config, "layers": []any{l}}))
		m["platform"] = platform
		manifests = append(manifests, m)
	}
	index = add("index.v1+json", jsonOf(object{"schemaVersion": 2, "mediaType": kind + "index.v1+json", "manifests": manifests}))
	return blobs, index
}

// imageDigest is that of the index of image(content).
func imageDigest(content string) string {
	_, index := image(content)
	return index["digest"].(string)
}

// blobPath is where the registry keeps a blob, and where it redirects to.
func blobPath(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return "/docker/registry/v2/blobs/sha256/" + hex[:2] + "/" + hex + "/data"
}

func jsonOf(v any) string {
	b, _ := json.Marshal(v) // of strings and numbers alone
	return string(b)
}
