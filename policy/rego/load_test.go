package rego

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// TestLoadModuleFails has modules that must not load, with the whole message.
func TestLoadModuleFails(t *testing.T) {
	const p = "package proxaudit\n"
	const here = "want one of: attributes, headers, host, method, package, parsed_path, parsed_query, path, port, process, query, registry, scheme, via"
	tests := map[string]struct{ source, want string }{
		"empty": {
			"", "gate.rego: the file is empty; begin it with `package proxaudit`",
		},
		"no package": {
			"allow := true", "gate.rego:1:1: package expected; begin the file with `package proxaudit`",
		},
		"another package": {
			"package envoy.authz\nallow := true",
			"gate.rego:1:1: the package is envoy.authz, want proxaudit; write `package proxaudit`, or keep this file as a library beside one that does",
		},
		"a package below": {
			"package proxaudit.lib\nallow := true",
			"gate.rego:1:1: the package is proxaudit.lib, want proxaudit; write `package proxaudit`, or keep this file as a library beside one that does",
		},
		"nothing that decides": {
			p + "alow := true",
			"gate.rego:1:1: neither decision nor allow is defined in package proxaudit; write decision := {\"action\": \"allow\"} if …, or allow if …",
		},
		"decision and allow": {
			p + "allow := true\ndecision := {\"action\": \"deny\"}",
			"gate.rego:2:1: allow is defined as well as decision (gate.rego:3); keep decision and give allow another name, or keep allow alone",
		},
		"allow is a function": {
			p + "allow(x) := x", "gate.rego:2:1: allow is a function; define it as a rule, without arguments",
		},
		"decision is a set": {
			p + "decision contains \"allow\" if input.port == 443", "gate.rego:2:1: decision is a set; define it with :=, without contains",
		},
		"syntax of Rego v0": {
			p + "allow { input.port == 443 }",
			"gate.rego:2:1: `if` keyword is required before rule body; this is Rego v0: run `opa fmt --write --v0-v1` on the file, or write if before the brace",
		},
		"set of Rego v0": {
			p + "deny[\"x\"] { input.port == 443 }",
			"gate.rego:2:1: `if` keyword is required before rule body; this is Rego v0: run `opa fmt --write --v0-v1` on the file, or write if before the brace\n" +
				"gate.rego:2:1: `contains` keyword is required for partial set rules; this is Rego v0: run `opa fmt --write --v0-v1` on the file, or write if before the brace",
		},
		"a bracket is missing": {
			p + "allow if {\n  x := [1\n}", "gate.rego:4:1: unexpected } token: expected \",\" or \"]\"; close the bracket that is open with ], and put commas between what is in it",
		},
		"misspelled field": {
			p + "allow if input.hst == \"ok.test\"", "gate.rego:2:10: undefined ref: input.hst; did you mean host? " + here,
		},
		"misspelled field under not": {
			p + "allow if not input.hosst == \"evil.test\"", "gate.rego:2:14: undefined ref: input.hosst; did you mean host? " + here,
		},
		"misspelled field behind a function": {
			p + "allow if f(input.host)\nf(x) if x == input.prt", "gate.rego:3:14: undefined ref: input.prt; did you mean port? " + here,
		},
		"field of a string": {
			p + "allow if input.host.name == \"ok.test\"", "gate.rego:2:10: undefined ref: input.host.name",
		},
		"port compared with a string": {
			p + "allow if input.port == \"443\"",
			"gate.rego:2:10: match error: left : number, right : string; the two can never be equal; the types are in input.schema.json",
		},
		"misspelled field of a process": {
			p + "allow if input.process.args[0] == \"npm\"", "gate.rego:2:10: undefined ref: input.process.args[0]; did you mean argv? want one of: argv, exe, names, parents, pid",
		},
		"misspelled field of Envoy's": {
			p + "allow if input.attributes.request.http.hots == \"ok.test\"",
			"gate.rego:2:10: undefined ref: input.attributes.request.http.hots; did you mean host? want one of: headers, host, method, path, scheme",
		},
		"body of Envoy's": {
			p + "allow if not contains(input.attributes.request.http.body, \"evil\")",
			"gate.rego:2:23: undefined ref: input.attributes.request.http.body; a request is decided before its body is read, so there is no body to look at",
		},
		"parsed body of Envoy's": {
			p + "allow if not input.parsed_body.evil",
			"gate.rego:2:14: undefined ref: input.parsed_body.evil; a request is decided before its body is read, so there is no body to look at",
		},
		"protocol of Envoy's": {
			p + "allow if input.attributes.request.http.protocol == \"HTTP/1.1\"",
			"gate.rego:2:10: undefined ref: input.attributes.request.http.protocol; the version of HTTP is not part of a request here",
		},
		"a schema of the module's own": {
			p + "# METADATA\n# schemas:\n#   - input: {type: object, properties: {hst: {type: string}}}\nallow if input.hst == \"ok.test\"",
			"gate.rego:5:10: undefined ref: input.hst; did you mean host? " + here,
		},
		"unused variable": {
			p + "allow if { port := input.port }", "gate.rego:2:12: assigned var port unused; remove it, or correct the name where it should be used",
		},
		"unused import": {
			p + "import data.lib\nallow := true", "gate.rego:2:1: import data.lib unused; remove it, or correct the name where it should be used",
		},
		"unsafe variable": {
			p + "allow if port > 443", "gate.rego:2:10: var port is unsafe; nothing gives it a value here: write := before it is used, or some … in …, or correct the name",
		},
		"recursion": {
			p + "allow if not allow", "gate.rego:2:1: rule data.proxaudit.allow is recursive: data.proxaudit.allow -> data.proxaudit.allow; a rule must not need itself to be decided: give one of them a condition of its own",
		},
		"http.send": {
			p + "allow if http.send({\"url\": \"https://evil.test\", \"method\": \"GET\"}).status_code == 200",
			"gate.rego:2:10: http.send is not available: a policy must not open connections; decide from input and data alone",
		},
		"http.send replaced": {
			p + "allow if { f with http.send as 1 }\nf if true", "gate.rego:2:19: with keyword target must reference existing input, data, or a function",
		},
		"net.lookup_ip_addr": {
			p + "allow if count(net.lookup_ip_addr(input.host)) > 0",
			"gate.rego:2:16: net.lookup_ip_addr is not available: a policy must not look names up before they are decided; decide from input and data alone",
		},
		"opa.runtime": {
			p + "allow if opa.runtime().env.CI == \"1\"",
			"gate.rego:2:10: opa.runtime is not available: a policy must not read the environment; decide from input and data alone",
		},
		"json.match_schema": {
			p + "allow if json.match_schema({}, {\"$ref\": \"file:///etc/passwd\"})[0]",
			"gate.rego:2:10: json.match_schema is not available: a schema may refer to files and addresses, which would be read; decide from input and data alone",
		},
		"rand.intn": {
			p + "allow if rand.intn(\"x\", 2) == 1",
			"gate.rego:2:10: rand.intn is not available: a decision must come out the same when it is replayed; decide from input and data alone",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := gate(t, tt.source)
			_, err := Load(context.Background(), path)
			if err == nil {
				t.Fatal("it loads")
			}
			if !isErrors(err) {
				t.Errorf("error is a %T, want Errors", err)
			}
			if got := strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", ""); got != tt.want {
				t.Errorf("error\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func isErrors(err error) bool {
	_, ok := errors.AsType[Errors](err)
	return ok
}

// TestLoadFolder has folders and what comes of them: the start of an error, or
// none and a policy that allows.
func TestLoadFolder(t *testing.T) {
	const lookup = "package proxaudit\nallow if data.lists.hosts[input.host]"
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"module and JSON": {
			map[string]string{"gate.rego": lookup, "lists/hosts.json": `{"hosts": {"ok.test": true}}`}, "",
		},
		"module and YAML": {
			map[string]string{"gate.rego": lookup, "lists/hosts.yaml": "hosts:\n  ok.test: true\n"}, "",
		},
		"data at the top": {
			map[string]string{"gate.rego": lookup, "hosts.yml": "lists: {hosts: {ok.test: true}}"}, "",
		},
		"data that complement each other": {
			map[string]string{"gate.rego": lookup, "a.json": `{"lists": {"other": 1}}`, "b.json": `{"lists": {"hosts": {"ok.test": true}}}`}, "",
		},
		"library beside the policy": {
			map[string]string{
				"gate.rego":    "package proxaudit\nimport data.lib.ok\nallow if ok.host",
				"lib/lib.rego": "package lib.ok\nhost if input.host == \"ok.test\"",
			}, "",
		},
		"rules in two modules": {
			map[string]string{
				"a.rego": "package proxaudit\nallow if input.host == \"other.test\"",
				"b.rego": "package proxaudit\nallow if input.host == \"ok.test\"",
			}, "",
		},
		"tests, hidden and other files are skipped": {
			map[string]string{
				"gate.rego": "package proxaudit\nallow := true", "gate_test.rego": "no rego", ".git/x.rego": "no rego",
				".hidden.rego": "no rego", "README.md": "# x", ".x.json": "{",
			}, "",
		},
		"empty":      {nil, "{dir}: no policy is in there; put a .rego file in it that begins with `package proxaudit`"},
		"only tests": {map[string]string{"gate_test.rego": "package proxaudit\nallow := true"}, "{dir}: no policy is in there; put a .rego file"},
		"only data":  {map[string]string{"data.json": "{}"}, "{dir}: no policy is in there; put a .rego file"},
		"decision here, allow there": {
			map[string]string{"a.rego": "package proxaudit\nallow := true", "b.rego": "package proxaudit\n\ndecision := {\"action\": \"deny\"}"},
			"{dir}/a.rego:2:1: allow is defined as well as decision ({dir}/b.rego:3); keep decision",
		},
		"errors in two files": {
			map[string]string{"a.rego": "package proxaudit\nallow", "b.rego": "package"},
			"{dir}/a.rego:2:1: var cannot be used for rule name; a rule is NAME if { … }: put conditions into its braces, each on a line; for either of two write two rules\n{dir}/b.rego:1:7: unexpected eof token; the file ends too early",
		},
		"a policy in the data": {
			map[string]string{"gate.rego": "package lib", "data.json": `{"proxaudit": {"allow": true}}`},
			"{dir}/gate.rego:1:1: the package is lib, want proxaudit",
		},
		"data where a rule is": {
			map[string]string{"gate.rego": "package proxaudit\nallow if input.host == \"other.test\"", "data.json": `{"proxaudit": {"allow": true}}`},
			"{dir}/gate.rego:2:1: conflicting rule for data path proxaudit/allow found",
		},
		"data given twice": {
			map[string]string{"gate.rego": "package proxaudit\nallow := true", "a.json": `{"x": {"y": 1}}`, "x/b.json": `{"y": 1}`},
			"{dir}/x/b.json: data.x.y is given by another file too; keep one of the two",
		},
		"data is a list at the top": {
			map[string]string{"gate.rego": "package proxaudit\nallow := true", "a.json": `[]`},
			"{dir}/a.json: the document is no object; put it below a key, or into a folder that names it",
		},
		"broken JSON": {
			map[string]string{"gate.rego": "package proxaudit\nallow := true", "a.json": "{\n \"a\": tru }"},
			"{dir}/a.json:2:10: invalid character ' ' in literal true",
		},
		"broken YAML": {
			map[string]string{"gate.rego": "package proxaudit\nallow := true", "a.yaml": "a: ]"}, "{dir}/a.yaml: yaml: ",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := folder(t, tt.files)
			p, err := Load(context.Background(), root)
			if tt.want != "" {
				if err == nil || !strings.HasPrefix(err.Error(), strings.ReplaceAll(tt.want, "{dir}", root)) {
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

// TestRuleOfFolder shows that a rule is named relative to the folder.
func TestRuleOfFolder(t *testing.T) {
	root := folder(t, map[string]string{"sub/x.rego": "package proxaudit\n\nallow := true"})
	p, err := Load(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := p.Decide(context.Background(), get()); d.Rule != "sub/x.rego:3" {
		t.Errorf("rule %q", d.Rule)
	}
}

func TestLoadPath(t *testing.T) {
	good := "package proxaudit\nallow := true"
	tests := map[string]struct {
		make func(t *testing.T, root string) string
		want string // "" when it loads
	}{
		"missing": {
			func(_ *testing.T, root string) string { return filepath.Join(root, "none.rego") },
			"read the policy: stat {dir}/none.rego: no such file or directory",
		},
		"another kind of file": {
			func(_ *testing.T, root string) string { return write(t, root, "policy.json", "{}") },
			"{dir}/policy.json: this is no Rego policy; give a .rego file, a folder or a bundle (.tar.gz)",
		},
		"symbolic link to a file": {
			func(t *testing.T, root string) string {
				write(t, root, "..data/real.rego", good)
				link(t, "..data/real.rego", filepath.Join(root, "gate.rego"))
				return root
			}, "",
		},
		"symbolic link to itself": {
			func(t *testing.T, root string) string {
				write(t, root, "gate.rego", good)
				link(t, "loop.rego", filepath.Join(root, "loop.rego"))
				return root
			}, "read the policy: stat {dir}/loop.rego: too many levels of symbolic links",
		},
		"symbolic link to the folder above": {
			func(t *testing.T, root string) string {
				write(t, root, "sub/gate.rego", good)
				link(t, "..", filepath.Join(root, "sub", "up"))
				return root
			}, "{dir}/sub/up: a symbolic link to a folder is not followed; put the folder itself there, or remove the link",
		},
		"dangling symbolic link": {
			func(t *testing.T, root string) string {
				write(t, root, "gate.rego", good)
				link(t, "deny-removed.rego", filepath.Join(root, "deny.rego"))
				return root
			}, "read the policy: stat {dir}/deny.rego: no such file or directory",
		},
		"huge module": {
			func(t *testing.T, root string) string { return sparse(t, root, "gate.rego", MaxBytes+1) },
			"{dir}/gate.rego: the policy is larger than 64 MiB; make the data smaller, or split the run",
		},
		"huge data": {
			func(t *testing.T, root string) string {
				write(t, root, "gate.rego", good)
				sparse(t, root, "hosts.json", MaxBytes)
				return root
			}, "{dir}/hosts.json: the policy is larger than 64 MiB; make the data smaller, or split the run",
		},
		"a folder with a module's name": {
			func(t *testing.T, root string) string {
				write(t, root, "gate.rego/x.rego", good)
				return filepath.Join(root, "gate.rego")
			}, "",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			_, err := Load(context.Background(), tt.make(t, root))
			got := ""
			if err != nil {
				got = strings.ReplaceAll(err.Error(), root, "{dir}")
			}
			if got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLoadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	root := folder(t, map[string]string{"gate.rego": "package proxaudit\nallow := true"})
	if _, err := Load(ctx, root); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want cancelled", err)
	}
}

// TestHash recomputes the digests as sha256sum would.
func TestHash(t *testing.T) {
	sum := func(s string) string {
		d := sha256.Sum256([]byte(s))
		return hex.EncodeToString(d[:])
	}
	files := map[string]string{"b/gate.rego": "package proxaudit\nallow := true", "a.json": "{}", "x.md": "not read"}
	list := sum(files["a.json"]) + "  a.json\n" + sum(files["b/gate.rego"]) + "  b/gate.rego\n"
	root := folder(t, files)
	tests := map[string]struct{ path, want string }{
		"folder": {root, sum(list)},
		"file":   {filepath.Join(root, "b", "gate.rego"), sum(files["b/gate.rego"])},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := Load(context.Background(), tt.path)
			if err != nil {
				t.Fatal(err)
			}
			if p.Hash() != "sha256:"+tt.want {
				t.Errorf("hash %s, want sha256:%s", p.Hash(), tt.want)
			}
		})
	}
}

func write(t *testing.T, root, name, content string) string {
	t.Helper()
	full := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return full
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Skip(err)
	}
}

// sparse makes a file of that size that takes no room.
func sparse(t *testing.T, root, name string, size int64) string {
	t.Helper()
	full := write(t, root, name, "")
	if err := os.Truncate(full, size); err != nil {
		t.Fatal(err)
	}
	return full
}
