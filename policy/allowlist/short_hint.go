package allowlist

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/juliendoutre/proxaudit/internal/hostname"
)

// shortHint says how a text that is no rule of one line would be one, as far as
// one can guess what is meant.
func shortHint(text string, keys []string) string {
	word, rest, more := strings.Cut(text, " ")
	if more {
		if url, ok := asURL(strings.TrimSpace(rest)); ok && isMethod(strings.ToUpper(word)) {
			return "write " + strings.ToUpper(word) + " " + url
		}
		return "write METHOD https://host/path, a URL, or pkg:type/name"
	}
	if user, there, ok := strings.Cut(text, "@"); ok && user == "git" {
		host, path, _ := strings.Cut(there, ":")
		return "write https://" + host + "/" + path + "/** for git over https, or tcp://" + host + ":22 for SSH, which nobody can read"
	}
	if strings.HasPrefix(text, "@") {
		return "write pkg:npm/" + text
	}
	if key, value, ok := strings.Cut(text, ":"); ok && slices.Contains(keys, key) {
		return "put a blank behind the colon: " + key + ": " + value
	}
	if i := strings.IndexAny(text, ":/"); i > 0 {
		typ := text[:i]
		if alias := ecosystemAlias(typ); alias != "" {
			typ = alias
		}
		if _, ok := packageurl.KnownTypes[typ]; ok {
			return "write pkg:" + typ + "/" + text[i+1:]
		}
	}
	if network, err := netip.ParsePrefix(text); err == nil {
		return "write the host that is meant, and its networks: [" + network.Masked().String() + "]"
	}
	if image, tag, ok := imageTag(text); ok {
		return "an image is written pkg:docker/" + image + "@" + tag + ", and where it comes from stands under registries:"
	}
	if url, ok := asURL(text); ok {
		if _, _, hasPath := strings.Cut(text, "/"); hasPath {
			return "write " + url
		}
		return "write host: " + text + ", or a URL such as " + url + "/tools/**"
	}
	if name, _, ok := strings.Cut(text, "@"); ok && name != "" {
		return "write pkg:npm/" + text + ", or what ecosystem it is of; or a URL"
	}
	return "write a URL such as https://build.example.org/tools/**, or host: build.example.org"
}

// imageTag takes a text apart that begins with a registry and ends in a tag.
func imageTag(text string) (image, tag string, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || i < strings.LastIndexByte(text, '/') {
		return "", "", false
	}
	_, image, ok = strings.Cut(text[:i], "/")
	return image, text[i+1:], ok && image != "" && text[i+1:] != ""
}

// asURL returns the URL that a host with or without a path lacks the scheme of.
func asURL(text string) (string, bool) {
	host, _, _ := strings.Cut(text, "/")
	name, _, err := hostname.ParseAuthority(strings.TrimPrefix(host, "*."))
	if err != nil || !strings.Contains(name, ".") && !strings.Contains(host, ":") {
		return "", false
	}
	return "https://" + text, true
}

// spacedMethods returns the methods of a rule that separates them by more than a
// comma, or "".
func spacedMethods(words string) string {
	methods := strings.FieldsFunc(words, func(r rune) bool { return r == ' ' || r == ',' || r == '|' || r == ';' })
	for i, m := range methods {
		methods[i] = strings.ToUpper(m)
		if !isMethod(methods[i]) {
			return ""
		}
	}
	return strings.Join(methods, ",")
}
