package rego

import (
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// TestCapabilities looks at every builtin of the OPA that is linked, so that an
// update that brings one which reaches out does not go by unseen.
func TestCapabilities(t *testing.T) {
	clock := []string{"time.now_ns", "io.jwt.decode_verify", "io.jwt.encode_sign", "io.jwt.encode_sign_raw"}
	c := capabilities()
	for _, b := range c.Builtins {
		if b.IsNondeterministic() && !slices.Contains(clock, b.Name) {
			t.Errorf("%s is there and nondeterministic", b.Name)
		}
	}
	for _, name := range []string{"http.send", "net.lookup_ip_addr", "opa.runtime", "json.match_schema", "json.verify_schema", "rand.intn", "uuid.rfc4122"} {
		if c.ContainsBuiltin(name) {
			t.Errorf("%s is there", name)
		}
		if !slices.ContainsFunc(ast.Builtins, func(b *ast.Builtin) bool { return b.Name == name }) {
			t.Errorf("%s is no builtin of OPA any more", name)
		}
	}
	for _, name := range []string{"glob.match", "regex.match", "net.cidr_contains", "time.now_ns", "io.jwt.decode", "json.unmarshal", "semver.compare", "sprintf"} {
		if !c.ContainsBuiltin(name) {
			t.Errorf("%s is not there", name)
		}
	}
	if c.AllowNet == nil || len(c.AllowNet) != 0 {
		t.Errorf("AllowNet is %#v, want empty and not nil", c.AllowNet)
	}
}
