package rego

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/juliendoutre/proxaudit/policy"
)

// reservedRule begins the names of what proxaudit refuses of itself. Reports and
// `test` go by it, so a policy must not write it.
const reservedRule = "proxaudit:"

func reserved(rule string) bool { return strings.HasPrefix(rule, reservedRule) }

// said is what an object says, key by key.
type said struct {
	policy.Decision
	tls, tcp bool // what may pass unread
}

// fromObject reads every key before it believes any.
func fromObject(object ast.Object, rule string, r *policy.Request) policy.Decision {
	if own := object.Get(ruleKey); own != nil {
		if name, ok := own.Value.(ast.String); ok && name != "" && !reserved(string(name)) {
			rule = string(name)
		}
	}
	s := said{Decision: policy.Decision{Rule: rule}}
	hasAction := false
	err := object.Iter(func(key, value *ast.Term) error {
		name, ok := key.Value.(ast.String)
		if !ok {
			return fmt.Errorf("decision has a key that is %s, want strings", kind(key.Value))
		}
		hasAction = hasAction || name == "action"
		return readKey(&s, string(name), value.Value)
	})
	if err != nil {
		return policy.Decision{Rule: rule, Reason: err.Error()}
	}
	if !hasAction {
		return policy.Decision{Rule: rule, Reason: `decision has no "action": want allow, deny or log`}
	}
	return s.about(r)
}

// about is the decision about r. What an answer says of bytes that nobody reads it
// says of those alone: a rule written with a pinned certificate in mind, which looks
// at nothing but the host, must open neither raw TCP nor plain http there.
func (s *said) about(r *policy.Request) policy.Decision {
	if s.Action == policy.Deny {
		s.Networks = nil
		return s.Decision
	}
	tls := r.Method == http.MethodConnect && r.Scheme == "https"
	tcp := r.Scheme == "tcp"
	switch {
	case !s.tls && !s.tcp:
	case tls && s.tls, tcp && s.tcp:
		s.Passthrough = true
	case tcp:
		return policy.Decision{Rule: s.Rule, Reason: `"tls": "passthrough" is about TLS alone: for raw TCP answer "tcp": "passthrough"`}
	case tls:
		return policy.Decision{Rule: s.Rule, Reason: `"tcp": "passthrough" is about raw TCP alone: for TLS that is not decrypted answer "tls": "passthrough"`}
	default:
		return policy.Decision{Rule: s.Rule, Reason: "the answer is about what nobody reads (passthrough), and this is a request: answer it without that word"}
	}
	return s.Decision
}

// readKey reads one key of a decision into s.
func readKey(s *said, name string, value ast.Value) error {
	if name == "networks" {
		return networks(&s.Decision, value)
	}
	text, isString := value.(ast.String)
	switch name {
	case "action", "reason", "rule", "tls", "tcp":
		if !isString {
			return fmt.Errorf("decision.%s is %s, want a string", name, kind(value))
		}
	default:
		return fmt.Errorf("decision has an unknown key %q: want action, reason, rule, tls, tcp or networks", name)
	}
	switch name {
	case "action":
		if err := s.Action.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("decision.action: %w", err)
		}
	case "reason":
		s.Reason = string(text)
	case "rule":
		if reserved(string(text)) {
			return fmt.Errorf("decision.rule is %q: names that begin with %s are those of denials that no policy makes", string(text), reservedRule)
		}
	case "tls", "tcp":
		if text != "passthrough" {
			return fmt.Errorf("decision.%s is %q: want passthrough, or no %s at all", name, string(text), name)
		}
		s.tls, s.tcp = s.tls || name == "tls", s.tcp || name == "tcp"
	}
	return nil
}

// networks reads an array or set of prefixes.
func networks(d *policy.Decision, value ast.Value) error {
	read := func(t *ast.Term) error {
		text, ok := t.Value.(ast.String)
		if !ok {
			return fmt.Errorf("decision.networks holds %s, want strings", kind(t.Value))
		}
		prefix, err := netip.ParsePrefix(string(text))
		if err != nil || prefix.Addr().Is4In6() {
			return fmt.Errorf("decision.networks holds %q: want a prefix such as 10.0.0.0/8", string(text))
		}
		if prefix != prefix.Masked() {
			return fmt.Errorf("decision.networks holds %q, which has bits beyond its length: want %s", string(text), prefix.Masked())
		}
		d.Networks = append(d.Networks, prefix)
		return nil
	}
	switch list := value.(type) {
	case *ast.Array:
		return list.Iter(read)
	case ast.Set:
		return list.Iter(read)
	default:
		return fmt.Errorf("decision.networks is %s, want an array or a set of prefixes", kind(value))
	}
}
