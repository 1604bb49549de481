package rego

import (
	"fmt"
	"net/netip"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/juliendoutre/proxaudit/policy"
)

// The names under which a policy may answer.
const (
	entryDecision = "decision"
	entryAllow    = "allow"
)

// ruleKey is the key under which a decision names its rule.
var ruleKey = ast.StringTerm("rule")

// decision turns the value of the entry rule into a decision. Whatever it does
// not understand denies and says so.
func (p *Policy) decision(answer ast.Value, rule string) policy.Decision {
	if rule == "" {
		rule = p.entry
	}
	if answer == nil {
		return policy.Decision{Rule: rule, Reason: "the policy is undefined for this request"}
	}
	if p.entry == entryAllow {
		return fromAllow(answer, rule)
	}
	object, ok := answer.(ast.Object)
	if !ok {
		return policy.Decision{Rule: rule, Reason: "decision is " + kind(answer) + ", want an object"}
	}
	return fromObject(object, rule)
}

// fromAllow accepts booleans only: the string "false" is not a yes.
func fromAllow(answer ast.Value, rule string) policy.Decision {
	switch yes, ok := answer.(ast.Boolean); {
	case !ok:
		return policy.Decision{Rule: rule, Reason: "allow is " + kind(answer) + ", want true or false"}
	case !bool(yes):
		return policy.Decision{Rule: rule, Reason: "allow is false"}
	default:
		return policy.Decision{Action: policy.Allow, Rule: rule}
	}
}

// fromObject reads every key before it believes any.
func fromObject(object ast.Object, rule string) policy.Decision {
	if own := object.Get(ruleKey); own != nil {
		if name, ok := own.Value.(ast.String); ok && name != "" {
			rule = string(name)
		}
	}
	d := policy.Decision{Rule: rule}
	hasAction := false
	err := object.Iter(func(key, value *ast.Term) error {
		name, ok := key.Value.(ast.String)
		if !ok {
			return fmt.Errorf("decision has a key that is %s, want strings", kind(key.Value))
		}
		hasAction = hasAction || name == "action"
		return readKey(&d, string(name), value.Value)
	})
	if err != nil {
		return policy.Decision{Rule: rule, Reason: err.Error()}
	}
	if !hasAction {
		return policy.Decision{Rule: rule, Reason: `decision has no "action": want allow, deny or log`}
	}
	if d.Action == policy.Deny {
		d.Passthrough, d.Networks = false, nil
	}
	return d
}

// readKey reads one key of a decision into d.
func readKey(d *policy.Decision, name string, value ast.Value) error {
	if name == "networks" {
		return networks(d, value)
	}
	text, isString := value.(ast.String)
	switch name {
	case "action", "reason", "rule", "tls":
		if !isString {
			return fmt.Errorf("decision.%s is %s, want a string", name, kind(value))
		}
	default:
		return fmt.Errorf("decision has an unknown key %q: want action, reason, rule, tls or networks", name)
	}
	switch name {
	case "action":
		if err := d.Action.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("decision.action: %w", err)
		}
	case "reason":
		d.Reason = string(text)
	case "tls":
		if text != "passthrough" {
			return fmt.Errorf("decision.tls is %q: want passthrough, or no tls at all", string(text))
		}
		d.Passthrough = true
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

// kind names the type of a value for a sentence.
func kind(v ast.Value) string {
	switch v.(type) {
	case ast.Null:
		return "null"
	case ast.Boolean:
		return "a boolean"
	case ast.Number:
		return "a number"
	case ast.String:
		return "a string"
	case *ast.Array:
		return "an array"
	case ast.Set:
		return "a set"
	case ast.Object:
		return "an object"
	default:
		return "not a value"
	}
}
