package allowlist

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestSlips has what people write who have never seen a policy: for each slip the
// place, the words and the mend that they get.
func TestSlips(t *testing.T) {
	for _, tt := range []mistake{
		{"indent-rule-key", head + "allow:\n  - host: ok.example.org\n   paths: [/a]\n", "policy.yaml:5:4: not YAML: did not find expected '-' indicator\n  hint: line it up with the keys, or the dashes, among which it belongs"},
		{"indent-rule-key2", head + "allow:\n  - host: ok.example.org\n      paths: [/a]\n", "policy.yaml:5:12: not YAML: mapping values are not allowed in this context\n  hint: line it up with the keys among which it belongs: indented like this, it goes on with the text above it"},
		{"top-indented", "version: 1\n  default: deny\n", "policy.yaml:2:10: not YAML: mapping values are not allowed in this context\n  hint: line it up with the keys among which it belongs: indented like this, it goes on with the text above it"},
		{"no-space-dash", head + "allow:\n  -host: ok.example.org\n", "policy.yaml:4:3: allow must be a list of rules, not a mapping\n  hint: begin each rule with a straight dash and a blank"},
		{"endash", head + "allow:\n  – host: ok.example.org\n", "policy.yaml:4:3: allow must be a list of rules, not a mapping\n  hint: begin each rule with a straight dash and a blank"},
		{"no-space-colon", head + "allow:\n  - host:ok.example.org\n", "policy.yaml:4:5: \"host:ok.example.org\" is not a rule\n  hint: put a blank behind the colon: host: ok.example.org"},
		{"at-scope", head + "allow:\n  - @scope/pkg\n", "policy.yaml:4:5: not YAML: found character that cannot start any token\n  hint: put a text that begins with @ in quotes; a package is written pkg:npm/@scope/name"},
		{"at-scope-q", head + "allow:\n  - '@scope/pkg'\n", "policy.yaml:4:5: \"@scope/pkg\" is not a rule\n  hint: write pkg:npm/@scope/pkg"},
		{"percent-path", head + "allow:\n  - {host: ok.example.org, paths: [%2F]}\n", "policy.yaml:4:36: not YAML: found character that cannot start any token\n  hint: put a text that begins with % in quotes"},
		{"star-path", head + "allow:\n  - {host: ok.example.org, paths: [*]}\n", "policy.yaml:4:36: not YAML: did not find expected alphabetic or numeric character\n  hint: put a text that begins with * in quotes"},
		{"star-method", head + "allow:\n  - {host: ok.example.org, methods: [*]}\n", "policy.yaml:4:38: not YAML: did not find expected alphabetic or numeric character\n  hint: put a text that begins with * in quotes"},
		{"backslash-dq", head + "allow:\n  - host: ok.example.org\n    paths: [\"/a\\d\"]\n", "policy.yaml:5:12: not YAML: found unknown escape character\n  hint: a backslash has a meaning in double quotes: use single ones"},
		{"colon-in-reason", head + "allow:\n  - host: ok.example.org\n    reason: note: this is needed\n", "policy.yaml:5:17: not YAML: mapping values are not allowed in this context\n  hint: put a text that holds a colon and a blank in quotes"},
		{"quote-in-reason", head + "allow:\n  - host: ok.example.org\n    reason: 'don't'\n", "policy.yaml:5:18: not YAML: did not find expected key\n  hint: write a quote twice where it stands in single quotes, or use double ones"},
		{"unclosed-quote", head + "allow:\n  - host: 'ok.example.org\n    paths: [/a]\n  - https://b.example.org/c\n", "policy.yaml:4:11: not YAML: found unexpected end of stream\n  hint: close the quote that opens here"},
		{"unclosed-bracket", head + "allow:\n  - host: ok.example.org\n    paths: [/a, /b\n  - https://b.example.org/c\n", "policy.yaml:5:12: not YAML: did not find expected ',' or ']'\n  hint: close the bracket that opens here with ], and put commas between what is in it"},
		{"unclosed-brace", head + "allow:\n  - {host: ok.example.org, paths: [/a]\n  - https://b.example.org/c\n", "policy.yaml:4:5: not YAML: did not find expected ',' or '}'\n  hint: close the brace that opens here with }, and put commas between what is in it"},
		{"ipv6-br", head + "allow:\n  - host: [::1]\n    networks: ['::1/128']\n", "policy.yaml:4:11: not YAML: did not find expected node content\n  hint: write an IPv6 address in quotes and without brackets: '::1'"},
		{"conflict", head + "allow:\n  - https://ok.example.org/a\n<<<<<<< HEAD\n  - https://ok.example.org/b\n=======\n  - https://ok.example.org/c\n>>>>>>> branch\n", "policy.yaml:5:1: a merge conflict\n  hint: keep one of the two sides, or both, and remove the lines with <<<<<<<, ======= and >>>>>>>"},
		{"nbsp", head + "allow:\n  - host:\u00a0ok.example.org\n", "policy.yaml:4:10: a no-break space (U+00A0), which YAML takes for text\n  hint: write a blank"},
		{"nbsp-indent", head + "allow:\n\u00a0 - host: ok.example.org\n", "policy.yaml:4:1: a no-break space (U+00A0), which YAML takes for text\n  hint: write a blank"},
		{"cr", "version: 1\rdefault: deny\rallow:\r  - https://ok.example.org/a\r", "policy.yaml:1:11: a carriage return (U+000D) without a line feed\n  hint: save the file with the line ends of Unix or of Windows"},
		{"allow-map", head + "allow:\n  host: ok.example.org\n  paths: [/a]\n", "policy.yaml:4:3: allow must be a list of rules, not a mapping\n  hint: begin each rule with a dash"},
		{"version-missing-list", "- host: ok.example.org\n", "policy.yaml:1:1: a policy must be a mapping, not a list\n  hint: begin with version: 1, and put the rules under allow:"},
		{"rego-in-yaml", "package proxaudit\n\nallow := true\n", "policy.yaml:1:1: a policy must be a mapping, not text\n  hint: this looks like Rego: give the file a name that ends in .rego"},
		{"html", "<!DOCTYPE html><html><body>404</body></html>", "policy.yaml:1:1: a policy must be a mapping, not text\n  hint: this looks like a web page: see where the file came from"},
		{"toml", "version = 1\ndefault = \"deny\"\n", "policy.yaml:1:1: a policy must be a mapping, not text\n  hint: this looks like TOML or INI, and a policy is YAML: begin with version: 1"},
		{"action-key", head + "rules:\n  - host: ok.example.org\n    action: allow\n", "policy.yaml:3:1: unknown key \"rules\" in a policy\n  hint: rules stand in the lists allow, deny and log, at the left margin"},
		{"action-in-rule", head + "allow:\n  - host: ok.example.org\n    action: deny\n", "policy.yaml:5:5: unknown key \"action\" in a rule\n  hint: the list that a rule stands in says what becomes of it: allow, deny or log"},
		{"default-block-key", head + "block:\n  - https://ok.example.org/a\n", "policy.yaml:3:1: unknown key \"block\" in a policy\n  hint: write deny"},
		{"hosts-list", head + "allow:\n  - hosts: [ok.example.org, b.example.org]\n", "policy.yaml:4:5: unknown key \"hosts\" in a rule\n  hint: write host, and a rule for each"},
		{"domain-key", head + "allow:\n  - domain: ok.example.org\n", "policy.yaml:4:5: unknown key \"domain\" in a rule\n  hint: write host"},
		{"url-key", head + "allow:\n  - url: https://ok.example.org/a\n", "policy.yaml:4:5: unknown key \"url\" in a rule\n  hint: write the URL alone behind the dash, or its host: and paths:"},
		{"pkg-space", head + "allow:\n  - pkg: npm/lodash\n", "policy.yaml:4:5: unknown key \"pkg\" in a rule\n  hint: write package: pkg:npm/lodash, without a blank behind pkg:"},
		{"package-version-key", head + "allow:\n  - package: pkg:npm/lodash\n    version: 1.10\n", "policy.yaml:5:5: unknown key \"version\" in a rule\n  hint: write the version behind the package: pkg:npm/lodash@4.17.21"},
		{"net-key", head + "allow:\n  - {network: 10.0.0.0/8}\n", "policy.yaml:4:6: unknown key \"network\" in a rule\n  hint: did you mean networks?"},
		{"host-list", head + "allow:\n  - host: [ok.example.org, b.example.org]\n", "policy.yaml:4:11: host must be text, not a list\n  hint: write a rule for each"},
		{"empty-rule", head + "allow:\n  -\n  - https://ok.example.org/a\n", "policy.yaml:4:4: a rule must be text, not nothing\n  hint: write a rule behind the dash, or remove the dash"},
		{"nested-list", head + "allow:\n  - - https://ok.example.org/a\n", "policy.yaml:4:5: a rule must be text, not a list\n  hint: write one dash, or put it in quotes"},
		{"template", head + "allow:\n  - host: {{ .Host }}\n", "policy.yaml:4:11: host must be text, not a mapping\n  hint: templates are not replaced in a policy: write what is meant"},
		{"reg-list", head + "registries:\n  - npm: https://npm.example.org\n", "policy.yaml:4:3: registries must be a mapping, not a list\n  hint: write the ecosystem, then where its packages are: npm: https://npm.example.org/"},
		{"query-list", head + "allow:\n  - {host: ok.example.org, query: [v, w]}\n", "policy.yaml:4:35: query must be a mapping, not a list\n  hint: write each name with a pattern: query: {name: \"*\"}"},
		{"header-list", head + "allow:\n  - {host: ok.example.org, headers: ['X: y']}\n", "policy.yaml:4:37: headers must be a mapping, not a list\n  hint: write each name with a pattern: headers: {name: \"*\"}"},
		{"paths-null", head + "allow:\n  - host: ok.example.org\n    paths:\n", "policy.yaml:5:11: paths must be a list, not nothing\n  hint: remove paths, or name what it matches, each behind a dash"},
		{"default-list", "version: 1\ndefault: [deny]\n", "policy.yaml:2:10: default must be text, not a list\n  hint: write default: deny"},
		{"tls-true", head + "allow:\n  - {host: ok.example.org, tls: true}\n", "policy.yaml:4:33: tls must be text, not true or false\n  hint: write passthrough, or leave tls out to have it decrypted"},
		{"host-url", head + "allow:\n  - host: https://ok.example.org/a\n", "policy.yaml:4:11: host \"https://ok.example.org/a\" is a URL\n  hint: write host: ok.example.org and paths: [/a]; or write the rule as that URL alone"},
		{"host-url2", head + "allow:\n  - host: https://ok.example.org\n", "policy.yaml:4:11: host \"https://ok.example.org\" is a URL\n  hint: write host: ok.example.org; or write the rule as that URL alone"},
		{"host-path", head + "allow:\n  - host: ok.example.org/a/b\n", "policy.yaml:4:11: host \"ok.example.org/a/b\" holds a path\n  hint: write host: ok.example.org and paths: [/a/b]"},
		{"host-port", head + "allow:\n  - host: ok.example.org:8443\n", "policy.yaml:4:11: host \"ok.example.org:8443\" holds a port\n  hint: write host: ok.example.org and ports: [8443]"},
		{"host-port-path", head + "allow:\n  - host: ok.example.org:8443/a\n", "policy.yaml:4:11: host \"ok.example.org:8443/a\" holds a path\n  hint: write host: ok.example.org and ports: [8443] and paths: [/a]"},
		{"env", head + "allow:\n  - host: $HOST\n", "policy.yaml:4:11: host \"$HOST\" holds a variable, and none is replaced in a policy\n  hint: write the name itself"},
		{"smartquotes", head + "allow:\n  - host: “ok.example.org”\n", "policy.yaml:4:11: host \"“ok.example.org”\" holds a typographic quote\n  hint: write a straight quote, \" or ', or none"},
		{"trail-space", head + "allow:\n  - host: 'ok.example.org '\n", "policy.yaml:4:11: host \"ok.example.org \" has a blank at its end or front\n  hint: write ok.example.org"},
		{"wild-dot", head + "allow:\n  - host: .example.org\n", "policy.yaml:4:11: host \".example.org\" begins with a dot\n  hint: write \"*.example.org\" for what is below example.org, and a rule for example.org itself"},
		{"star-host-all", head + "allow:\n  - host: '*'\n", "policy.yaml:4:11: a wildcard over everything\n  hint: what no rule is about is for default:; write *.example.org, or name the hosts"},
		{"userinfo", head + "allow:\n  - https://user:pass@ok.example.org/a\n", "policy.yaml:4:13: a user or a password has no place in a policy\n  hint: remove what is before the @: ok.example.org"},
		{"userinfo-host", head + "allow:\n  - host: user:secret@ok.example.org\n", "policy.yaml:4:11: a user or a password has no place in a policy\n  hint: write the host alone: what is behind the @"},
		{"ip4-cidr-host", head + "allow:\n  - host: 10.0.0.0/8\n", "policy.yaml:4:11: host \"10.0.0.0/8\" is a network\n  hint: write the host that is meant, and networks: [10.0.0.0/8]"},
		{"bare-host", head + "allow:\n  - ok.example.org\n", "policy.yaml:4:5: \"ok.example.org\" is not a rule\n  hint: write host: ok.example.org, or a URL such as https://ok.example.org/tools/**"},
		{"bare-host-path", head + "allow:\n  - ok.example.org/a/**\n", "policy.yaml:4:5: \"ok.example.org/a/**\" is not a rule\n  hint: write https://ok.example.org/a/**"},
		{"bare-method-host", head + "allow:\n  - GET ok.example.org/a\n", "policy.yaml:4:5: \"GET ok.example.org/a\" is not a rule\n  hint: write GET https://ok.example.org/a"},
		{"method-lower-bare", head + "allow:\n  - get ok.example.org/a\n", "policy.yaml:4:5: \"get ok.example.org/a\" is not a rule\n  hint: write GET https://ok.example.org/a"},
		{"lodash-bare", head + "allow:\n  - lodash@4.17.21\n", "policy.yaml:4:5: \"lodash@4.17.21\" is not a rule\n  hint: write pkg:npm/lodash@4.17.21, or what ecosystem it is of; or a URL"},
		{"npm-colon", head + "allow:\n  - npm:lodash@4\n", "policy.yaml:4:5: \"npm:lodash@4\" is not a rule\n  hint: write pkg:npm/lodash@4"},
		{"npm-slash", head + "allow:\n  - npm/lodash@4\n", "policy.yaml:4:5: \"npm/lodash@4\" is not a rule\n  hint: write pkg:npm/lodash@4"},
		{"pip-colon", head + "allow:\n  - pip:requests\n", "policy.yaml:4:5: \"pip:requests\" is not a rule\n  hint: write pkg:pypi/requests"},
		{"scheme-ssh", head + "allow:\n  - git@git.example.org:a/b.git\n", "policy.yaml:4:5: \"git@git.example.org:a/b.git\" is not a rule\n  hint: write https://git.example.org/a/b.git/** for git over https, or tcp://git.example.org:22 for SSH, which nobody can read"},
		{"ssh-url", head + "allow:\n  - ssh://git@git.example.org/a/b.git\n", "policy.yaml:4:5: unknown scheme \"ssh\"\n  hint: SSH is raw tcp here, which nobody can read: write tcp://git.example.org:22\npolicy.yaml:4:11: a user or a password has no place in a policy\n  hint: remove what is before the @: git.example.org"},
		{"scheme-git", head + "allow:\n  - git+https://git.example.org/a/b.git\n", "policy.yaml:4:5: unknown scheme \"git+https\"\n  hint: write https"},
		{"methods-comma-space", head + "allow:\n  - GET, HEAD https://ok.example.org/a\n", "policy.yaml:4:5: methods have a comma between them, and no blank\n  hint: write GET,HEAD https://ok.example.org/a"},
		{"methods-pipe", head + "allow:\n  - GET|HEAD https://ok.example.org/a\n", "policy.yaml:4:5: methods have a comma between them, and no blank\n  hint: write GET,HEAD https://ok.example.org/a"},
		{"multi-line-str", head + "allow:\n  - >\n    https://ok.example.org/a\n", "policy.yaml:4:5: a rule as a text stands on one line\n  hint: write it behind the dash, without > or |"},
		{"port-name", head + "allow:\n  - {host: ok.example.org, ports: [https]}\n", "policy.yaml:4:36: a port must be a number, not text\n  hint: write 443"},
		{"port-octal", head + "allow:\n  - {host: ok.example.org, ports: [0443]}\n", "policy.yaml:4:36: bad port \"0443\"\n  hint: write 443, without the zero in front of it"},
		{"port-range", head + "allow:\n  - {host: ok.example.org, ports: [8000-8999]}\n", "policy.yaml:4:36: a port must be a number, not text\n  hint: write each port: there are no ranges of them"},
		{"port-star", head + "allow:\n  - {host: ok.example.org, ports: ['*']}\n", "policy.yaml:4:36: a port must be a number, not text\n  hint: write each port; under deny, leave ports out for any"},
		{"port-float", head + "allow:\n  - {host: ok.example.org, ports: [443.0]}\n", "policy.yaml:4:36: a port must be a number, not a number with a point\n  hint: write a number from 1 to 65535"},
		{"port-sexagesimal", head + "allow:\n  - {host: ok.example.org, ports: [22:22]}\n", "policy.yaml:4:36: a port must be a number, not text\n  hint: write a number from 1 to 65535"},
		{"star-method-q", head + "allow:\n  - {host: ok.example.org, methods: ['*']}\n", "policy.yaml:4:38: bad method \"*\"\n  hint: write each method: [GET, HEAD, POST]; under deny, leave methods out for any"},
		{"path-regex", head + "allow:\n  - {host: ok.example.org, paths: ['^/a/.*$']}\n", "policy.yaml:4:36: path \"^/a/.*$\" begins with a caret\n  hint: a path is no regular expression: write * for any run in a segment, ** across segments"},
		{"path-regex2", head + "allow:\n  - {host: ok.example.org, paths: ['/a/.*\\.tgz']}\n", "policy.yaml:4:42: a backslash in a path\n  hint: a path is no regular expression: write * for any run in a segment, ** across segments; what is between segments is a slash"},
		{"version-1.0", "version: 1.0\n", "policy.yaml:1:10: version must be a number, not a number with a point\n  hint: write \"version: 1\""},
		{"pkg-eq", head + "allow:\n  - pkg:pypi/requests==2.0\n", "policy.yaml:4:5: package name \"requests==2.0\" holds \"=\"\n  hint: write the version behind @: pkg:pypi/requests@==2.0"},
		{"pkg-eq, encoded", head + "allow:\n  - pkg:pypi/requests%3d2.0\n", "policy.yaml:4:5: package name \"requests%3d2.0\" holds \"=\"\n  hint: write the version behind @: pkg:pypi/requests@=2.0"},
		{"maven-colon", head + "allow:\n  - pkg:maven/org.x:y@1.0\n", "policy.yaml:4:5: a colon in the name of a Maven package\n  hint: write pkg:maven/org.x/y@1.0"},
		{"maven-noname", head + "allow:\n  - pkg:maven/org.x@1.0\n", "policy.yaml:4:5: a Maven package has a group and an artifact\n  hint: write pkg:maven/org.example/org.x@1.0, or pkg:maven/org.x/* for a group"},
		{"composer-noname", head + "allow:\n  - pkg:composer/monolog\n", "policy.yaml:4:5: a Composer package has a vendor and a name\n  hint: write pkg:composer/example/monolog"},
		{"pasted-below-brackets", head + "allow: []\n  - https://ok.example.org/a\n", "policy.yaml:4:3: not YAML: did not find expected key\n  hint: a list is either in brackets or below its key: remove the brackets on the line above, or put the rule into them"},
		{"pasted-further-left", head + "allow:\n  - https://ok.example.org/a\n- https://b.example.org/x\n", "policy.yaml:5:1: not YAML: did not find expected key\n  hint: line it up with the keys, or the dashes, among which it belongs"},
		{"pasted-further-right", head + "allow:\n- https://ok.example.org/a\n  - https://b.example.org/x\n", "policy.yaml:4:28: two rules in one: a line that is indented further than the dash above it goes on with its rule\n  hint: begin each rule on a line of its own, its dash below the dash above it"},
		{"two-on-a-line", head + "allow:\n  - GET https://ok.example.org/a - GET https://b.example.org/x\n", "policy.yaml:4:34: two rules in one: a line that is indented further than the dash above it goes on with its rule\n  hint: begin each rule on a line of its own, its dash below the dash above it"},
		{"paths-no-comma", head + "allow:\n  - {host: ok.example.org, paths: [/a /b]}\n", "policy.yaml:4:38: two paths in one\n  hint: put a comma between them; a blank that is meant is written %20"},
		{"go-nov", head + "allow:\n  - pkg:golang/example.org/x@1.2.3\n", "policy.yaml:4:5: version \"1.2.3\" is none of golang: a version of a Go module begins with v\n  hint: write v1.2.3"},
		{"range-v", head + "allow:\n  - pkg:npm/x@v1.2.3\n", "policy.yaml:4:5: version \"v1.2.3\" is none of npm: it begins with v, which is for tags of git\n  hint: write 1.2.3"},
		{"range-latest", head + "allow:\n  - pkg:npm/x@latest\n", "policy.yaml:4:5: version \"latest\" is none of npm: it is a name for one that changes\n  hint: leave it out for any version, or write the version, or a range: >=4.17.21 <5"},
		{"ports-any", head + "allow:\n  - {host: ok.example.org, ports: [any]}\n", "policy.yaml:4:36: a port must be a number, not text\n  hint: write each port; under deny, leave ports out for any"},
		{"scheme-udp", head + "allow:\n  - {host: ok.example.org, schemes: [udp]}\n", "policy.yaml:4:38: unknown scheme \"udp\"\n  hint: only TCP is carried, so no rule is needed to deny it; clients of QUIC fall back to https"},
		{"url-ftp", head + "allow:\n  - ftp://ok.example.org/x\n", "policy.yaml:4:5: unknown scheme \"ftp\"\n  hint: nobody reads FTP here: fetch it by https, or write tcp://files.example.org:21 and the ports of its data"},
		{"net-host", head + "allow:\n  - {host: ok.example.org, networks: [db.internal]}\n", "policy.yaml:4:39: bad network \"db.internal\"\n  hint: write the name as host, and the network of its address here, such as 10.1.2.0/24"},
		{"expires-feb30", head + "allow:\n  - {host: ok.example.org, expires: 2027-02-30}\n", "policy.yaml:4:37: there is no day \"2027-02-30\"\n  hint: write the last day, in UTC, on which the rule holds"},
		{"pkg-docker", head + "allow:\n  - registry.example.org/library/alpine:3.20\n", "policy.yaml:4:5: \"registry.example.org/library/alpine:3.20\" is not a rule\n  hint: an image is written pkg:docker/library/alpine@3.20, and where it comes from stands under registries:"},
		{"tmpl", head + "allow:\n  - {{ host }}\n", "policy.yaml:4:6: a key must be text, not a mapping\n  hint: templates are not replaced in a policy: write what is meant"},
		{"comma-end", head + "allow:\n  - host: ok.example.org,\n    paths: [/a]\n", "policy.yaml:4:11: host \"ok.example.org,\" has a , at its end\n  hint: write ok.example.org: a comma stands only between what is in brackets or braces"},
		{"semicolon", head + "allow:\n  - host: ok.example.org; paths: /a\n", "policy.yaml:4:25: not YAML: mapping values are not allowed in this context\n  hint: write each key on a line of its own, or all of them in braces with commas between: {host: …, paths: […]}"},
		{"slashcomment", head + "// my policy\nallow:\n  - https://ok.example.org/a\n", "policy.yaml:3:1: not YAML: could not find expected ':'\n  hint: a comment begins with #"},
		{"path-url", head + "allow:\n  - {host: ok.example.org, paths: [\"https://ok.example.org/a\"]}\n", "policy.yaml:4:36: path \"https://ok.example.org/a\" is a URL\n  hint: write /a, and host: ok.example.org"},
		{"tabs-mid", head + "allow:\n  -\thost: ok.example.org\n  \tpaths: [/a]\n", "policy.yaml:4:4: not YAML: found character that cannot start any token\n  hint: write a blank instead of the tab"},
		{"host-ip-cidr", head + "allow:\n  - 10.0.0.0/8\n", "policy.yaml:4:5: \"10.0.0.0/8\" is not a rule\n  hint: write the host that is meant, and its networks: [10.0.0.0/8]"},
		{"regex-host", head + "allow:\n  - host: \"^.*\\\\.example\\\\.org$\"\n", "policy.yaml:4:11: host \"^.*\\\\.example\\\\.org$\" looks like a regular expression, and is compared as it stands\n  hint: write the name, or *.example.org for what is below example.org"},
		{"block-scalar", head + "allow: |\n  - https://ok.example.org/a\n", "policy.yaml:3:8: allow must be a list of rules, not text\n  hint: remove the | or > behind the key: what is below it is a list, and no text"},
		{"default-no", "version: 1\ndefault: no\n", "policy.yaml:2:10: unknown default \"no\"\n  hint: write default: deny"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse("policy.yaml", []byte(tt.doc))
			if p != nil || err == nil {
				t.Fatalf("accepted: %+v, %v", p, err)
			}
			if got := err.Error(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s%s", got, tt.want, reworded(got, tt.want))
			}
		})
	}
}

