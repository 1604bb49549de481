package rego

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/version"
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
		{"triple-eq", p + "\nallow if input.host === \"a.test\"\n", "gate.rego:3:23: unexpected eq token; write == to compare, := for a value"},
		{"null", p + "\nallow if input.host != nil\n", "gate.rego:3:10: var nil is unsafe; write null; a field that may be absent is asked for with: not input.process"},
		{"return", p + "\nallow { return input.host == \"a.test\" }\n", "gate.rego:3:16: unexpected identifier token: expected \\n or ; or }; put each condition on a line of its own; there is no return, for or then: a rule holds where all in its braces does, and some x in … goes through a list"},
		{"func", p + "\nfunc ok(h) { h == \"a\" }\nallow if ok(input.host)\n", "gate.rego:3:1: var cannot be used for rule name; a rule is NAME if { … }: put conditions into its braces, each on a line; for either of two write two rules\ngate.rego:3:6: `if` keyword is required before function body; this is Rego v0: run `opa fmt --write --v0-v1` on the file, or write if before the brace"},
		{"if-then", p + "\nallow if input.host == \"a\" then true\n", "gate.rego:3:28: var cannot be used for rule name; a rule is NAME if { … }: put conditions into its braces, each on a line; for either of two write two rules\ngate.rego:3:33: boolean cannot be used for rule name; a rule is NAME if { … }: put conditions into its braces, each on a line"},
		{"backslash", p + "\nallow if regex.match(\"a\\.test\", input.host)\n", "gate.rego:3:22: illegal escape sequence; a backslash has a meaning in double quotes: write a pattern between backquotes"},
		{"glob", p + "\nallow if glob.match(\"*.a.test\", input.host)\n", "gate.rego:3:10: glob.match: arity mismatch: have: (string, string), want: (pattern: string, delimiters: any<null, array[string]>, match: string); between pattern and text stands what a * does not cross: glob.match(\"*.example.org\", [\".\"], input.host)"},
		{"unq", p + "\ndecision := {action: \"allow\"} if input.host == \"a.test\"\n", "gate.rego:3:14: var action is unsafe; put the key in quotes: \"action\""},
		{"header-dash", p + "\nallow if input.headers.user-agent == \"x\"\n", "gate.rego:3:10: var agent is unsafe; a name with a dash stands in brackets: input.headers[\"user-agent\"]"},
		{"closing", p + "\nallow if input.host == \"a.test\" }\n", "gate.rego:3:33: unexpected } token; nothing opens this brace: write { behind if, or remove it"},
		{"contains", p + "\nallow if input.host contains \"a\"\n", "gate.rego:3:21: var cannot be used for rule name; a rule is NAME if { … }: put conditions into its braces, each on a line; for either of two write two rules\ngate.rego:3:30: string cannot be used for rule name; a rule is NAME if { … }: put conditions into its braces, each on a line"},
		{"startswith-meth", p + "\nallow if input.host.startswith(\"a\")\n", "gate.rego:3:10: undefined function input.host.startswith; a value has no methods: write the function in front, such as startswith(input.host, …)"},
		{"len", p + "\nallow if len(input.via) == 0\n", "gate.rego:3:10: undefined function len; write count"},
		{"default-if", p + "\ndefault allow := false if input.host == \"a\"\n", "gate.rego:3:24: unexpected if keyword; a default has no condition: write a rule beside it"},
		{"default-obj", p + "\ndefault decision = {\"action\": input.host}\n", "gate.rego:3:1: illegal default rule (value cannot contain ref); a default is written out, without input, data or rules in it"},
		{"two-pkg", p + "\npackage other\nallow := true\n", "gate.rego:3:1: unexpected package; a file has one package: put the other into a file of its own"},
		{"metadata-list", p + "\n# METADATA\n# title: [a]\nallow if input.host == \"a.test\"\n", "gate.rego:4:1: the METADATA has a list where a text belongs; put the text in quotes, behind its key"},
		{"metadata-comment", p + "\n# METADATA\n# the gate lets the mirror pass\nallow if input.host == \"a.test\"\n", "gate.rego:4:1: the METADATA has a text (the gat...) where keys belong, such as title: …; the comment right below # METADATA is YAML: put other comments above it, or leave a line free"},
		{"metadata-schemas", p + "\n# METADATA\n# schemas:\n#   - input: 3\nallow if input.host == \"a.test\"\n", "gate.rego:3:1: invalid schema declaration for path \"input\"; leave schemas out: the input has its schema already"},
		{"metadata-end", p + "\nallow if input.host == \"a.test\"\n# METADATA\n# title: x\n", "gate.rego:4:1: invalid annotation scope ''. Use one of 'rule', 'document', 'package', or 'subpackages'; METADATA stands right above the rule that it is about, and below this there is none"},
		{"metadata-auth", p + "\n# METADATA\n# authors: me\nallow if input.host == \"a.test\"\n", "gate.rego:4:1: the METADATA has a text (me) where a list belongs; write each on a line of its own, with # - in front"},
		{"ternary", p + "\nallow := input.host == \"a\" ? true : false\n", "gate.rego:3:28: there is no … ? … : …; write a rule for each answer, or join them with else"},
		{"string-plus", p + "\nallow if input.host == \"a\" + \".test\"\n", "gate.rego:3:24: plus: invalid argument(s): have: (string, string, ???), want: (x: number, y: number, z: number); + adds numbers: join texts with concat(\"\", [a, b]) or sprintf(\"…%s\", [a])"},
		{"float", p + "\nallow if input.port == 443.\n", "gate.rego:3:24: expected fraction; write a digit behind the point, or no point"},
		{"walrus-twice", p + "\nallow if { x := 1; x := 2; input.host == \"a\" }\n", "gate.rego:3:20: var x assigned above; a variable has one value: write == to compare, or give the second another name"},
		{"sprintf", p + "\ndecision := {\"action\":\"deny\",\"reason\": sprintf(\"no %s\", input.host)} if input.host == \"a\"\n", "gate.rego:3:40: sprintf: invalid argument(s): have: (string, string, ???), want: (format: string, values: array[any], output: string); the values stand in brackets: sprintf(\"…%s\", [a])"},
		{"object-semicolon", p + "\ndecision := {\"action\": \"allow\"; \"reason\": \"x\"} if input.port == 1\n", "gate.rego:3:31: unexpected ; token: non-terminated object; put commas between the keys of an object, and close it with }"},
		{"set-no-comma", p + "\nallow if input.host in {\"a\" \"b\"}\n", "gate.rego:3:29: unexpected string token: non-terminated set; put commas between the elements of a set, and close it with }"},
		{"call-no-comma", p + "\nallow if startswith(input.host \"b\")\n", "gate.rego:3:32: unexpected string token: expected \",\" or \")\"; close the bracket that is open with ), and put commas between what is in it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := folder(t, map[string]string{"gate.rego": tt.policy})
			_, err := Load(context.Background(), root+"/gate.rego")
			if err == nil {
				t.Fatal("accepted")
			}
			if got := strings.ReplaceAll(err.Error(), root+"/", ""); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s%s", got, tt.want, reworded(got, tt.want))
			}
		})
	}
}

// reworded says which entries of hints a slip no longer meets: OPA has other words
// for it.
func reworded(got, want string) string {
	var b strings.Builder
	for _, h := range hints() {
		if strings.Contains(want, h[0]) && strings.Contains(want, "; "+h[1]) && !strings.Contains(got, h[0]) {
			fmt.Fprintf(&b, "\nOPA %s no longer says %q: give that entry of hints (hints.go) its new words, then mend the case", version.Version, h[0])
		}
	}
	return b.String()
}
