package policytest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// prelude is what every compiled policy begins with.
const prelude = `package proxaudit

own_port := {"http": 80, "ws": 80, "https": 443, "wss": 443}[input.scheme]

is_read if input.method == "GET"

is_read if {
	input.method == "HEAD"
	input.scheme in {"http", "https"}
}

overrides_method if {
	input.scheme != "tcp"
	input.headers["x-http-method"]
}

overrides_path if {
	input.scheme != "tcp"
	input.headers["x-original-url"]
}

overridden if overrides_method

overridden if overrides_path

decoded(s) := strings.replace_n({"%2F": "/", "%40": "@", "%3B": ";", "%2B": "+", "%25": "%"}, s)

loose(s) := trim_suffix(regex.replace(regex.replace(s, ";[^/]*", ""), "/+", "/"), "/")

once := loose(decoded(input.path))

often := loose(decoded(decoded(decoded(input.path))))

asked_by(patterns) if {
	some exe in array.concat([input.process.exe], input.process.parents)
	some p in patterns
	contains(p, "/")
	glob.match(p, ["/"], exe)
}

asked_by(patterns) if {
	some exe in array.concat([input.process.exe], input.process.parents)
	some p in patterns
	not contains(p, "/")
	parts := split(exe, "/")
	glob.match(p, ["/"], parts[count(parts) - 1])
}

any_of(patterns, s) if {
	some p in patterns
	regex.match(p, s)
}

# of a parameter: those of its name, else those of any name
patterns_for(listed, name) := listed[name]

patterns_for(listed, name) := listed["*"] if not listed[name]

only(listed) if {
	every name, values in input.parsed_query {
		every value in values {
			any_of(patterns_for(listed, name), value)
		}
	}
}

has_parameter(name, patterns) if {
	some n, values in input.parsed_query
	lower(n) == name
	some value in values
	any_of(patterns, lower(value))
}

has_any_parameter(patterns) if {
	some values in input.parsed_query
	some value in values
	any_of(patterns, lower(value))
}

header_values(name) := {value |
	some n, line in input.headers
	replace(n, "_", "-") == name
	some value in split(line, ",")
}

asked_by_any_or_unknown(_) if not input.process

asked_by_any_or_unknown(patterns) if asked_by(patterns)

denied_method(_) if overrides_method

denied_method(methods) if lower(input.method) in methods

reads if is_read

reads if input.scheme == "tcp"

denied_path(_, _, _) if overrides_path

denied_path(exactly, _, _) if any_of(exactly, input.path)

denied_path(_, patterns, _) if any_of(patterns, once)

denied_path(_, _, patterns) if any_of(patterns, often)

dropped(name) if {
	some option in header_values("connection")
	lower(option) == name
}

has_header(name, patterns) if {
	header_good(name, patterns)
	count(header_values(name)) > 0
}

header_good(name, patterns) if {
	not dropped(name)
	every value in header_values(name) {
		any_of(patterns, value)
	}
}

may_have_header(name, _) if count(header_values(name)) == 0

may_have_header(name, patterns) if header_good(name, patterns)

denies_header(name, patterns) if {
	some value in header_values(name)
	any_of(patterns, lower(value))
}

holds(">=", n) if n >= 0

holds(">", n) if n > 0

holds("<=", n) if n <= 0

holds("<", n) if n < 0

holds("=", n) if n == 0

holds("!=", n) if n != 0

in_range(bounds) if {
	every b in bounds {
		holds(b[0], semver.compare(version, b[1]))
	}
}

has_version if contains(input.package, "@")

version := split(split(input.package, "@")[1], "?")[0]
`

