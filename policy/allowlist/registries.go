package allowlist

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/juliendoutre/proxaudit/policy"
)

// registries reads ecosystem: origin, or ecosystem: [origin, …].
func (p *parser) registries(n *yaml.Node) map[string][]string {
	out := map[string][]string{}
	p.fields(n, "registries", nil, func(key, value *yaml.Node) {
		if !p.ecosystem(key, 0, key.Value) {
			return
		}
		urls := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			urls = p.items(value, key.Value)
		}
		for _, u := range urls {
			if base, ok := p.registry(u); ok && !slices.Contains(out[key.Value], base) {
				out[key.Value] = append(out[key.Value], base)
			}
		}
	})
	return out
}

// registry reads the base URL of one registry.
func (p *parser) registry(n *yaml.Node) (string, bool) {
	const hint = "write an origin, such as https://npm.example.org/"
	text, ok := p.text(n, "a registry")
	if !ok {
		return "", false
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != "https" && scheme != "http" {
		p.at(n, "a registry must be an https or http URL", hint)
		return "", false
	}
	if i := strings.IndexAny(rest, "?#@*"); i >= 0 {
		p.within(n, len(scheme)+3+i, "a registry is an origin and a path; "+quoted(rest[i:i+1])+" has no place in it", hint)
		return "", false
	}
	authority, path := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	host, port, _, ok := p.authority(n, len(scheme)+3, authority)
	if !ok {
		return "", false
	}
	canonical, err := policy.CanonicalPath(path)
	if err != nil {
		p.within(n, len(scheme)+3+len(authority), err.Error(), hint)
		return "", false
	}
	if port == 0 {
		port = policy.DefaultPort(scheme)
	}
	origin := policy.Request{Scheme: scheme, Host: host, Port: port}
	return scheme + "://" + origin.Authority() + strings.TrimSuffix(canonical, "/") + "/", true
}
