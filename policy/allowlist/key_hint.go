package allowlist

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// keyHint says what to write for a key that is not known: what other tools of
// this kind call the same, else what is spelled nearly like it.
func keyHint(key, what string, known []string) string {
	word := strings.ToLower(key)
	switch {
	case what == "a rule":
		return ruleKeyHint(word, key, known)
	case what != "a policy":
	case word == "rules" || word == "policy" || word == "policies":
		return "rules stand in the lists allow, deny and log, at the left margin"
	case word == "block" || word == "reject" || word == "drop" || word == "blocklist" || word == "denylist":
		return "write deny"
	case word == "permit" || word == "accept" || word == "whitelist" || word == "allowlist":
		return "write allow"
	case word == "audit" || word == "warn" || word == "report":
		return "write log"
	}
	return suggestion(key, known)
}

func ruleKeyHint(word, key string, known []string) string {
	switch word {
	case "hosts", "domains", "hostnames":
		return "write host, and a rule for each"
	case "domain", "hostname", "name", "fqdn", "server":
		return "write host"
	case "url", "urls", "uri":
		return "write the URL alone behind the dash, or its host: and paths:"
	case "action", "allow", "deny", "log", "effect", "decision":
		return "the list that a rule stands in says what becomes of it: allow, deny or log"
	case "packages", "purl", "pkg":
		return "write package: pkg:npm/lodash, without a blank behind pkg:"
	case "version", "versions":
		return "write the version behind the package: pkg:npm/lodash@4.17.21"
	case "comment", "description", "why", "note":
		return "write reason"
	case "cidr", "ip", "ips", "addresses":
		return "write networks for addresses that are not public, or host for one that is the host"
	case "protocol", "protocols", "scheme":
		return "write schemes: [https]"
	case "exe", "program", "programs", "command":
		return "write processes"
	case "until", "expiry", "expire", "valid_until":
		return "write expires"
	}
	return suggestion(key, known)
}

// mappingHint says what to write where a mapping is wanted and something else is
// there.
func (p *parser) mappingHint(n *yaml.Node, what string) string {
	switch what {
	case "a policy":
		text := strings.TrimSpace(n.Value)
		switch {
		case strings.HasPrefix(text, "package "):
			return "this looks like Rego: give the file a name that ends in .rego"
		case strings.HasPrefix(text, "["), strings.Contains(strings.SplitN(text, ":", 2)[0], "="):
			return "this looks like TOML or INI, and a policy is YAML: begin with version: 1"
		case strings.HasPrefix(text, "<"):
			return "this looks like a web page: see where the file came from"
		case n.Kind == yaml.SequenceNode:
			return "begin with version: 1, and put the rules under allow:"
		}
		return "begin with version: 1"
	case "registries":
		return "write the ecosystem, then where its packages are: npm: https://npm.example.org/"
	case "query", "headers":
		return "write each name with a pattern: " + what + `: {name: "*"}`
	default:
		return ""
	}
}

// textHint says what to write where a text is wanted and something else is there.
func textHint(n *yaml.Node, what string) string {
	switch {
	case what == "tls":
		return "write passthrough, or leave tls out to have it decrypted"
	case what == "default":
		return "write default: deny"
	case isNull(n) && what == "a rule":
		return "write a rule behind the dash, or remove the dash"
	case isNull(n):
		return "write it, or remove the key"
	case n.Kind == yaml.ScalarNode:
		return fmt.Sprintf("put it in quotes: %q", n.Value)
	case n.Kind == yaml.SequenceNode && (what == "host" || what == "package"):
		return "write a rule for each"
	case n.Kind == yaml.SequenceNode && what == "a rule":
		return "write one dash, or put it in quotes"
	case n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode:
		return "templates are not replaced in a policy: write what is meant"
	case n.Kind == yaml.MappingNode:
		return "put a text with braces, or with a colon and a blank, in quotes"
	default:
		return ""
	}
}
