package rego

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// entry is one member of a bundle.
type entry struct {
	name, content string
	kind          byte
}

// packed writes a .tar.gz and returns its path.
func packed(t testing.TB, entries []entry) string {
	t.Helper()
	var buf bytes.Buffer
	zipped := gzip.NewWriter(&buf)
	archive := tar.NewWriter(zipped)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: 0o644, Size: int64(len(e.content))}
		if e.kind == 0 {
			header.Typeflag = tar.TypeReg
		} else {
			header.Size, header.Linkname = 0, e.content
		}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if e.kind == 0 {
			if _, err := archive.Write([]byte(e.content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadBundle(t *testing.T) {
	module := entry{name: "/gate.rego", content: "package proxaudit\nallow if data.lists.hosts[input.host]"}
	data := entry{name: "/lists/data.json", content: `{"hosts": {"ok.test": true}}`}
	tests := map[string]struct {
		entries []entry
		want    string // "" when it loads and allows
	}{
		"as opa build makes it": {
			[]entry{{name: "/data.json", content: `{"lists": {"hosts": {"ok.test": true}}}`}, module, {name: "/.manifest", content: `{"roots": [""]}`}}, "",
		},
		"data in a folder": {[]entry{module, data}, ""},
		"data in YAML":     {[]entry{module, {name: "lists/data.yaml", content: "hosts: {ok.test: true}"}}, ""},
		"tests and other JSON are skipped": {
			[]entry{{name: "dir/", kind: tar.TypeDir}, module, data, {name: "gate_test.rego", content: "no rego"}, {name: "x.json", content: "no json"}}, "",
		},
		"no module": {[]entry{data}, "{bundle}: no policy is in there; put a .rego file"},
		"a file twice": {
			[]entry{module, data, {name: "./gate.rego", content: "package proxaudit\nallow := true"}},
			"{bundle}/gate.rego: the archive holds this file twice; make it anew with `opa build`",
		},
		"a name that climbs out": {
			[]entry{module, data, {name: "../../gate.rego", content: "package proxaudit\nallow := true"}},
			"{bundle}/gate.rego: the archive holds this file twice",
		},
		"a link": {
			[]entry{module, data, {name: "more.rego", content: "/etc/passwd", kind: tar.TypeSymlink}},
			"{bundle}/more.rego: not a regular file",
		},
		"signed":   {[]entry{module, data, {name: "/.signatures.json", content: "{}"}}, "{bundle}: the bundle is signed"},
		"a delta":  {[]entry{{name: "/patch.json", content: "{}"}}, "{bundle}/patch.json: a delta bundle is not a whole policy"},
		"compiled": {[]entry{module, data, {name: "/policy.wasm", content: "x"}}, "{bundle}/policy.wasm: compiled policies are not run"},
		"an error in a module": {
			[]entry{{name: "/gate.rego", content: "package proxaudit\nallow if input.hst == 1"}}, "{bundle}/gate.rego:2:10: undefined ref: input.hst",
		},
		"unpacks to too much": {
			[]entry{module, data, {name: "pad.bin", content: strings.Repeat("\x00", MaxBytes)}}, "{bundle}: the policy is larger than 64 MiB",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := packed(t, tt.entries)
			p, err := Load(context.Background(), path)
			if tt.want != "" {
				if err == nil || !strings.HasPrefix(err.Error(), strings.ReplaceAll(tt.want, "{bundle}", path)) {
					t.Errorf("error\n%v\nwant\n%s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d, err := p.Decide(context.Background(), get()); err != nil || d.Action != policy.Allow || d.Rule != "gate.rego:2" {
				t.Errorf("decision %+v, error %v", d, err)
			}
		})
	}
}

func TestBrokenBundle(t *testing.T) {
	whole, err := os.ReadFile(packed(t, []entry{{name: "gate.rego", content: "package proxaudit\nallow := true"}}))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		data []byte
		want string
	}{
		"no gzip":   {[]byte("package proxaudit"), "not a gzip file"},
		"empty":     {nil, "not a gzip file"},
		"truncated": {whole[:len(whole)/2], "read the archive: unexpected EOF"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "b.tgz")
			if err := os.WriteFile(path, tt.data, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Load(context.Background(), path)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
