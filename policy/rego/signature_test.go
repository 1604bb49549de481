package rego

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	opabundle "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/rego/regotest"
)

var gateFiles = map[string]string{
	"gate.rego": "package proxaudit\nallow if data.lists.hosts[input.host]",
	"data.json": `{"lists": {"hosts": {"ok.test": true}}}`,
}

func newSigner(t testing.TB, algorithm string) *regotest.Signer {
	t.Helper()
	s, err := regotest.NewSigner(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// built returns the bundle of files, signed by s unless that is nil.
func built(t testing.TB, files map[string]string, s *regotest.Signer) []byte {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	data, err := regotest.Bundle(fsys, s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// key returns what checks s's signatures.
func key(t testing.TB, s *regotest.Signer, scope string) *Key {
	t.Helper()
	k, err := NewKey(s.Public, s.Algorithm, scope)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// unpacked returns what is in an archive.
func unpacked(t testing.TB, data []byte) []entry {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var entries []entry
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		if err == io.EOF {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{name: header.Name, content: string(content)})
	}
}

// change returns entries with one file's content changed or, where it is not
// among them, added; "" removes it.
func change(entries []entry, name, content string) []entry {
	var out []entry
	for _, e := range entries {
		if strings.TrimPrefix(e.name, "/") != name {
			out = append(out, e)
		}
	}
	if content == "" {
		return out
	}
	return append(out, entry{name: name, content: content})
}

// sign returns entries with a signatures file that s made over files.
func sign(t testing.TB, s *regotest.Signer, entries []entry, files []opabundle.FileInfo) []entry {
	t.Helper()
	token, err := opabundle.GenerateSignedToken(files, opabundle.NewSigningConfig(string(s.Private), s.Algorithm, ""), "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(opabundle.SignaturesConfig{Signatures: []string{token}})
	if err != nil {
		t.Fatal(err)
	}
	return append(entries, entry{name: ".signatures.json", content: string(text)})
}

func fileInfo(name, algorithm, content string) opabundle.FileInfo {
	sum := sha256.Sum256([]byte(content))
	return opabundle.NewFile(name, hex.EncodeToString(sum[:]), algorithm)
}

// TestSignedBundle has bundles that OPA's own code built and signed, and what an
// attacker who holds no key can make of them.
func TestSignedBundle(t *testing.T) {
	ours, other := newSigner(t, "RS256"), newSigner(t, "RS256")
	signed := unpacked(t, built(t, gateFiles, ours))
	elsewhere := unpacked(t, built(t, map[string]string{"gate.rego": "package proxaudit\nallow := true"}, ours))
	signatures := func(entries []entry) string {
		for _, e := range entries {
			if strings.TrimPrefix(e.name, "/") == ".signatures.json" {
				return e.content
			}
		}
		t.Fatal("not signed")
		return ""
	}
	const open = "package proxaudit\nallow := true"
	tests := map[string]struct {
		entries []entry
		key     *Key
		want    string // of the error; "" when it loads and allows
	}{
		"signed":              {signed, key(t, ours, ""), ""},
		"by another key":      {signed, key(t, other, ""), "{bundle}: the signature does not hold: "},
		"no key was given":    {signed, nil, "{bundle}: the bundle is signed, and no key was given to check it; name the public key with -bundle-key"},
		"not signed":          {change(signed, ".signatures.json", ""), key(t, ours, ""), "{bundle}: the bundle is not signed; sign it with `opa sign`"},
		"not signed, no key":  {change(signed, ".signatures.json", ""), nil, ""},
		"a module changed":    {change(signed, "gate.rego", open), key(t, ours, ""), "{bundle}/gate.rego: the file is not the one that was signed"},
		"the data changed":    {change(signed, "data.json", `{"lists": {"hosts": {"ok.test": true, "evil.test": true}}}`), key(t, ours, ""), "{bundle}/data.json: the file is not the one that was signed"},
		"the data reordered":  {change(signed, "data.json", ` { "lists": {"hosts": {"ok.test": true} }} `), key(t, ours, ""), ""},
		"a key of data twice": {change(signed, "data.json", `{"lists": {"hosts": {"evil.test": true}}, "lists": {"hosts": {"ok.test": true}}}`), key(t, ours, ""), `{bundle}/data.json:1:49: the key "lists" is there twice`},
		"the manifest changed": {
			change(signed, ".manifest", `{"roots": ["x"], "revision": "9"}`), key(t, ours, ""), "{bundle}/.manifest: the file is not the one that was signed",
		},
		"a module added":              {change(signed, "more.rego", open), key(t, ours, ""), "{bundle}/more.rego: the signature does not cover this file"},
		"a file added that is unused": {change(signed, "README", "x"), key(t, ours, ""), "{bundle}/README: the signature does not cover this file"},
		"a module removed":            {change(signed, "gate.rego", ""), key(t, ours, ""), "{bundle}: the signature covers files that are not there: "},
		"another bundle's signature":  {change(signed, ".signatures.json", signatures(elsewhere)), key(t, ours, ""), "{bundle}/data.json: the file is not the one that was signed"},
		"signatures twice":            {append(append([]entry{}, signed...), entry{name: "x/.signatures.json", content: signatures(signed)}), key(t, ours, ""), "{bundle}/x/.signatures.json: the archive holds signatures twice"},
		"signatures empty":            {change(signed, ".signatures.json", `{}`), key(t, ours, ""), "{bundle}: the signature does not hold: "},
		"signatures no JSON":          {change(signed, ".signatures.json", `x`), key(t, ours, ""), "{bundle}: the signature does not hold: "},
		"two signatures, one good": {
			change(signed, ".signatures.json", strings.Replace(signatures(signed), `"signatures": [`, `"signatures": ["a.b.c",`, 1)), key(t, ours, ""), "{bundle}: the signature does not hold: ",
		},
		"a plugin that would verify":  {change(signed, ".signatures.json", strings.Replace(signatures(signed), `"signatures"`, `"verifier": "x", "signatures"`, 1)), key(t, ours, ""), "{bundle}: the signature does not hold: json: unknown field"},
		"a token without a signature": {change(signed, ".signatures.json", `{"signatures": ["`+unsignedToken(t, signatures(signed))+`"]}`), key(t, ours, ""), "{bundle}: the signature does not hold: "},
		"a scope nobody asked for":    {signed, key(t, ours, "ci"), "{bundle}: the signature does not hold: scope mismatch"},
		"digests by MD5":              {sign(t, ours, []entry{{name: "gate.rego", content: open}}, []opabundle.FileInfo{fileInfo("gate.rego", "MD5", open)}), key(t, ours, ""), "{bundle}/gate.rego: the signature's digest is MD5"},
		"digests by SHA-1":            {sign(t, ours, []entry{{name: "gate.rego", content: open}}, []opabundle.FileInfo{fileInfo("gate.rego", "SHA-1", open)}), key(t, ours, ""), "{bundle}/gate.rego: the signature's digest is SHA-1"},
		"a file named in two ways": {
			sign(t, ours, []entry{{name: "gate.rego", content: open}}, []opabundle.FileInfo{fileInfo("gate.rego", "SHA-256", open), fileInfo("./gate.rego", "SHA-256", "x")}),
			key(t, ours, ""), "{bundle}: the signature does not hold: it names gate.rego twice",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := packed(t, tt.entries)
			p, err := Options{Key: tt.key}.Load(context.Background(), path)
			if tt.want != "" {
				if err == nil || !strings.HasPrefix(err.Error(), strings.ReplaceAll(tt.want, "{bundle}", path)) {
					t.Errorf("error\n%v\nwant\n%s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d, err := p.Decide(context.Background(), get()); err != nil || d.Action != policy.Allow {
				t.Errorf("decision %+v, error %v", d, err)
			}
		})
	}
}

// unsignedToken is the first token of a signatures file, its header saying that
// it needs no signature (RFC 7515 appendix A.5).
func unsignedToken(t testing.TB, signatures string) string {
	t.Helper()
	var s opabundle.SignaturesConfig
	if err := json.Unmarshal([]byte(signatures), &s); err != nil {
		t.Fatal(err)
	}
	return "eyJhbGciOiJub25lIn0." + strings.Split(s.Signatures[0], ".")[1] + "."
}

// TestSignedYAML has a document that OPA's parser, which signs, and the one here
// read in two ways: to OPA `no` is false, as in YAML 1.1. Whoever may write to a
// bundle but not sign it must not choose which of the two counts.
func TestSignedYAML(t *testing.T) {
	s := newSigner(t, "ES256")
	const module = "package proxaudit\nallow if data.hosts[input.host]"
	const meant, made = "hosts: {ok.test: false}\n", "hosts: {ok.test: no}\n"
	hasher, err := opabundle.NewSignatureHasher(opabundle.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := hasher.HashFile(map[string]any{"hosts": map[string]any{"ok.test": false}})
	if err != nil {
		t.Fatal(err)
	}
	files := []opabundle.FileInfo{fileInfo("gate.rego", "SHA-256", module), opabundle.NewFile("data.yaml", hex.EncodeToString(sum), "SHA-256")}
	load := func(data string) (*Policy, error) {
		entries := sign(t, s, []entry{{name: "gate.rego", content: module}, {name: "data.yaml", content: data}}, files)
		return Options{Key: key(t, s, "")}.Load(context.Background(), packed(t, entries))
	}
	if p, err := load(meant); err != nil {
		t.Error(err)
	} else if d, _ := p.Decide(context.Background(), get()); d.Action != policy.Deny {
		t.Errorf("decision %+v", d)
	}
	if _, err := load(made); err == nil || !strings.Contains(err.Error(), "data.yaml: the file is not the one that was signed") {
		t.Errorf("error %v", err)
	}
}

func TestSignatureAlgorithms(t *testing.T) {
	for _, algorithm := range []string{"RS256", "RS512", "PS256", "PS384", "ES256"} {
		t.Run(algorithm, func(t *testing.T) {
			s := newSigner(t, algorithm)
			data := built(t, gateFiles, s)
			if _, err := (Options{Key: key(t, s, "")}).LoadBundle(context.Background(), "b", data); err != nil {
				t.Error(err)
			}
			wrong := map[byte]string{'R': "PS256", 'P': "RS256", 'E': "RS256"}[algorithm[0]]
			k, err := NewKey(s.Public, wrong, "")
			if algorithm[0] == 'E' {
				if err == nil {
					t.Errorf("%s takes an elliptic key", wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (Options{Key: k}).LoadBundle(context.Background(), "b", data); err == nil {
				t.Errorf("signed by %s, it passes as %s", algorithm, wrong)
			}
		})
	}
	t.Run("HS256", func(t *testing.T) {
		s := &regotest.Signer{Algorithm: "HS256", Private: []byte("s3cret")}
		data := built(t, gateFiles, s)
		for secret, good := range map[string]bool{"s3cret": true, "other": false} {
			k, err := NewKey([]byte(secret), "HS256", "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (Options{Key: k}).LoadBundle(context.Background(), "b", data); (err == nil) != good {
				t.Errorf("secret %s: %v", secret, err)
			}
		}
	})
}

// TestSignedByPublicKey is the known confusion: the public key, which everyone
// has, used as the secret of an HMAC.
func TestSignedByPublicKey(t *testing.T) {
	s := newSigner(t, "RS256")
	forged := &regotest.Signer{Algorithm: "HS256", Private: s.Public}
	data := built(t, gateFiles, forged)
	if _, err := (Options{Key: key(t, s, "")}).LoadBundle(context.Background(), "b", data); err == nil {
		t.Error("an HMAC by the public key passes")
	}
	if _, err := NewKey(s.Public, "HS256", ""); err == nil {
		t.Error("a public key passes for a secret")
	}
}

func TestSignatureScope(t *testing.T) {
	s := newSigner(t, "ES256")
	s.Claims = `{"scope": "ci"}`
	data := built(t, gateFiles, s)
	for scope, good := range map[string]bool{"ci": true, "": false, "production": false} {
		if _, err := (Options{Key: key(t, s, scope)}).LoadBundle(context.Background(), "b", data); (err == nil) != good {
			t.Errorf("scope %q: %v", scope, err)
		}
	}
}

func TestNewKey(t *testing.T) {
	rsaKey, ecKey := newSigner(t, "RS256"), newSigner(t, "ES256")
	tests := map[string]struct {
		text      []byte
		algorithm string
		want      string // of the error; "" for none
	}{
		"RSA":                       {rsaKey.Public, "", ""},
		"elliptic":                  {ecKey.Public, "", ""},
		"RSA with PSS":              {rsaKey.Public, "PS512", ""},
		"unknown algorithm":         {rsaKey.Public, "RSA", `"RSA" is no signing algorithm`},
		"no algorithm at all":       {rsaKey.Public, "none", `"none" is no signing algorithm`},
		"elliptic, as RSA":          {ecKey.Public, "RS256", "the key is one for ES256, not for RS256"},
		"elliptic, another curve":   {ecKey.Public, "ES384", "the key is one for ES256, not for ES384"},
		"RSA, as elliptic":          {rsaKey.Public, "ES256", "the key is one for RS256, not for ES256"},
		"private":                   {rsaKey.Private, "", `it holds a PEM block "PRIVATE KEY": want a public key`},
		"no PEM":                    {[]byte("s3cret"), "", "no PEM block in it"},
		"empty":                     {nil, "", "no PEM block in it"},
		"empty secret":              {nil, "HS256", "HS256 takes a secret"},
		"broken":                    {pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}), "", "asn1: "},
		"a public key for a secret": {ecKey.Public, "HS512", "HS512 takes a secret"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := NewKey(tt.text, tt.algorithm, "")
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)):
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// TestHashOfBundle shows that a bundle has one hash however it came.
func TestHashOfBundle(t *testing.T) {
	path := packed(t, unpacked(t, built(t, gateFiles, nil)))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	one, err := Load(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Options{}.LoadBundle(context.Background(), "b", data)
	if err != nil {
		t.Fatal(err)
	}
	if one.Hash() != other.Hash() || one.Hash() != digest(data) {
		t.Errorf("%s and %s", one.Hash(), other.Hash())
	}
}
