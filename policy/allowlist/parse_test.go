package allowlist

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mistake is a policy that is none, and what is printed about it.
type mistake struct{ name, doc, want string }

func mistakes() []mistake {
	return []mistake{
		{"empty", "", "policy.yaml:1:1: the policy is empty\n  hint: a policy that denies everything says so: version: 1"},
		{"comment alone", "# nothing\n", "policy.yaml:1:1: the policy is empty\n  hint: a policy that denies everything says so: version: 1"},
		{"null", "~", "policy.yaml:1:1: the policy is empty\n  hint: a policy that denies everything says so: version: 1"},
		{"second document", "version: 1\n---\nversion: 1\n", "policy.yaml:2:1: a second document\n  hint: one file holds one policy; give each its own -policy"},
		{"second document, empty", "version: 1\n---\n", "policy.yaml:2:1: a second document\n  hint: one file holds one policy; give each its own -policy"},
		{"a list", "- a", "policy.yaml:1:1: a policy must be a mapping, not a list\n  hint: begin with version: 1, and put the rules under allow:"},
		{"a text", "hello", "policy.yaml:1:1: a policy must be a mapping, not text\n  hint: begin with version: 1"},
		{"no version", "allow: []", "policy.yaml:1:1: the version is missing\n  hint: add \"version: 1\""},
		{"version 2", "version: 2", "policy.yaml:1:10: unknown version 2\n  hint: this release reads version 1"},
		{"version as text", `version: "1"`, "policy.yaml:1:10: version must be a number, not text\n  hint: write \"version: 1\""},
		{"version in octal", `version: 0x1`, "policy.yaml:1:10: unknown version 0x1\n  hint: this release reads version 1"},
		{"unknown key", v("alow: []"), "policy.yaml:2:1: unknown key \"alow\" in a policy\n  hint: did you mean allow?"},
		{"unknown key like nothing", v("rules: []"), "policy.yaml:2:1: unknown key \"rules\" in a policy\n  hint: rules stand in the lists allow, deny and log, at the left margin"},
		{"key in capitals", v("Allow: []"), "policy.yaml:2:1: unknown key \"Allow\" in a policy\n  hint: did you mean allow?"},
		{"key that is no text", v("1: []"), "policy.yaml:2:1: a key must be text, not a number\n  hint: put it in quotes"},
		{"duplicate key", v("allow: []\nallow: []"), "policy.yaml:3:1: duplicate key \"allow\"\n  hint: it stands on line 2 already; keep one"},
		{"duplicate key in a rule", v("allow:\n  - host: ok.test\n    host: ok.test"), "policy.yaml:4:5: duplicate key \"host\"\n  hint: it stands on line 3 already; keep one"},
		{"list that is null", v("allow:"), "policy.yaml:2:7: allow must be a list of rules, not nothing\n  hint: remove the key, or write allow: []"},
		{"list that is a mapping", v("deny: {host: ok.test}"), "policy.yaml:2:7: deny must be a list of rules, not a mapping\n  hint: begin each rule with a dash"},
		{"default", v("default: dney"), "policy.yaml:2:10: unknown default \"dney\"\n  hint: did you mean deny?"},
		{"default is no text", v("default: true"), "policy.yaml:2:10: default must be text, not true or false\n  hint: write default: deny"},
		{"default null", v("default:"), "policy.yaml:2:9: default must be text, not nothing\n  hint: write default: deny"},

		{"empty rule", v("allow: [{}]"), "policy.yaml:2:9: an empty rule would match everything\n  hint: name a host or a package"},
		{"no host", v("allow:\n  - methods: [GET]"), "policy.yaml:3:5: a rule needs a host or a package\n  hint: add host: build.example.org, or what is meant"},
		{"no host under deny", v("deny: [{methods: [PUT]}]"), "policy.yaml:2:8: a rule needs a host or a package\n  hint: add host: build.example.org, or what is meant"},
		{"escape in a rule of one line", v(`allow: ["\e[2J::stop-commands::"]`), "policy.yaml:2:9: \"\\x1b[2J::stop-commands::\" is not a rule\n  hint: write a URL such as https://build.example.org/tools/**, or host: build.example.org"},
		{"escape in a host", v(`allow: [{host: "a\e[2J/x"}]`), "policy.yaml:2:16: host \"a\\x1b[2J/x\" holds a path\n  hint: write host: aU+001B[2J and paths: [/x]"},
		{"escape in a rule", v(`allow: ["\e[2J::stop-commands::\n"]`), "policy.yaml:2:9: a rule as a text stands on one line\n  hint: write it behind the dash, without > or |"},
		{"null rule", v("allow: [~]"), "policy.yaml:2:9: a rule must be text, not nothing\n  hint: write a rule behind the dash, or remove the dash"},
		{"list as a rule", v("allow: [[]]"), "policy.yaml:2:9: a rule must be text, not a list\n  hint: write one dash, or put it in quotes"},
		{"unknown key in a rule", v("allow:\n  - host: ok.test\n    method: [GET]"), "policy.yaml:4:5: unknown key \"method\" in a rule\n  hint: did you mean methods?"},
		{"host in capitals", v("allow: [{host: OK.test}]"), "policy.yaml:2:16: host \"OK.test\" is not in canonical form\n  hint: write ok.test"},
		{"host with dot", v("allow: [{host: '*.ok.test.'}]"), "policy.yaml:2:16: host \"*.ok.test.\" is not in canonical form\n  hint: write *.ok.test"},
		{"host in Unicode", v("allow: [{host: bücher.test}]"), "policy.yaml:2:16: host \"bücher.test\" is not in canonical form\n  hint: write xn--bcher-kva.test"},
		{"host as URL", v("allow: [{host: 'https://ok.test'}]"), "policy.yaml:2:16: host \"https://ok.test\" is a URL\n  hint: write host: ok.test; or write the rule as that URL alone"},
		{"host with port", v("allow: [{host: 'ok.test:8443'}]"), "policy.yaml:2:16: host \"ok.test:8443\" holds a port\n  hint: write host: ok.test and ports: [8443]"},
		{"host as number", v("allow: [{host: 127.1}]"), "policy.yaml:2:16: host must be text, not a number with a point\n  hint: put it in quotes: \"127.1\""},
		{"host as number in quotes", v("allow: [{host: '127.1'}]"), "policy.yaml:2:16: invalid host \"127.1\": a number that is not a dotted quad\n  hint: write a name such as build.example.org, or an address"},
		{"IPv4-mapped host", v("allow: [{host: '::ffff:192.0.2.1'}]"), "policy.yaml:2:16: host \"::ffff:192.0.2.1\" is not in canonical form\n  hint: write 192.0.2.1"},
		{"wildcard in the middle", v("allow: [{host: a.*.ok.test}]"), "policy.yaml:2:18: a wildcard stands for whole labels at the front of a host, once\n  hint: write *.example.org, or name the hosts"},
		{"wildcard in a label", v("allow: [{host: 'a*.ok.test'}]"), "policy.yaml:2:18: a wildcard stands for whole labels at the front of a host, once\n  hint: write *.example.org, or name the hosts"},
		{"wildcard alone", v("allow: [{host: '*'}]"), "policy.yaml:2:16: a wildcard over everything\n  hint: what no rule is about is for default:; write *.example.org, or name the hosts"},
		{"wildcard twice", v("allow: [{host: '*.*.ok.test'}]"), "policy.yaml:2:19: a wildcard stands for whole labels at the front of a host, once\n  hint: write *.example.org, or name the hosts"},
		{"wildcard over com", v("allow: [{host: '*.com'}]"), "policy.yaml:2:16: \"*.com\" is a wildcard over a public suffix: anyone may own a name below it\n  hint: name the hosts, or the domain below com that is meant"},
		{"wildcard over co.uk", v("allow: ['https://*.co.uk/']"), "policy.yaml:2:18: \"*.co.uk\" is a wildcard over a public suffix: anyone may own a name below it\n  hint: name the hosts, or the domain below co.uk that is meant"},
		{"wildcard over a provider", v("log: [{host: '*.github.io'}]"), "policy.yaml:2:14: \"*.github.io\" is a wildcard over a public suffix: anyone may own a name below it\n  hint: name the hosts, or the domain below github.io that is meant"},
		{"wildcard over an address", v("allow: [{host: '*.192.0.2.1'}]"), "policy.yaml:2:16: a wildcard over an address\n  hint: write the address, or a rule for each"},

		{"method in lowercase", v("allow:\n  - host: ok.test\n    methods: [GET, post]"), "policy.yaml:4:20: method \"post\" is not in capitals\n  hint: write POST"},
		{"CONNECT", v("allow: [{host: ok.test, methods: [CONNECT]}]"), "policy.yaml:2:35: CONNECT is not a method of a rule: it only opens a tunnel, and what is in it is decided\n  hint: to let a connection pass undecrypted write tls: passthrough"},
		{"bad method", v("allow: [{host: ok.test, methods: ['G T']}]"), "policy.yaml:2:35: bad method \"G T\"\n  hint: write a method such as GET or POST"},
		{"star as method", v("allow: [{host: ok.test, methods: ['*']}]"), "policy.yaml:2:35: bad method \"*\"\n  hint: write each method: [GET, HEAD, POST]; under deny, leave methods out for any"},
		{"methods as text", v("allow: [{host: ok.test, methods: GET}]"), "policy.yaml:2:34: methods must be a list, not text\n  hint: write methods: [GET]"},
		{"methods empty", v("allow: [{host: ok.test, methods: []}]"), "policy.yaml:2:34: methods is an empty list, which matches nothing\n  hint: remove methods, or name what it matches"},
		{"methods null", v("allow: [{host: ok.test, methods: }]"), "policy.yaml:2:34: methods must be a list, not nothing\n  hint: remove methods, or name what it matches, each behind a dash"},
		{"port 0", v("allow: [{host: ok.test, ports: [0]}]"), "policy.yaml:2:33: bad port \"0\"\n  hint: write a number from 1 to 65535"},
		{"port too high", v("allow: [{host: ok.test, ports: [443, 65536]}]"), "policy.yaml:2:38: bad port \"65536\"\n  hint: write a number from 1 to 65535"},
		{"port in octal", v("allow: [{host: ok.test, ports: [0443]}]"), "policy.yaml:2:33: bad port \"0443\"\n  hint: write 443, without the zero in front of it"},
		{"port as text", v("allow: [{host: ok.test, ports: ['443']}]"), "policy.yaml:2:33: a port must be a number, not text\n  hint: write 443 without quotes"},
		{"port range", v("allow: [{host: ok.test, ports: [80-90]}]"), "policy.yaml:2:33: a port must be a number, not text\n  hint: write each port: there are no ranges of them"},
		{"scheme", v("allow: [{host: ok.test, schemes: [htps]}]"), "policy.yaml:2:35: unknown scheme \"htps\"\n  hint: did you mean https?"},
		{"scheme in capitals", v("allow: ['HTTPS://ok.test/']"), "policy.yaml:2:9: unknown scheme \"HTTPS\"\n  hint: did you mean https?"},
		{"tcp without ports", v("allow: [{host: ok.test, schemes: [tcp]}]"), "policy.yaml:2:25: a tcp rule needs ports\n  hint: add ports, such as ports: [22]"},
		{"tcp URL without port", v("allow: ['tcp://ok.test']"), "policy.yaml:2:9: a tcp rule needs ports\n  hint: write tcp://ok.test:22, or the port that is meant"},
		{"tcp with paths", v("allow: [{host: ok.test, schemes: [tcp], ports: [22], paths: [/]}]"), "policy.yaml:2:54: paths cannot be seen in raw tcp\n  hint: write a rule of its own for https"},
		{"tcp URL with path", v("allow: ['tcp://ok.test:22/x']"), "policy.yaml:2:26: raw tcp has no paths\n  hint: write the host and the port alone"},
		{"tcp URL with method", v("allow: ['GET tcp://ok.test:22']"), "policy.yaml:2:9: raw tcp has no methods\n  hint: write the URL alone"},
		{"passthrough with paths", v("allow: [{host: ok.test, tls: passthrough, paths: [/]}]"), "policy.yaml:2:43: paths cannot be seen undecrypted: a passthrough rule is decided by host and port alone\n  hint: remove it, or remove tls: passthrough"},
		{"passthrough with methods", v("allow: [{host: ok.test, methods: [GET], tls: passthrough}]"), "policy.yaml:2:25: methods cannot be seen undecrypted: a passthrough rule is decided by host and port alone\n  hint: remove it, or remove tls: passthrough"},
		{"passthrough of http", v("log: [{host: ok.test, schemes: [http], tls: passthrough}]"), "policy.yaml:2:23: schemes of a passthrough rule can only be https\n  hint: remove it, or remove tls: passthrough"},
		{"passthrough under deny", v("deny: [{host: ok.test, tls: passthrough}]"), "policy.yaml:2:24: tls has no meaning under deny\n  hint: remove it: denying the host denies its connections"},
		{"tls", v("allow: [{host: ok.test, tls: decrypt}]"), "policy.yaml:2:30: unknown tls \"decrypt\"\n  hint: write passthrough, or leave tls out to have it decrypted"},
		{"networks under deny", v("deny: [{host: ok.test, networks: [10.0.0.0/8]}]"), "policy.yaml:2:24: networks has no meaning under deny: the decision comes before any address is known\n  hint: remove it, or deny the address as a host"},
		{"network with host bits", v("allow: [{host: ok.test, networks: [10.1.2.3/8]}]"), "policy.yaml:2:36: network \"10.1.2.3/8\" is not in canonical form\n  hint: write 10.0.0.0/8"},
		{"network without length", v("allow: [{host: ok.test, networks: ['10.1.2.3']}]"), "policy.yaml:2:36: bad network \"10.1.2.3\"\n  hint: write 10.1.2.3/32"},
		{"network IPv4-mapped", v("allow: [{host: ok.test, networks: ['::ffff:10.0.0.0/104']}]"), "policy.yaml:2:36: network \"::ffff:10.0.0.0/104\" is not in canonical form\n  hint: write 10.0.0.0/8"},
		{"network that is none", v("allow: [{host: ok.test, networks: [private]}]"), "policy.yaml:2:36: bad network \"private\"\n  hint: write an address and a length, such as 10.0.0.0/8"},
		{"reason empty", v("allow: [{host: ok.test, reason: ''}]"), "policy.yaml:2:33: reason is empty\n  hint: say why, or remove it"},
		{"reason with an escape", v(`allow: [{host: ok.test, reason: "\e[2J"}]`), "policy.yaml:2:33: reason holds a control character\n  hint: remove it"},

		{"query as a list", v("allow: [{host: ok.test, query: [a]}]"), "policy.yaml:2:32: query must be a mapping, not a list\n  hint: write each name with a pattern: query: {name: \"*\"}"},
		{"query null", v("allow: [{host: ok.test, query: }]"), "policy.yaml:2:32: query must be a mapping, not nothing\n  hint: write each name with a pattern: query: {name: \"*\"}"},
		{"query empty under deny", v("deny: [{host: ok.test, query: {}}]"), "policy.yaml:2:31: query is empty, which changes nothing under deny\n  hint: remove query, or name a parameter"},
		{"parameter as a number", v("allow: [{host: ok.test, query: {page: 1}}]"), "policy.yaml:2:39: a pattern must be text, not a number\n  hint: put it in quotes: \"1\""},
		{"parameter null", v("allow: [{host: ok.test, query: {page: ~}}]"), "policy.yaml:2:39: page has no pattern\n  hint: write \"*\" for any value, or \"\" for the empty one"},
		{"parameter with an empty list", v("allow: [{host: ok.test, query: {page: []}}]"), "policy.yaml:2:39: page is an empty list, which matches nothing\n  hint: remove page, or name what it matches"},
		{"parameter twice", v("allow: [{host: ok.test, query: {page: x, 'page?': y}}]"), "policy.yaml:2:42: the name \"page\" stands here already in another spelling\n  hint: keep one, with a list of patterns"},
		{"parameter twice, encoded", v("allow: [{host: ok.test, query: {page: x, 'p%61ge': y}}]"), "policy.yaml:2:42: the name \"page\" stands here already in another spelling\n  hint: keep one, with a list of patterns"},
		{"parameter with a star", v("allow: [{host: ok.test, query: {'page*': x}}]"), "policy.yaml:2:38: a star stands for every name that is not listed, alone\n  hint: write the name, or \"*\" and the values that any other may have"},
		{"parameter with an encoded star", v("allow: [{host: ok.test, query: {'%2A': x}}]"), "policy.yaml:2:33: a parameter that is named by a star cannot be told from any\n  hint: leave it out"},
		{"parameter without a name", v("allow: [{host: ok.test, query: {'': x}}]"), "policy.yaml:2:33: a parameter without a name\n  hint: write its name"},
		{"parameter with a broken escape", v("allow: [{host: ok.test, query: {a: '100%'}}]"), "policy.yaml:2:36: broken percent-encoding in \"100%\"\n  hint: write %25 for a percent sign"},
		{"parameter with an ampersand", v("allow: [{host: ok.test, query: {a: b&c=d}}]"), "policy.yaml:2:36: \"&\" cannot stand in a parameter\n  hint: each parameter has its own key; the character itself is written %26"},
		{"parameter with a plus", v("allow: [{host: ok.test, query: {a: b+c}}]"), "policy.yaml:2:36: \"+\" cannot stand in a parameter\n  hint: write %20 for a space, %2B for a plus"},
		{"parameter with two stars", v("allow: [{host: ok.test, query: {a: 'b**'}}]"), "policy.yaml:2:38: two stars in a pattern\n  hint: one star stands for any run of characters"},
		{"parameter with 17 stars", v("allow: [{host: ok.test, query: {a: '" + strings.Repeat("*a", 17) + "'}}]"), "policy.yaml:2:36: pattern has too many stars\n  hint: write several patterns"},
		{"optional parameter under deny", v("deny: [{host: ok.test, query: {'a?': b}}]"), "policy.yaml:2:32: a question mark has no meaning under deny: what is absent is not denied\n  hint: write a"},
		{"65 parameters", v("allow: [{host: ok.test, query: {" + strings.Join(numbered(65), ": x, ") + ": x}}]"), "policy.yaml:2:32: query has too many names\n  hint: 64 are the most; write several rules"},
		{"query of raw tcp", v("allow: [{host: ok.test, schemes: [tcp], ports: [22], query: {a: b}}]"), "policy.yaml:2:54: query cannot be seen in raw tcp\n  hint: write a rule of its own for https"},
		{"query undecrypted", v("allow: [{host: ok.test, tls: passthrough, query: {a: b}}]"), "policy.yaml:2:43: query cannot be seen undecrypted: a passthrough rule is decided by host and port alone\n  hint: remove it, or remove tls: passthrough"},
		{"query of a package", v("allow: [{package: 'pkg:npm/x', query: {a: b}}]"), "policy.yaml:2:32: query has no place in a rule for a package: the registry says where, and reading is all it allows\n  hint: remove it, or write a rule for the host"},
		{"headers empty", v("allow: [{host: ok.test, headers: {}}]"), "policy.yaml:2:34: headers is empty, which changes nothing\n  hint: remove headers, or name a header"},
		{"header that is no name", v("allow: [{host: ok.test, headers: {'X Y': a}}]"), "policy.yaml:2:35: bad header name \"X Y\"\n  hint: write a name such as Content-Type"},
		{"header with a star", v("allow: [{host: ok.test, headers: {X-*: a}}]"), "policy.yaml:2:35: bad header name \"X-*\"\n  hint: write a name such as Content-Type"},
		{"header Host", v("allow: [{host: ok.test, headers: {Host: a}}]"), "policy.yaml:2:35: the header Host is the rule's host\n  hint: remove it, and name the host"},
		{"header of the connection", v("deny: [{host: ok.test, headers: {proxy-authorization: a}}]"), "policy.yaml:2:34: the header Proxy-Authorization is about one connection and is not forwarded as it was sent\n  hint: remove it"},
		{"header that overrides", v("allow: [{host: ok.test, headers: {X-HTTP-Method-Override: a}}]"), "policy.yaml:2:35: a request with the header X-Http-Method-Override matches no allow rule, for a server may take the method or the path from it\n  hint: remove it"},
		{"header twice", v("allow: [{host: ok.test, headers: {X-A: a, x_a: b}}]"), "policy.yaml:2:43: the name \"x-a\" stands here already in another spelling\n  hint: keep one, with a list of patterns"},
		{"headers of raw tcp", v("allow: [{host: ok.test, schemes: [tcp], ports: [22], headers: {a: b}}]"), "policy.yaml:2:54: headers cannot be seen in raw tcp\n  hint: write a rule of its own for https"},
		{"expires no date", v("allow: [{host: ok.test, expires: soon}]"), "policy.yaml:2:34: bad date \"soon\"\n  hint: write a date such as 2027-01-31: the last day, in UTC, on which the rule holds"},
		{"expires with a time", v("allow: [{host: ok.test, expires: 2027-01-31T10:00:00Z}]"), "policy.yaml:2:34: bad date \"2027-01-31T10:00:00Z\"\n  hint: write a date such as 2027-01-31: the last day, in UTC, on which the rule holds"},
		{"expires on no day", v("allow: [{host: ok.test, expires: 2027-02-29}]"), "policy.yaml:2:34: there is no day \"2027-02-29\"\n  hint: write the last day, in UTC, on which the rule holds"},
		{"expires as a year", v("allow: [{host: ok.test, expires: 2027}]"), "policy.yaml:2:34: expires must be a date, not a number\n  hint: write a date such as 2027-01-31: the last day, in UTC, on which the rule holds"},
		{"expires long ago", v("allow: [{host: ok.test, expires: 1969-12-31}]"), "policy.yaml:2:34: bad date \"1969-12-31\"\n  hint: write a date such as 2027-01-31: the last day, in UTC, on which the rule holds"},
		{"expires null", v("allow: [{host: ok.test, expires: }]"), "policy.yaml:2:34: expires must be a date, not nothing\n  hint: write a date such as 2027-01-31: the last day, in UTC, on which the rule holds"},
		{"misspelled expires", v("allow: [{host: ok.test, expire: 2027-01-31}]"), "policy.yaml:2:25: unknown key \"expire\" in a rule\n  hint: write expires"},

		{"via under deny", v("deny: [{host: ok.test, via: 'https://a.test/**'}]"), "policy.yaml:2:24: via has no place under deny: what a redirect makes denied, a request without one would reach\n  hint: remove it: denying the host denies what leads there too"},
		{"via of a package", v("allow: [{package: 'pkg:npm/x', via: 'https://a.test'}]"), "policy.yaml:2:32: via has no place in a rule for a package: the registry says where, and reading is all it allows\n  hint: remove it, or write a rule for the host"},
		{"via of raw tcp", v("allow: [{host: ok.test, schemes: [tcp], ports: [22], via: 'https://a.test'}]"), "policy.yaml:2:54: via cannot be seen in raw tcp\n  hint: write a rule of its own for https"},
		{"via undecrypted", v("allow: [{host: ok.test, tls: passthrough, via: 'https://a.test'}]"), "policy.yaml:2:43: via cannot be seen undecrypted: a passthrough rule is decided by host and port alone\n  hint: remove it, or remove tls: passthrough"},
		{"via of a WebSocket", v("allow: [{host: ok.test, schemes: [https, wss], via: 'https://a.test'}]"), "policy.yaml:2:25: schemes of a rule with via can only be https and http: no client follows a redirect to a WebSocket\n  hint: write a rule of its own for the WebSocket"},
		{"via a WebSocket", v("allow: [{host: ok.test, via: 'wss://a.test/x'}]"), "policy.yaml:2:30: nothing redirects over wss\n  hint: write a URL such as https://build.example.org/releases/**"},
		{"via a misspelled scheme", v("allow: [{host: ok.test, via: ['htps://a.test/x']}]"), "policy.yaml:2:31: unknown scheme \"htps\"\n  hint: did you mean https?"},
		{"via a host", v("allow: [{host: ok.test, via: a.test}]"), "policy.yaml:2:30: \"a.test\" is not a URL\n  hint: write a URL such as https://build.example.org/releases/**"},
		{"via a method", v("allow: [{host: ok.test, via: 'GET https://a.test/x'}]"), "policy.yaml:2:30: \"GET https://a.test/x\" has a method: whatever is redirected counts\n  hint: write https://a.test/x"},
		{"via a query", v("allow: [{host: ok.test, via: 'https://a.test/x?y=z'}]"), "policy.yaml:2:47: a path has no query and no fragment\n  hint: remove \"?y=z\"; a rule covers every query, or only what its key query lists"},
		{"via somebody", v("allow: [{host: ok.test, via: 'https://x@a.test/x'}]"), "policy.yaml:2:39: a user or a password has no place in a policy\n  hint: remove what is before the @: a.test"},
		{"via a host in capitals", v("allow: [{host: ok.test, via: 'https://A.test/x'}]"), "policy.yaml:2:39: host \"A.test\" is not in canonical form\n  hint: write a.test"},
		{"via dots", v("allow: [{host: ok.test, via: 'https://a.test/x/../y'}]"), "policy.yaml:2:45: path \"/x/../y\": ambiguous path: dot segment\n  hint: write the path as a server would see it"},
		{"via a public suffix", v("allow: [{host: ok.test, via: 'https://*.github.io/x'}]"), "policy.yaml:2:39: \"*.github.io\" is a wildcard over a public suffix: anyone may own a name below it\n  hint: name the hosts, or the domain below github.io that is meant"},
		{"via nothing", v("allow: [{host: ok.test, via: }]"), "policy.yaml:2:30: a redirecting URL must be text, not nothing\n  hint: write it, or remove the key"},
		{"via an empty list", v("allow: [{host: ok.test, via: []}]"), "policy.yaml:2:30: via is an empty list, which matches nothing\n  hint: remove via, or name what it matches"},
		{"via a mapping", v("allow: [{host: ok.test, via: {host: a.test}}]"), "policy.yaml:2:30: a redirecting URL must be text, not a mapping\n  hint: put a text with braces, or with a colon and a blank, in quotes"},
		{"misspelled via", v("allow: [{host: ok.test, vai: 'https://a.test'}]"), "policy.yaml:2:25: unknown key \"vai\" in a rule\n  hint: known here: host, package, methods, paths, query, headers, via, ports, schemes, networks, processes, tls, expires, reason"},

		{"reason too long", v("allow: [{host: ok.test, reason: " + strings.Repeat("a", 1001) + "}]"), "policy.yaml:2:33: reason is too long\n  hint: 1000 bytes are the most; put the rest into a comment"},
		{"path without slash", v("allow: [{host: ok.test, paths: [tools]}]"), "policy.yaml:2:33: path \"tools\" does not begin with a slash\n  hint: write /tools"},
		{"path with dots", v("allow: [{host: ok.test, paths: [/a/../b]}]"), "policy.yaml:2:33: path \"/a/../b\": ambiguous path: dot segment\n  hint: write the path as a server would see it"},
		{"path with encoded dots", v("allow: [{host: ok.test, paths: ['/a/%2e%2E%2f*']}]"), "policy.yaml:2:33: path \"/a/%2e%2E%2f*\": ambiguous path: dot segment\n  hint: write the path as a server would see it"},
		{"path with broken escape", v("allow: [{host: ok.test, paths: ['/a%4*']}]"), "policy.yaml:2:33: path \"/a%4*\": ambiguous path: broken percent-encoding\n  hint: write the path as a server would see it"},
		{"path with query", v("allow: [{host: ok.test, paths: ['/a?b=c']}]"), "policy.yaml:2:36: a path has no query and no fragment\n  hint: remove \"?b=c\"; a rule covers every query, or only what its key query lists"},
		{"path with three stars", v("allow: [{host: ok.test, paths: ['/a/***']}]"), "policy.yaml:2:37: three stars\n  hint: write * within a segment, ** across segments"},
		{"path with a class", v("allow: [{host: ok.test, paths: ['/a/[bc]']}]"), "policy.yaml:2:37: \"[\" is no pattern here\n  hint: only *, ** and {version}, {int}, {sha}, {uuid}, {date} are; the character itself is written percent-encoded"},
		{"path with an unknown type", v("allow: [{host: ok.test, paths: ['/a/{verison}/b']}]"), "policy.yaml:2:37: unknown type \"{verison}\" in a path\n  hint: did you mean version? (a brace that is meant is written %7B)"},
		{"path with no type", v("allow: [{host: ok.test, paths: ['/a/{}']}]"), "policy.yaml:2:37: unknown type \"{}\" in a path\n  hint: known here: version, int, sha, uuid, date (a brace that is meant is written %7B)"},
		{"path with a type in capitals", v("deny: [{host: ok.test, paths: ['/{INT}']}]"), "policy.yaml:2:34: unknown type \"{INT}\" in a path\n  hint: did you mean int? (a brace that is meant is written %7B)"},
		{"path with a type and a space", v("log: [{host: ok.test, paths: ['/{int }']}]"), "policy.yaml:2:33: unknown type \"{int }\" in a path\n  hint: did you mean int? (a brace that is meant is written %7B)"},
		{"path with an open brace", v("allow: [{host: ok.test, paths: ['/a/{int/b']}]"), "policy.yaml:2:37: a brace that is not closed\n  hint: write } behind the word; did you mean int? (a brace that is meant is written %7B)"},
		{"path with a brace in a brace", v("allow: [{host: ok.test, paths: ['/a/{int{sha}}']}]"), "policy.yaml:2:37: a brace that is not closed\n  hint: write } behind the word; did you mean int? (a brace that is meant is written %7B)"},
		{"path with a closing brace", v("allow: [{host: ok.test, paths: ['/a/int}']}]"), "policy.yaml:2:40: \"}\" is no pattern here\n  hint: only *, ** and {version}, {int}, {sha}, {uuid}, {date} are; the character itself is written percent-encoded"},
		{"path with braces without quotes", v("allow:\n  - host: ok.test\n    paths: [/a, /b/{int}/c]"), "policy.yaml:4:12: not YAML: did not find expected ',' or ']'\n  hint: put a path with braces in quotes where it stands in a list in brackets"},
		{"path of 17 stars and types", v("allow: [{host: ok.test, paths: ['" + strings.Repeat("/*/{int}", 8) + "/*']}]"), "policy.yaml:2:33: path has too many stars\n  hint: write several patterns"},
		{"line with an unknown type", v("allow:\n  - GET https://ok.test/a/{sha1}/b"), "policy.yaml:3:27: unknown type \"{sha1}\" in a path\n  hint: did you mean sha? (a brace that is meant is written %7B)"},
		{"path with a placeholder", v("allow: [{host: ok.test, paths: ['/a/%ee%80%80']}]"), "policy.yaml:2:33: path holds a private-use character\n  hint: write * in its place"},
		{"path of 17 stars", v("allow: [{host: ok.test, paths: ['" + strings.Repeat("/*", 17) + "']}]"), "policy.yaml:2:33: path has too many stars\n  hint: write several patterns"},
		{"path too long", v("allow: [{host: ok.test, paths: [/" + strings.Repeat("a", 4096) + "]}]"), "policy.yaml:2:33: path is too long\n  hint: a path may have 4096 bytes"},

		{"line that is a host", v("allow: [ok.test]"), "policy.yaml:2:9: \"ok.test\" is not a rule\n  hint: write host: ok.test, or a URL such as https://ok.test/tools/**"},
		{"line without URL", v("allow: [GET ok.test/x]"), "policy.yaml:2:9: \"GET ok.test/x\" is not a rule\n  hint: write GET https://ok.test/x"},
		{"line with lowercase method", v("allow:\n  - GET,put https://ok.test/x"), "policy.yaml:3:9: method \"put\" is not in capitals\n  hint: write PUT"},
		{"line with bad port", v("allow:\n  - GET https://ok.test:99999/x"), "policy.yaml:3:25: bad port \"99999\"\n  hint: write a number from 1 to 65535"},
		{"line with userinfo", v("allow:\n  - GET https://u@ok.test/x"), "policy.yaml:3:17: a user or a password has no place in a policy\n  hint: remove what is before the @: ok.test"},
		{"line with host in capitals", v("allow:\n  - GET https://OK.test/x"), "policy.yaml:3:17: host \"OK.test\" is not in canonical form\n  hint: write ok.test"},
		{"line with query", v("allow:\n  - GET https://ok.test/x?y"), "policy.yaml:3:26: a path has no query and no fragment\n  hint: remove \"?y\"; a rule covers every query, or only what its key query lists"},
		{"line with query alone", v("allow:\n  - GET https://ok.test?y"), "policy.yaml:3:24: path \"?y\" does not begin with a slash\n  hint: write /?y"},
		{"line with bare IPv6", v("allow:\n  - GET https://2001:db8::1/x"), "policy.yaml:3:17: an IPv6 address in a URL needs brackets\n  hint: write [2001:db8::1]"},
		{"line with a name in brackets", v("allow: ['GET https://[ok.test]/x']"), "policy.yaml:2:22: invalid host \"[ok.test]\": not an IPv6 address\n  hint: write a name such as build.example.org, or an address"},

		{"package of unknown ecosystem", v("allow: ['pkg:pip/x']"), "policy.yaml:2:14: unknown ecosystem \"pip\"\n  hint: write pypi"},
		{"package of misspelled ecosystem", v("allow: ['pkg:mavne/org.example/x']"), "policy.yaml:2:14: unknown ecosystem \"mavne\"\n  hint: did you mean maven?"},
		{"package without name", v("allow: ['pkg:npm']"), "policy.yaml:2:9: bad package \"pkg:npm\": purl is missing type or name\n  hint: write pkg:npm/lodash@4.17.21, pkg:npm/@scope/name or pkg:maven/org.example/*"},
		{"package version x-range", v("allow: ['pkg:npm/lodash@4.x']"), "policy.yaml:2:9: version \"4.x\" looks like a range without an operator\n  hint: write a star: 4.*, or an operator: >=4.17.21 <5"},
		{"range in percent-encoding", v("allow: ['pkg:npm/lodash@%3E%3D4']"), "policy.yaml:2:9: version \">=4\" is a range in percent-encoding, which is never one\n  hint: write the operators plainly: >=4.17.21 <5"},
		{"range in VERS notation", v("allow: ['pkg:npm/lodash@vers:npm']"), "policy.yaml:2:9: version \"vers:npm\" is a range in percent-encoding, which is never one\n  hint: write the operators plainly: >=4.17.21 <5"},
		{"range without a version", v("allow: ['pkg:npm/@s/lodash@>=4 <']"), "policy.yaml:2:28: version \">=4 <\" is not a range of npm: expected version after operator in \">=4 <\"\n  hint: write comparators: >=4.17.21 <5; or one version, or a star: 4.*"},
		{"range of words", v("allow: ['pkg:npm/lodash@>=latest']"), "policy.yaml:2:25: version \">=latest\" is not a range of npm: invalid version \"latest\"\n  hint: write comparators: >=4.17.21 <5; or one version, or a star: 4.*"},
		{"range that is empty", v("allow: ['pkg:npm/lodash@>=5 <4']"), "policy.yaml:2:25: version \">=5 <4\" is not a range of npm: no version is in it\n  hint: write comparators: >=4.17.21 <5; or one version, or a star: 4.*"},
		{"range too long", v("allow: ['pkg:npm/lodash@>=" + strings.Repeat("1", 300) + "']"), "policy.yaml:2:25: version \">=" + strings.Repeat("1", 78) + "…\" is not a range of npm: it is too long\n  hint: write comparators: >=4.17.21 <5; or one version, or a star: 4.*"},
		{"range of Go without v", v("allow: ['pkg:golang/example.org/x@>=1.2']"), "policy.yaml:2:35: version \">=1.2\" is not a range of golang: a version of a Go module begins with v: write >=v1.2\n  hint: write comparators: >=v1.2.0 <v2; or one version, or a star: 4.*"},
		{"range of Go as npm's", v("allow: ['pkg:golang/example.org/x@^v1.2']"), "policy.yaml:2:35: version \"^v1.2\" is not a range of golang: it is not made of comparators\n  hint: write comparators: >=v1.2.0 <v2; or one version, or a star: 4.*"},
		{"range of Maven with a wish", v("allow: ['pkg:maven/g/x@[1.0,2.0),3.0']"), "policy.yaml:2:24: version \"[1.0,2.0),3.0\" is not a range of maven: it is neither made of comparators nor all in brackets\n  hint: write comparators: >=4.17.21 <5; or one version, or a star: 4.*"},
		{"range of Maven with three bounds", v("allow: ['pkg:maven/g/x@>=1 >=2 <3']"), "policy.yaml:2:24: version \">=1 >=2 <3\" is not a range of maven: a range here is one version, or a lower and an upper bound\n  hint: write comparators: >=4.17.21 <5; or one version, or a star: 4.*"},
		{"range of Debian with an epoch", v("allow: ['pkg:deb/debian/curl@>=1:7.88']"), "policy.yaml:2:30: version \">=1:7.88\" is not a range of deb: the name of an archive's file leaves the epoch out: write >=7.88\n  hint: write comparators: >=7.88.1 <8; or one version, or a star: 4.*"},
		{"range of tags", v("allow: ['pkg:docker/library/alpine@>=3 <4']"), "policy.yaml:2:36: version \">=3 <4\" is not a range of docker: tags have no order\n  hint: write one tag, a star: 3.*, or a digest"},
		{"range of Composer with words", v("allow: ['pkg:composer/v/x@>=latest']"), "policy.yaml:2:27: version \">=latest\" is not a range of composer: bad version \"latest\"\n  hint: write comparators: >=4.17.21 <5; or one version, or a star: 4.*"},
		{"package of a container", v("allow: ['pkg:container/library/alpine']"), "policy.yaml:2:14: unknown ecosystem \"container\"\n  hint: write docker"},
		{"range of an ecosystem without order", v("allow: ['pkg:conda/x@>=1']"), "policy.yaml:2:22: version \">=1\" is not a range of conda: how conda orders versions is not known here\n  hint: write comparators: >=4.17.21 <5; or one version, or a star: 4.*"},
		{"package namespace with star", v("allow: ['pkg:npm/@*/x']"), "policy.yaml:2:9: a star stands in a package's name or version only\n  hint: write a rule for each namespace"},
		{"package with two stars", v("allow: ['pkg:npm/**']"), "policy.yaml:2:18: two stars in a package\n  hint: one star stands for any run of characters"},
		{"package with a subpath", v("allow: ['pkg:npm/x#lib']"), "policy.yaml:2:19: a package rule has no subpath\n  hint: remove everything from the #"},
		{"package with host", v("allow: [{package: 'pkg:npm/x', host: ok.test}]"), "policy.yaml:2:32: host has no place in a rule for a package: the registry says where, and reading is all it allows\n  hint: remove it, or write a rule for the host"},
		{"package that is none", v("allow: [{package: lodash}]"), "policy.yaml:2:19: package \"lodash\" is not a package URL\n  hint: write pkg:npm/lodash, or what ecosystem it is of"},
		{"registry of unknown ecosystem", v("registries: {pip: https://pypi.example.org/}"), "policy.yaml:2:14: unknown ecosystem \"pip\"\n  hint: write pypi"},
		{"registry without scheme", v("registries: {npm: npm.example.org}"), "policy.yaml:2:19: a registry must be an https or http URL\n  hint: write an origin, such as https://npm.example.org/"},
		{"registry of another scheme", v("registries: {npm: 'ftp://npm.example.org'}"), "policy.yaml:2:19: a registry must be an https or http URL\n  hint: write an origin, such as https://npm.example.org/"},
		{"registry with userinfo", v("registries: {npm: 'https://t@npm.example.org'}"), "policy.yaml:2:29: a registry is an origin and a path; \"@\" has no place in it\n  hint: write an origin, such as https://npm.example.org/"},
		{"registry not canonical", v("registries: {npm: ['https://NPM.example.org']}"), "policy.yaml:2:29: host \"NPM.example.org\" is not in canonical form\n  hint: write npm.example.org"},
		{"registry null", v("registries: {npm: }"), "policy.yaml:2:19: a registry must be text, not nothing\n  hint: write it, or remove the key"},
		{"registries null", v("registries:"), "policy.yaml:2:12: registries must be a mapping, not nothing\n  hint: write the ecosystem, then where its packages are: npm: https://npm.example.org/"},

		{"alias", v("x: &a 1\ny: *a"), "policy.yaml:2:4: an anchor (&a)\n  hint: write the value out where it is used\npolicy.yaml:3:4: an alias (*a)\n  hint: write the value out where it is used"},
		{"merge key", v("<<: {allow: []}"), "policy.yaml:2:1: a merge key (<<)\n  hint: write the value out where it is used"},
		{"tag", v("allow: !!seq []"), "policy.yaml:2:8: a tag (!!seq)\n  hint: leave the tag out"},
		{"depth", v("allow: " + strings.Repeat("[", 20) + strings.Repeat("]", 20)), "policy.yaml:2:16: nested too deeply"},
		{"unquoted star", v("allow:\n  - host: *.ok.test"), "policy.yaml:3:11: not YAML: did not find expected alphabetic or numeric character\n  hint: put a text that begins with * in quotes"},
		{"tab", v("allow:\n\t- https://ok.test"), "policy.yaml:3:1: not YAML: found character that cannot start any token\n  hint: indent with spaces, not tabs"},
		{"colon", v("allow:\n  - host: a: b"), "policy.yaml:3:12: not YAML: mapping values are not allowed in this context\n  hint: put a text that holds a colon and a blank in quotes"},
		{"unclosed bracket", v("allow:\n  - {host: ok.test"), "policy.yaml:3:5: not YAML: did not find expected ',' or '}'\n  hint: close the brace that opens here with }, and put commas between what is in it"},
		{"unclosed quote", v("allow:\n  - host: 'ok.test\n  - host: b.test\n"), "policy.yaml:3:11: not YAML: found unexpected end of stream\n  hint: close the quote that opens here"},
		{"bad indentation after lists over lines", v("log: [\n  https://a.test,\n  https://b.test\n]\nallow:\n  - host: ok.test\n   methods: [GET]\ndeny: [\n  https://c.test\n]\n"), "policy.yaml:8:4: not YAML: did not find expected '-' indicator\n  hint: line it up with the keys, or the dashes, among which it belongs"},
		{"dash missing", v("allow:\n  - host: ok.test\n  host: b.test\n"), "policy.yaml:4:3: not YAML: did not find expected '-' indicator\n  hint: line it up with the keys, or the dashes, among which it belongs"},
		{"NUL", v("allow: []\x00"), "policy.yaml:2:10: invisible character U+0000\n  hint: remove it"},
		{"not UTF-8", v("# \xff"), "policy.yaml:2:3: not UTF-8\n  hint: save the file as UTF-8"},
		{"line separator", v("# é\u2028allow: [https://evil.test]"), "policy.yaml:2:4: invisible character U+2028\n  hint: remove it"},
		{"lone carriage return", v("# x\rallow: []"), "policy.yaml:2:4: a carriage return (U+000D) without a line feed\n  hint: save the file with the line ends of Unix or of Windows"},
		{"bidirectional override", v("# \u202e"), "policy.yaml:2:3: invisible character U+202E\n  hint: remove it"},
		{"too large", v(strings.Repeat("#", maxSize)), "policy.yaml: the policy is larger than 10 MB\n  hint: split it into several files"},
		{"too many parts", v("allow: [" + strings.Repeat("x,", maxParts) + "]"), "policy.yaml: the policy has too many parts\n  hint: half a million lines, commas and brackets are the most; split it into several files"},
		{"too deep for YAML", strings.Repeat("[", 1<<18), "policy.yaml:1:1: not YAML: exceeded max depth of 10000\n  hint: check indentation, quotes and brackets"},
	}
}

