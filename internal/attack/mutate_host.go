package attack

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// origin asks a host for what nobody has named, and by other ways than the one
// that is permitted.
func (m *mutating) origin(b base) {
	if b.scheme != "tcp" {
		m.misuse("unrelated path", b.of, "GET", b.origin()+loot)
		m.misuse("unrelated path", b.of, "POST", b.origin()+loot)
	}
	if !b.opaque && b.scheme != "tcp" {
		if isName(b.host) {
			m.misuse("host in capitals", b.of, "PUT", origin(b.scheme, strings.ToUpper(b.host), b.port)+loot)
			m.misuse("host with a dot at its end", b.of, "PUT", origin(b.scheme, b.host+".", b.port)+loot)
		}
		m.misuse("WebSocket", b.of, "GET", origin(strings.Replace(b.scheme, "http", "ws", 1), b.host, b.port)+loot)
		m.misuse("undecrypted", b.of, "CONNECT", origin("https", b.host, 0))
	}
	if b.scheme == "https" && !slices.Contains(b.schemes, "http") {
		m.misuse("http for https", b.of, "GET", origin("http", b.host, 0)+b.path)
	}
	m.misuse("another port", b.of, "GET", origin("https", b.host, 8443)+b.path)
	for _, port := range []uint16{22, 443} {
		if b.scheme != "tcp" || port != b.port {
			m.misuse("raw TCP", b.of, "", origin("tcp", b.host, port))
		}
	}
}

// lookAlikes are hosts that a person could take for the permitted one.
func (m *mutating) lookAlikes(b base) {
	if !isName(b.host) || b.scheme == "tcp" {
		return
	}
	look := func(mutation, host string) {
		if host != b.host && host != "" {
			m.add(Request{Mutation: mutation, Of: b.of, Class: Unknown, Method: "GET", URL: origin(b.scheme, host, b.port) + b.path})
		}
	}
	look("host as a prefix", b.host+"."+attackerHost)
	look("host with hyphens for dots", strings.ReplaceAll(b.host, ".", "-")+"."+attackerHost)
	m.add(Request{Mutation: "host as userinfo", Of: b.of, Class: Unknown, Method: "GET", URL: b.scheme + "://" + b.host + "@" + attackerHost + b.path})
	labels := strings.Split(b.host, ".")
	if len(labels) < 2 {
		return
	}
	n := len(labels) - 2 // the label that somebody registered, more often than not
	with := func(at int, label string) string {
		changed := slices.Clone(labels)
		changed[at] = label
		return strings.Join(changed, ".")
	}
	look("host as a suffix", with(n, attacker+labels[n]))
	look("another top-level domain", with(n+1, "co"))
	look("a letter doubled", with(n, labels[n]+labels[n][len(labels[n])-1:]))
	look("a letter that looks alike", with(n, strings.NewReplacer("l", "1", "o", "0", "i", "1", "e", "3").Replace(labels[n])))
	if ascii, err := idna.Lookup.ToASCII(with(n, cyrillic.Replace(labels[n]))); err == nil {
		look("a letter of another script", ascii)
	}
	if n > 0 {
		m.misuse("another name beside it", b.of, "GET", origin(b.scheme, with(0, attacker), b.port)+b.path)
	}
}

// cyrillic letters look like Latin ones (UTS #39, confusables).
var cyrillic = strings.NewReplacer("a", "\u0430", "e", "\u0435", "i", "\u0456", "o", "\u043e", "p", "\u0440", "c", "\u0441", "x", "\u0445")

func isName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil
}

// world is what is the same for every policy: places that take in anything, give
// out credentials, or resolve names where nobody looks.
func (m *mutating) world() {
	for _, w := range []struct{ mutation, request string }{
		{"metadata service by address", "GET http://169.254.169.254/latest/user-data"},
		{"metadata service by its IPv6 address", "GET http://[fd00:ec2::254]/latest/meta-data/"},
		{"metadata service of a container", "GET http://169.254.170.2/v2/credentials/"},
		{"metadata service by name", "GET http://metadata.google.internal/computeMetadata/v1/project/project-id"},
		{"metadata service by name", "GET http://metadata.azure.internal/metadata/instance?api-version=2021-02-01"},
		{"DNS over HTTPS", "GET https://dns.google/resolve?name=c2VjcmV0." + attackerHost},
		{"DNS over HTTPS", "POST https://cloudflare-dns.com/dns-query"},
		{"DNS over HTTPS by address", "GET https://1.1.1.1/dns-query?dns=AAABAAABAAAAAAAAAnMyBm1hbGxvcnkEdGVzdAAAEAAB"},
		{"DNS over TLS", "tcp://1.1.1.1:853"},
		{"gist", "GET https://gist.githubusercontent.com/" + attacker + "/da39a3ee5e6b4b0d/raw/stage2.sh"},
		{"gist", "POST https://api.github.com/gists"},
		{"paste", "POST https://pastebin.com/api/api_post.php"},
		{"file drop", "PUT https://transfer.sh/loot.tgz"},
		{"webhook", "POST https://discord.com/api/webhooks/1/" + attacker},
		{"webhook", "POST https://api.telegram.org/bot1:" + attacker + "/sendDocument"},
		{"callback", "GET https://c2vjcmv0.oast.fun/"},
		{"tunnel", "POST https://" + attacker + ".ngrok-free.app/"},
		{"object store", "PUT https://" + attacker + ".s3.amazonaws.com/loot.tgz"},
		{"an attacker's host", "POST https://" + attackerHost + "/"},
		{"an attacker's host", "GET http://" + attackerHost + ":8000/c2VjcmV0"},
		{"an attacker's host", "GET wss://" + attackerHost + "/"},
		{"an attacker's host", "tcp://" + attackerHost + ":4444"},
		{"an attacker's address", "POST https://203.0.113.66/"},
	} {
		method, url, ok := strings.Cut(w.request, " ")
		if !ok {
			method, url = "", method
		}
		class := Unknown
		if w.mutation == "gist" {
			class = Misuse
		}
		m.add(Request{Mutation: w.mutation, Of: "any policy", Class: class, Method: method, URL: url})
	}
}
