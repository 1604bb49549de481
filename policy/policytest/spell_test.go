package policytest

import (
	"regexp"
	"strconv"
	"strings"
)

func quoteAll(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return strings.Join(quoted, ", ")
}

func lowered(values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.ToLower(v)
	}
	return out
}

func regexps(patterns []string, translate func(string) string) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = translate(p)
	}
	return out
}

// pathRegexp translates a path pattern of which the literal parts are canonical.
func pathRegexp(pattern string) string {
	s := strings.ReplaceAll(typedRegexps(pattern), `\*\*`, "\x00")
	// One character that is neither a slash nor an encoded one.
	s = strings.ReplaceAll(s, `\*`, `(?:[^/%]|%(?:[013-9A-F][0-9A-F]|2[0-9A-E]))*`)
	return `^` + strings.ReplaceAll(s, "\x00", `(?:[^%]|%[0-9A-F][0-9A-F])*`) + `$`
}

// viaRegexp translates the pattern of a URL: in it, a host has no slash, and the
// port that is the scheme's own is left out.
func viaRegexp(pattern string) string {
	scheme, rest, _ := strings.Cut(pattern, "://")
	authority, path := rest, "/**"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	host := regexp.QuoteMeta(strings.TrimSuffix(authority, map[string]string{"https": ":443", "http": ":80"}[scheme]))
	host = strings.Replace(host, `\*`, `[a-z.]+`, 1)
	return "^" + scheme + "://" + host + strings.TrimPrefix(pathRegexp(path), "^")
}

// looseRegexp translates a path pattern in a loosened form.
func looseRegexp(pattern string) string {
	s := strings.ReplaceAll(typedRegexps(pattern), `\*\*`, "\x00")
	return `^` + strings.ReplaceAll(strings.ReplaceAll(s, `\*`, `[^/]*`), "\x00", `.*`) + `$`
}

// typedRegexps quotes a pattern for a regular expression, in which it translates
// the words in braces, for texts that are shorter than any bound of theirs.
func typedRegexps(pattern string) string {
	const month, hex = `(?:0[1-9]|1[0-2])`, `[0-9A-Fa-f]`
	return strings.NewReplacer(
		`\{version\}`, `(?:v[0-9]+|v?[0-9]+\.[0-9](?:\.?[+~_-]*[0-9A-Za-z])*)`,
		`\{int\}`, `[0-9]{1,20}`,
		`\{sha\}`, hex+`{32}`,
		`\{uuid\}`, hex+`{8}(?:-`+hex+`{4}){3}-`+hex+`{12}`,
		`\{date\}`, `[0-9]{4}(?:-`+month+`-|`+month+`)(?:0[1-9]|1[0-9]|2[0-8])`,
	).Replace(regexp.QuoteMeta(pattern))
}

// wordRegexp translates a pattern in which a star is any run of characters.
func wordRegexp(pattern string) string {
	return `(?s)^` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `$`
}

// loosened undoes what a path may be respelled by, as the prelude does.
func loosened(patterns []string, rounds int) []string {
	out := make([]string, len(patterns))
	for i, s := range patterns {
		for range rounds {
			s = strings.NewReplacer("%2F", "/", "%40", "@", "%3B", ";", "%2B", "+", "%25", "%").Replace(s)
		}
		s = regexp.MustCompile(`;[^/]*`).ReplaceAllString(s, "")
		out[i] = strings.TrimSuffix(regexp.MustCompile(`/+`).ReplaceAllString(s, "/"), "/")
	}
	return out
}