// compile writes a policy that decides as rules do; def is the default.
func compile(rules []rule, def string) string {
	var b strings.Builder
	b.WriteString(prelude)
	for _, list := range []string{"deny", "allow", "log"} {
		fmt.Fprintf(&b, "\n%s_hits contains {} if false\n", list)
	}
	for i, r := range rules {
		if r.expired && r.list != "deny" {
			continue
		}
		line, nets := i+2, "[]"
		if r.networks != nil {
			nets = "[" + quoteAll(r.networks) + "]"
		}
		hit := fmt.Sprintf(`{"line": %d, "networks": %s, "blind": %v}`, line, nets, r.passthrough)
		if r.typ != "" {
			for _, body := range r.packageBodies() {
				fmt.Fprintf(&b, "\n%s_hits contains %s if {\n\t%s\n}\n", r.list, hit, strings.Join(body, "\n\t"))
			}
			continue
		}
		if !r.passthrough {
			fmt.Fprintf(&b, "\n%s_hits contains %s if {\n\tinput.method != \"CONNECT\"\n\t%s\n}\n", r.list, hit, strings.Join(r.conditions(), "\n\t"))
		}
		if r.passthrough || r.list == "deny" {
			r.opaque(&b, hit)
		}
	}
	b.WriteString(decision(def))
	return b.String()
}

// opaque writes what the rule says about bytes that are not read: a connection
// that is not decrypted, and under deny raw TCP.
func (r rule) opaque(b *strings.Builder, hit string) {
	open := rule{list: r.list, host: r.host, ports: r.ports, processes: r.processes, passthrough: r.passthrough}
	head := r.list + "_hits contains " + hit
	has := func(scheme string) bool { return r.schemes == nil || slices.Contains(r.schemes, scheme) }
	if r.list != "deny" || has("https") || has("wss") {
		conditions := append([]string{`input.method == "CONNECT"`, `input.scheme == "https"`}, open.conditions()...)
		fmt.Fprintf(b, "\n%s if {\n\t%s\n}\n", head, strings.Join(conditions, "\n\t"))
	}
	if r.list != "deny" {
		return
	}
	if !has("tcp") && r.ports == nil {
		if has("https") || has("wss") {
			open.ports = append(open.ports, 443)
		}
		if has("http") {
			open.ports = append(open.ports, 80)
		}
	}
	conditions := append([]string{`input.method != "CONNECT"`, `input.scheme == "tcp"`}, open.conditions()...)
	fmt.Fprintf(b, "\n%s if {\n\t%s\n}\n", head, strings.Join(conditions, "\n\t"))
}

// decision writes the precedence of the lists.
func decision(def string) string {
	blind := ""
	if def != "deny" {
		blind = `, "tcp": "passthrough"`
	}
	return fmt.Sprintf(`
answer(action, hits) := object.union(
	{"action": action, "rule": sprintf("policy.yaml:%%d", [min({h.line | some h in hits})]), "networks": {n | some h in hits; some n in h.networks}},
	unread,
) if action != "deny"

answer("deny", hits) := {"action": "deny", "rule": sprintf("policy.yaml:%%d", [min({h.line | some h in hits})])}

default unread := {}

unread := {"tls": "passthrough"} if input.method == "CONNECT"

unread := {"tcp": "passthrough"} if {
	input.scheme == "tcp"
	input.method != "CONNECT"
}

opens if {
	input.method != "CONNECT"
	not overridden
}

opens if input.method == "CONNECT"

decision := answer("deny", deny_hits) if {
	count(deny_hits) > 0
} else := answer("allow", allow_hits) if {
	opens
	count(allow_hits) > 0
} else := answer("log", log_hits) if {
	opens
	count(log_hits) > 0
} else := {"action": %[1]q, "rule": "default"%[2]s} if {
	input.scheme == "tcp"
	input.method != "CONNECT"
} else := {"action": %[1]q, "rule": "default"}
`, def, blind)
}

// conditions are the lines of a rule's body.
func (r rule) conditions() []string {
	deny := r.list == "deny"
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if suffix, ok := strings.CutPrefix(r.host, "*"); ok {
		add("endswith(input.host, %q)", suffix)
	} else {
		add("input.host == %q", r.host)
	}
	switch {
	case r.passthrough:
	case r.schemes != nil:
		add("input.scheme in {%s}", quoteAll(r.schemes))
	case !deny:
		add(`input.scheme == "https"`)
	}
	switch {
	case r.ports != nil:
		add("input.port in {%s}", strings.Trim(strings.ReplaceAll(fmt.Sprint(r.ports), " ", ", "), "[]"))
	case !deny:
		add("input.port == own_port")
	}
	switch {
	case r.passthrough || deny && r.methods == nil:
	case deny:
		add("denied_method({%s})", quoteAll(lowered(r.methods)))
	case r.methods == nil:
		add("reads")
	default:
		add("input.method in {%s}", quoteAll(r.methods))
	}
	if r.via != nil {
		add("some url in input.via")
		add("any_of([%s], url)", quoteAll(regexps(r.via, viaRegexp)))
	}
	if r.paths != nil || r.query != nil || r.query0 || r.headers != nil {
		add(`input.scheme != "tcp"`)
	}
	out = append(out, r.processConditions()...)
	switch {
	case r.paths == nil:
	case deny:
		add("denied_path([%s], [%s], [%s])", quoteAll(regexps(r.paths, pathRegexp)),
			quoteAll(regexps(loosened(r.paths, 1), looseRegexp)), quoteAll(regexps(loosened(r.paths, 3), looseRegexp)))
	default:
		add("any_of([%s], input.path)", quoteAll(regexps(r.paths, pathRegexp)))
	}
	return append(append(out, r.queryConditions()...), r.headerConditions()...)
}

