package rego

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// refused returns why a policy may not use the builtin name, and "" where it
// may or where there is no such builtin.
//
// What is left is pure: it works on the input, the data and the policy. A
// builtin that OPA calls nondeterministic is refused unless it is known to look
// at nothing but the clock, so that one that a later OPA adds is refused too.
func refused(name string) string {
	switch name {
	case "http.send":
		return "a policy must not open connections"
	case "net.lookup_ip_addr":
		return "a policy must not look names up before they are decided"
	case "opa.runtime":
		return "a policy must not read the environment"
	case "json.match_schema", "json.verify_schema":
		return "a schema may refer to files and addresses, which would be read"
	case "rand.intn", "uuid.rfc4122":
		return "a decision must come out the same when it is replayed"
	case "time.now_ns", "io.jwt.decode_verify", "io.jwt.encode_sign", "io.jwt.encode_sign_raw":
		return "" // nondeterministic by the clock or a nonce alone
	}
	for _, b := range ast.Builtins {
		if b.Name == name && b.IsNondeterministic() {
			return "its result depends on more than the input and the data"
		}
	}
	return ""
}

// capabilities returns what a policy may use. The empty AllowNet keeps the type
// checker from fetching schemas; nil would let it.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(ast.RegoV1))
	kept := make([]*ast.Builtin, 0, len(c.Builtins))
	for _, b := range c.Builtins {
		if refused(b.Name) == "" {
			kept = append(kept, b)
		}
	}
	c.Builtins = kept
	c.AllowNet = []string{}
	return c
}
