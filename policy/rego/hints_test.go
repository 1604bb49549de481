package rego

import (
	"context"
	"strings"
	"testing"
)

// TestHints has what people write who know other languages, or another Rego: for
// each slip the place, the words and the mend that they get.
func TestHints(t *testing.T) {
	const p = "package proxaudit\n"
	for _, tt := range []struct{ name, policy, want string }{
		{"True", p + "\nallow := True if input.host == \"a.test\"\n", "gate.rego:3:10: var True is unsafe; write true"},
		{"and-op", p + "\nallow if input.host == \"a.test\" && input.method == \"GET\"\n", "gate.rego:3:34: unexpected and token; conditions that must all hold stand on lines of their own, or have ; between them"},
		{"or-op", p + "\nallow if input.host == \"a.test\" || input.method == \"GET\"\n", "gate.rego:3:34: unexpected or token; write one rule for each: a rule holds where any of those of its name does"},
		{"and-word", p + "\nallow if input.host == \"a.test\" and input.method == \"GET\"\n", "gate.rego:3:33: var cannot be used for rule name; a rule is NAME if { … }: put conditions into its braces, each on a line; for either of two write two rules\ngate.rego:3:37: rule name conflicts with built-in function; put further conditions into the braces of the rule, each on a line"},
		{"assign-in-body", p + "\nallow if { input.host := \"a.test\" }\n", "gate.rego:3:12: cannot assign to ref; write == to compare"},
		{"bang", p + "\nallow if !input.blocked\n", "gate.rego:3:10: illegal ! character; write not"},
		{"colon-assign", p + "\nallow : true\n", "gate.rego:3:7: unexpected : token; write := for a value, and if before a condition"},
		{"comma", p + "\nallow if { input.host == \"a.test\", input.method == \"GET\" }\n", "gate.rego:3:34: unexpected , token: expected \\n or ; or }; put conditions on lines of their own, or ; between them"},
		{"conflict-default", p + "\ndefault allow := false\ndefault allow := true\nallow if input.host == \"a\"\n", "gate.rego:1:1: multiple default rules data.proxaudit.allow found at gate.rego:3, gate.rego:4; keep one of them"},
		{"conflict-marker", p + "\n<<<<<<< HEAD\nallow if input.host == \"a.test\"\n=======\nallow if input.host == \"b.test\"\n>>>>>>> x\n", "gate.rego:3:1: a merge conflict; keep one of the two sides, or both, and remove the lines with <<<<<<<, ======= and >>>>>>>"},
		{"else-if", p + "\nallow := true if input.host == \"a.test\" else false\n", "gate.rego:3:46: unexpected false keyword: expected else value term or rule body; write else := false, or else if …"},
		{"field-url", p + "\nallow if startswith(input.url, \"https://a.test/\")\n", "gate.rego:3:21: undefined ref: input.url; the URL is in its parts: input.scheme, input.host, input.port, input.path, input.query"},
		{"field-domain", p + "\nallow if input.domain == \"a.test\"\n", "gate.rego:3:10: undefined ref: input.domain; did you mean host? want one of: attributes, headers, host, method, package, parsed_path, parsed_query, path, port, process, query, registry, scheme, via"},
		{"field-request", p + "\nallow if input.request.host == \"a.test\"\n", "gate.rego:3:10: undefined ref: input.request.host; the fields of the request are those of input itself: want one of: attributes, headers, host, method, package, parsed_path, parsed_query, path, port, process, query, registry, scheme, via"},
		{"field-pkg", p + "\nallow if input.package.name == \"lodash\"\n", "gate.rego:3:10: undefined ref: input[\"package\"].name"},
		{"import-missing", p + "\nimport data.lib.util\nallow if util.ok(input.host)\n", "gate.rego:4:10: undefined function data.lib.util.ok; its package is in no file of the policy: name the folder that holds both"},
		{"unknown-func", p + "\nallow if starts_with(input.host, \"a\")\n", "gate.rego:3:10: undefined function starts_with; did you mean startswith?"},
		{"wrong-args", p + "\nallow if startswith(input.host)\n", "gate.rego:3:10: startswith: arity mismatch: have: (string), want: (search: string, base: string)"},
		{"missing-brace", p + "\nallow if {\n  input.host == \"a.test\"\n", "gate.rego:5:1: unexpected eof token; the file ends too early: close the brace that is still open"},
		{"missing-quote", p + "\nallow if input.host == \"a.test\n", "gate.rego:3:24: non-terminated string; close the quote; a text over several lines stands between backquotes"},
		{"single-quote", p + "\nallow if input.host == 'a.test'\n", "gate.rego:3:24: a text in single quotes; write double quotes: \"…\""},
		{"smart", p + "\nallow if input.host == “a.test”\n", "gate.rego:3:24: a typographic quote; write a straight one: \""},
		{"zwsp", p + "\nallow if input.ho\u200bst == \"a.test\"\n", "gate.rego:3:18: a character that has no place here: \\u200b; remove it, or write it in a text"},
		{"nbsp", p + "\nallow if\u00a0input.host == \"a.test\"\n", "gate.rego:3:9: illegal non-breaking space character, use a regular space instead; write a blank"},
		{"not-in", p + "\nallow if input.host not in {\"a.test\"}\n", "gate.rego:3:25: unexpected in keyword; for what is not in a list write: not x in …"},
		{"unsafe-var", p + "\nallow if x == input.host\n", "gate.rego:3:10: var x is unsafe; nothing gives it a value here: write := before it is used, or some … in …, or correct the name"},
		{"slashes", p + "\n// a comment\nallow if input.host == \"a.test\"\n", "gate.rego:3:1: unexpected div token; a comment begins with #"},
		{"semicolon", p + "\nallow if input.host == \"a.test\";\n", "gate.rego:3:32: unexpected ; token; put several conditions in braces: if { …; … }"},
		{"some-in", p + "\nallow if some h in [\"a.test\"]; h == input.host\n", "gate.rego:3:30: unexpected ; token; put several conditions in braces: if { …; … }"},
		{"yaml-in-rego", "version: 1\ndefault: deny\n", "gate.rego:1:1: this is YAML, and no Rego; give the file a name that ends in .yaml"},
		{"json", "{\"allow\": true}\n", "gate.rego:1:1: package expected; begin the file with `package proxaudit`"},
		{"no-if", p + "\nallow := true { input.host == \"a.test\" }\n", "gate.rego:3:1: `if` keyword is required before rule body; this is Rego v0: run `opa fmt --write --v0-v1` on the file, or write if before the brace"},
		{"recursive", p + "\nallow if deny\ndeny if allow\n", "gate.rego:3:1: rule data.proxaudit.allow is recursive: data.proxaudit.allow -> data.proxaudit.deny -> data.proxaudit.allow; a rule must not need itself to be decided: give one of them a condition of its own\ngate.rego:4:1: rule data.proxaudit.deny is recursive: data.proxaudit.deny -> data.proxaudit.allow -> data.proxaudit.deny; a rule must not need itself to be decided: give one of them a condition of its own"},
		{"shadow", p + "\ninput := {\"host\": \"a\"}\nallow if input.host == \"a.test\"\n", "gate.rego:3:1: rules must not shadow input (use a different rule name); give the rule another name: input and data are what is asked about"},
		{"metadata-bad", p + "\n# METADATA\n# title: a: b\nallow if input.host == \"a.test\"\n", "gate.rego:4:1: the METADATA is no YAML that is known: mapping values are not allowed in this context; the comment right below # METADATA is YAML: put other comments above it, or leave a line free"},
		{"pkg-envoy", "package envoy.authz\n\ndefault allow := false\nallow if input.attributes.request.http.method == \"GET\"\n", "gate.rego:1:1: the package is envoy.authz, want proxaudit; write `package proxaudit`, or keep this file as a library beside one that does"},
		{"neither", p + "\npermit if input.host == \"a.test\"\n", "gate.rego:1:1: neither decision nor allow is defined in package proxaudit; write decision := {\"action\": \"allow\"} if …, or allow if …"},
		{"set-deny", p + "\ndeny contains msg if { input.host == \"a.test\"; msg := \"no\" }\n", "gate.rego:1:1: neither decision nor allow is defined in package proxaudit; write decision := {\"action\": \"allow\"} if …, or allow if …"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := folder(t, map[string]string{"gate.rego": tt.policy})
			_, err := Load(context.Background(), root+"/gate.rego")
			if err == nil {
				t.Fatal("accepted")
			}
			if got := strings.ReplaceAll(err.Error(), root+"/", ""); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
