package rego

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// TestAnswers compares the cache with OPA's own, whatever is done to both.
func TestAnswers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var ours topdown.VirtualCache = &answers{}
		theirs, depth := topdown.NewVirtualCache(), 0
		ref := ast.MustParseRef("data.a.b[0]")
		rules := 1 + rnd.IntN(8)
		log := ""
		for range 40 {
			// The evaluator uses one slice for many rules.
			ref[2], ref[3] = ast.StringTerm(fmt.Sprint(rnd.IntN(rules))), ast.InternedTerm(rnd.IntN(2))
			part := ref[:2+rnd.IntN(3)]
			switch what := rnd.IntN(20); {
			case what == 0:
				log += "push "
				ours.Push()
				theirs.Push()
				depth++
			case what == 1 && depth > 0:
				log += "pop "
				ours.Pop()
				theirs.Pop()
				depth--
			case what < 8:
				value := ast.InternedTerm(rnd.IntN(3))
				if rnd.IntN(3) == 0 {
					value = nil
				}
				// A rule that was undefined stays so: it is never given a value.
				if _, undefined := theirs.Get(part); undefined || value == nil && got(theirs, part) != "" {
					continue
				}
				log += fmt.Sprintf("put %v %v, ", part, value)
				ours.Put(part, value)
				theirs.Put(part, value)
			}
			if a, b := got(ours, part), got(theirs, part); a != b {
				t.Fatalf("%s: %v is %s, want %s", log, part, a, b)
			}
		}
		if a, b := len(ours.Keys()), len(theirs.Keys()); a != b {
			t.Fatalf("%s: %d keys, want %d", log, a, b)
		}
	}
}

func got(c topdown.VirtualCache, ref ast.Ref) string {
	value, undefined := c.Get(ref)
	switch {
	case undefined:
		return "undefined"
	case value == nil:
		return ""
	default:
		return value.String()
	}
}