func (r rule) processConditions() []string {
	switch {
	case r.processes == nil:
		return nil
	case r.list == "deny":
		return []string{"asked_by_any_or_unknown([" + quoteAll(r.processes) + "])"}
	default:
		return []string{"asked_by([" + quoteAll(r.processes) + "])"}
	}
}

func (r rule) queryConditions() []string {
	var out, listed []string
	for _, p := range r.query {
		name, optional := strings.CutSuffix(p.name, "?")
		if r.list == "deny" && name == "*" {
			out = append(out, fmt.Sprintf("has_any_parameter([%s])", quoteAll(regexps(lowered(p.values), wordRegexp))))
			continue
		}
		if r.list == "deny" {
			out = append(out, fmt.Sprintf("has_parameter(%q, [%s])", strings.ToLower(name), quoteAll(regexps(lowered(p.values), wordRegexp))))
			continue
		}
		listed = append(listed, fmt.Sprintf("%q: [%s]", name, quoteAll(regexps(p.values, wordRegexp))))
		if !optional && name != "*" {
			out = append(out, fmt.Sprintf("input.parsed_query[%q]", name))
		}
	}
	if listed != nil || r.query0 {
		out = append(out, "only({"+strings.Join(listed, ", ")+"})")
	}
	return out
}

func (r rule) headerConditions() []string {
	var out []string
	for _, p := range r.headers {
		name, optional := strings.CutSuffix(strings.ToLower(p.name), "?")
		word, values := "has_header", p.values
		switch {
		case r.list == "deny":
			word, values = "denies_header", lowered(values)
		case optional:
			word = "may_have_header"
		}
		out = append(out, fmt.Sprintf("%s(%q, [%s])", word, name, quoteAll(regexps(values, wordRegexp))))
	}
	return out
}

// packageBodies are the bodies of which one must hold.
func (r rule) packageBodies() [][]string {
	deny := r.list == "deny"
	name := strings.ReplaceAll(regexp.QuoteMeta(r.name), `\*`, `[^/@?]*`)
	body := []string{`input.registry != ""`, `input.scheme != "tcp"`, `input.method != "CONNECT"`,
		fmt.Sprintf("regex.match(%q, input.package)", "^pkg:"+r.typ+"/"+name+"(@|$)")}
	if !deny {
		body = append(body, "is_read", `input.scheme in {"http", "https"}`)
	}
	body = append(body, r.processConditions()...)
	with := func(lines ...string) []string { return append(slices.Clone(body), lines...) }
	var bounds []string
	for _, b := range r.bounds {
		bounds = append(bounds, fmt.Sprintf("[%q, %q]", b.op, b.version))
	}
	in := "in_range([" + strings.Join(bounds, ", ") + "])"
	switch {
	case r.version == "" && bounds == nil:
		return [][]string{body}
	case r.version != "" && deny:
		return [][]string{with("has_version", fmt.Sprintf("regex.match(%q, version)", wordRegexp(r.version)))}
	case r.version != "":
		return [][]string{with("not has_version"), with(fmt.Sprintf("regex.match(%q, version)", wordRegexp(r.version)))}
	case deny:
		return [][]string{with("has_version", "not semver.is_valid(version)"), with("has_version", "semver.is_valid(version)", in)}
	default:
		return [][]string{with("not has_version"), with("has_version", "semver.is_valid(version)", `not contains(version, "-")`, in)}
	}
}
