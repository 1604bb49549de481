package policytest

import (
	"fmt"
	"strings"
)

// rule is a rule as its author thinks of it. It is written as YAML and, by a
// compiler that shares nothing with the allowlist, as Rego.
type rule struct {
	list                                  string
	host                                  string
	methods, paths, schemes, processes    []string
	ports                                 []int
	networks, via                         []string
	query, headers                        []pair
	passthrough, expired, query0, dateFar bool

	typ, name, version string // of a package
	bounds             []bound
}

// pair is a name and its patterns.
type pair struct {
	name   string
	values []string
}

type bound struct{ op, version string }

// yaml writes the rule on one line.
func (r rule) yaml() string {
	var keys []string
	add := func(key, value string) { keys = append(keys, key+": "+value) }
	list := func(key string, values []string) {
		if values != nil {
			quoted := make([]string, len(values))
			for i, v := range values {
				quoted[i] = "'" + v + "'"
			}
			add(key, "["+strings.Join(quoted, ", ")+"]")
		}
	}
	if r.typ != "" {
		add("package", "'"+r.purl()+"'")
	} else {
		add("host", "'"+r.host+"'")
	}
	list("methods", r.methods)
	list("paths", r.paths)
	list("schemes", r.schemes)
	list("processes", r.processes)
	list("networks", r.networks)
	list("via", r.via)
	if r.ports != nil {
		add("ports", strings.ReplaceAll(fmt.Sprint(r.ports), " ", ", "))
	}
	if r.query0 {
		add("query", "{}")
	}
	conditions := func(key string, pairs []pair) {
		words := make([]string, len(pairs))
		for i, p := range pairs {
			words[i] = "'" + p.name + "': ['" + strings.Join(p.values, "', '") + "']"
		}
		if pairs != nil {
			add(key, "{"+strings.Join(words, ", ")+"}")
		}
	}
	conditions("query", r.query)
	conditions("headers", r.headers)
	if r.passthrough {
		add("tls", "passthrough")
	}
	switch {
	case r.expired:
		add("expires", "2001-01-31")
	case r.dateFar:
		add("expires", "9999-01-31")
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

func (r rule) purl() string {
	s := "pkg:" + r.typ + "/" + r.name
	var bounds []string
	for _, b := range r.bounds {
		bounds = append(bounds, b.op+b.version)
	}
	switch {
	case r.version != "":
		s += "@" + r.version
	case bounds != nil:
		s += "@" + strings.Join(bounds, " ")
	}
	return s
}
