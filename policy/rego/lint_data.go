package rego

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// missing points at references to data that is not there: they are undefined for
// ever, and what they stand in never holds.
func (l *linting) missing(r *ast.Rule) {
	ast.WalkRefs(r, func(ref ast.Ref) bool {
		if len(ref) < 2 || !ref[0].Equal(ast.DefaultRootDocument) {
			return false
		}
		// As far as it is written, and no further than something is there.
		for n := 2; n <= len(ref); n++ {
			if _, written := ref[n-1].Value.(ast.String); !written {
				return false
			}
			prefix := ref[:n]
			if len(l.compiler.GetRules(prefix)) > 0 {
				return false
			}
			if l.data.Get(prefix) == nil {
				l.at(ref[0].Location, "missing-data", prefix.String()+" is in no file of the policy, and so undefined",
					"name the folder or the bundle that holds the data, or correct the name"+l.known(prefix[:n-1]))
				return false
			}
		}
		return false
	})
}

// known says what there is below a reference to data.
func (l *linting) known(ref ast.Ref) string {
	value := ast.Value(l.data.root)
	if len(ref) > 1 {
		value = l.data.Get(ref)
	}
	object, ok := value.(ast.Object)
	if !ok || object.Len() == 0 {
		return ""
	}
	var names []string
	for _, key := range object.Keys() {
		names = append(names, strings.Trim(key.String(), `"`))
	}
	slices.Sort(names)
	if len(names) > 10 {
		names = append(names[:10], "…")
	}
	return "; there are: " + strings.Join(names, ", ")
}