// TestMistakes checks each mistake's place, words and mend, as they are printed.
func TestMistakes(t *testing.T) {
	for _, tt := range mistakes() {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse("policy.yaml", []byte(tt.doc))
			if p != nil || err == nil {
				t.Fatalf("accepted: %+v, %v", p, err)
			}
			if got := err.Error(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "a" + strconv.Itoa(i)
	}
	return names
}

// v is a policy of which the second line begins with rest.
func v(rest string) string { return "version: 1\n" + rest }

func TestAllMistakesInOrder(t *testing.T) {
	_, err := Parse("dir/policy.yaml", []byte("deny: [{host: OK.test, methods: [get], ports: [0]}]\nallow: [x]\nfoo: 1\n"))
	var ms Mistakes
	if !errors.As(err, &ms) {
		t.Fatalf("%T is not Mistakes", err)
	}
	var got []string
	for _, m := range ms {
		got = append(got, m.Error()[:len("dir/policy.yaml:1:00")]+" "+m.File)
	}
	want := []string{"dir/policy.yaml:1:1:", "dir/policy.yaml:1:15", "dir/policy.yaml:1:34", "dir/policy.yaml:1:48", "dir/policy.yaml:2:9:", "dir/policy.yaml:3:1:"}
	for i := range want {
		want[i] += " dir/policy.yaml"
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestMistakesAreBounded(t *testing.T) {
	_, err := Parse("policy.yaml", []byte("version: 1\nallow:\n"+strings.Repeat("  - x\n", 5000)))
	var ms Mistakes
	if !errors.As(err, &ms) || len(ms) != maxMistakes+1 || !strings.Contains(ms[maxMistakes].Message, "too many") {
		t.Errorf("%d mistakes", len(ms))
	}
}

// legal are policies that look unusual and are fine.
func legal() map[string]string {
	return map[string]string{
		"version alone":        "version: 1",
		"empty lists":          v("allow: []\ndeny: []\nlog: []\nregistries: {}"),
		"document markers":     "---\nversion: 1\n...\n",
		"byte order mark":      "\ufeffversion: 1\n",
		"CRLF":                 "version: 1\r\nallow:\r\n  - host: ok.test\r\n",
		"JSON":                 `{"version": 1, "allow": [{"host": "ok.test", "ports": [443]}]}`,
		"folded reason":        v("allow:\n  - host: ok.test\n    reason: >\n      pinned by\n      the lockfile\n"),
		"private wildcards":    v("allow: [{host: '*.corp.internal'}, {host: '*.ok.test'}]"),
		"single-label host":    v("allow: [{host: localhost}]"),
		"whole namespace":      v("allow: ['pkg:maven/org.example/*@1.2.3', 'pkg:npm/@scope/*', 'pkg:npm/%40scope/x']"),
		"package, long":        v("allow: [{package: 'pkg:deb/debian/curl@7.88.1-10+deb12u5?arch=amd64', reason: base image, networks: [10.0.0.0/8]}]"),
		"several registries":   v("registries: {npm: [https://npm.example.org, 'http://[2001:db8::1]:4873/npm/'], pypi: https://pypi.example.org/simple}"),
		"deny with everything": v("deny: [{host: ok.test, methods: [PUT], paths: [/x], ports: [1], schemes: [tcp, ws], query: {'*': [a*, '']}, headers: {X-A: b}, processes: [curl], expires: 2027-01-31, reason: no}]"),
		"typed paths":          v("allow: [{host: ok.test, paths: ['/{version}/{int}/{sha}/{uuid}/{date}', '/cc-{version}-*-{int}.tgz/**', '/%7Bint%7D']}]\nlog: ['GET https://ok.test/a/{int}']\ndeny:\n  - https://ok.test/{sha}/**\n  - host: b.test\n    paths: [\"/{date}\"]"),
		"query and headers":    v("allow: [{host: ok.test, query: {'a?': '100%25', '*': [a b, '']}, headers: {accept: '*/*', 'X_y?': [a, b]}}, {host: b.test, query: {}}]"),
		"version ranges":       v("allow:\n  - pkg:npm/lodash@>=4.17.21 <5\n  - pkg:maven/org.example/lib@[1.0,2.0)\n  - pkg:pypi/x@~=2.1,!=2.3\n  - {package: 'pkg:deb/debian/curl@>=7.88?arch=amd64', expires: '2027-01-31'}"),
		"redirects":            v("allow:\n  - {host: ok.test, via: https://a.test}\n  - {host: '*.ok.test', methods: [POST], schemes: [https, http], via: ['http://*.b.test:8080/x/**', 'https://[2001:db8::1]/a b/*']}\nlog: [{host: ok.test, via: 'https://ok.test/'}]"),
		"a method of one line": v("allow: ['GET,M-SEARCH https://*.ok.test:8443/a b/**', 'https://ok.test', 'wss://[2001:db8::1]/x', 'tcp://ok.test:22']\ndeny: ['tcp://ok.test', 'DELETE http://ok.test']"),
	}
}

func TestLegal(t *testing.T) {
	for name, doc := range legal() {
		if _, err := Parse("policy.yaml", []byte(doc)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRegistriesAndHash(t *testing.T) {
	p := mustParse(t, "registries: {npm: [https://npm.example.org, 'https://npm.example.org:443/', 'http://[2001:db8::1]:4873/n%70m'], pypi: https://pypi.example.org/simple/}")
	want := map[string][]string{
		"npm":  {"https://npm.example.org/", "http://[2001:db8::1]:4873/npm/"},
		"pypi": {"https://pypi.example.org/simple/"},
	}
	if d := cmp.Diff(want, p.Registries()); d != "" {
		t.Error(d)
	}
	p.Registries()["npm"][0] = "changed"
	if d := cmp.Diff(want, p.Registries()); d != "" {
		t.Error("the caller can change the policy: " + d)
	}
	// printf 'version: 1\n' | sha256sum
	if got := mustParse(t, "").Hash(); got != "sha256:09bfcc6a14b83e2192b8673677725c84883ee9cd0c70e45c9ec09daa8f2b2847" {
		t.Error(got)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(file, []byte("version: 1\nallow: [https://ok.test]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := decide(t, p, request(t, "https://ok.test/")); d.Rule != "policy.yaml:2" {
		t.Errorf("rule %q, want the base name and the line", d.Rule)
	}
	for name, path := range map[string]string{"missing": filepath.Join(dir, "none.yaml"), "folder": dir} {
		var ms Mistakes
		if _, err := Load(path); !errors.As(err, &ms) || len(ms) != 1 || ms[0].File != path || ms[0].Line != 0 || ms[0].Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = Load(filepath.Join(dir, "none.yaml"))
	if want := filepath.Join(dir, "none.yaml") + ": cannot read the policy: no such file or directory"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