// reworded says where to look when a slip is reported at its place and in other
// words, which are yaml.v3's.
func reworded(got, want string) string {
	const of = ": not YAML: "
	gotAt, gotWords, isSyntax := strings.Cut(got, of)
	wantAt, wantWords, wasSyntax := strings.Cut(want, of)
	gotWords, _, _ = strings.Cut(gotWords, "\n")
	wantWords, _, _ = strings.Cut(wantWords, "\n")
	if !wasSyntax || isSyntax && (gotAt != wantAt || gotWords == wantWords) {
		return ""
	}
	return fmt.Sprintf("\nyaml.v3 said %q and now says %q: see whether syntaxHint (syntax_hint.go) still knows its words, then mend the case", wantWords, gotWords)
}

// TestGoOn has several slips in one file: the mistakes of one run, and none that is a
// mistake only because something was taken out.
func TestGoOn(t *testing.T) {
	const up = "  - host: UP.example.org\n"
	var twenty strings.Builder
	fmt.Fprint(&twenty, "4:5 syntax")
	for line := 5; line < 24; line++ {
		fmt.Fprintf(&twenty, "; %d:5 syntax", line)
	}
	for _, tt := range []struct{ name, doc, want string }{
		{"in rules of two lists", head + "allow:\n  - host: a.example.org\n      paths: [/a]\n" + up + "deny:\n  - @evil/x\n" + up, "5:12 syntax; 6:11; 8:5 syntax; 9:11"},
		{"in the only rule of a list", head + "allow:\n  - @evil/x\nlog: [nonsense]\n", "4:5 syntax; 5:7"},
		{"with the version", "version: 1: 2\nallow:\n" + up, "1:11 syntax; 3:11"},
		{"in a list of a rule", head + "allow:\n  - host: a.example.org\n    paths:\n      - @a\n      - /b\n" + up, "6:9 syntax; 8:11"},
		{"in a list of a rule that has another", head + "allow:\n" + up + "    paths:\n      - @a\n" + up, "6:9 syntax; 7:11"},
		{"one too many", head + "allow:\n" + strings.Repeat("  - @x\n", 21) + up, twenty.String()},
		{"in a long file", head + "allow:\n  - @x\n" + strings.Repeat("# "+strings.Repeat("x", 1022)+"\n", 256) + up, "4:5 syntax"},
		{"that go left", head + "allow:\n" + up + "- nonsense\n  - other\n", "4:11; 5:1 syntax; 6:5"},
		{"a quote that ends in another rule", head + "allow:\n  - host: 'a.example.org\n  - host: 'b.example.org'\n" + up, "4:11 syntax; 6:11"},
		{"a quote that is never closed", head + "allow:\n" + up + "  - host: 'a.example.org\n" + up, "4:11; 5:11 syntax; 6:11"},
		{"a brace that is the cause of both", head + "allow:\n  - {host: x\n- y\n  - 'x'\n  }\n    paths: /b]\n" + up, "4:5 syntax"},
		{"that nothing is left of", "allow: @x\n", "1:8 syntax"},
		{"in braces", "{version: 1, allow: [@x], deny: [UP.example.org]}\n", "1:22 syntax"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("policy.yaml", []byte(tt.doc))
			var all Mistakes
			if !errors.As(err, &all) {
				t.Fatalf("accepted: %v", err)
			}
			var got []string
			for _, m := range all {
				if got = append(got, fmt.Sprintf("%d:%d", m.Line, m.Column)); strings.HasPrefix(m.Message, "not YAML: ") {
					got[len(got)-1] += " syntax"
				}
			}
			if got := strings.Join(got, "; "); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
