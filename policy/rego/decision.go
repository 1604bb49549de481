package rego

import (
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/open-policy-agent/opa/v1/ast"
)

// The names under which a policy may answer.
const (
	entryDecision = "decision"
	entryAllow    = "allow"
)

// ruleKey is the key under which a decision names its rule.
var ruleKey = ast.StringTerm("rule")

// decision turns the value of the entry rule for r into a decision. Whatever it
// does not understand denies and says so.
func (p *Policy) decision(answer ast.Value, rule string, r *policy.Request) policy.Decision {
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
	return fromObject(object, rule, r)
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
