package rego

import (
	"regexp"
	"strings"
	"sync"
)

// misfit is what the YAML reader says of a value of another kind than the key wants,
// in front of which OPA leaves the line that the error's place has.
var misfit = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("^unmarshal errors: line \\d+: cannot unmarshal !!(\\w+)(?: `(.*?)`)? into (\\S+)")
})

// metadata explains an error of the YAML below # METADATA, given on one line.
func metadata(says string) (message, hint string) {
	const mend = "the comment right below # METADATA is YAML: put other comments above it, or leave a line free"
	m := misfit().FindStringSubmatch(says)
	if m == nil {
		return "the METADATA is no YAML that is known: " + says, mend
	}
	is := map[string]string{"str": "a text", "seq": "a list", "map": "a mapping", "int": "a number", "float": "a number", "bool": "true or false"}[m[1]]
	if is == "" {
		is = "a value of another kind"
	}
	if m[2] != "" {
		is += " (" + m[2] + ")"
	}
	switch into := m[3]; {
	case strings.HasSuffix(into, "rawAnnotation"):
		return "the METADATA has " + is + " where keys belong, such as title: …", mend
	case strings.HasPrefix(into, "[]"):
		return "the METADATA has " + is + " where a list belongs", "write each on a line of its own, with # - in front"
	case strings.HasPrefix(into, "map["):
		return "the METADATA has " + is + " where keys belong", "write each as # KEY: VALUE, indented below its key"
	case into == "string":
		return "the METADATA has " + is + " where a text belongs", "put the text in quotes, behind its key"
	case into == "bool":
		return "the METADATA has " + is + " where true or false belongs", "write true or false"
	default:
		return "the METADATA has " + is + " that does not belong there", mend
	}
}
