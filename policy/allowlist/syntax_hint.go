package allowlist

import (
	"strings"
)

// Where in a line YAML takes a character for its own.
var (
	// plainStar is a star or an ampersand where YAML expects the name of an anchor.
	plainStar = lazily(`(?:^|[\s\[{,:])([*&])(?:[^A-Za-z0-9_-]|$)`)
	// reserved is a character with which no text without quotes begins.
	reserved = lazily("(?:^|[\\s\\[{,])([@`%])")
	// plainBraces is a typed part without quotes in a list in brackets, where YAML
	// takes the brace for its own.
	plainBraces = lazily(`[\[,] *[^'" ,][^'",]*\{[a-z]+\}`)
	// bracketedIPv6 is an IPv6 address in brackets, where YAML sees a list.
	bracketedIPv6 = lazily(`\[([0-9a-fA-F]*:[0-9a-fA-F:.]+)\]`)
	// secondKey is a key of a rule behind the value of another one.
	secondKey = lazily(`[;,]\s*(?:host|package|methods|paths|query|headers|via|ports|schemes|networks|processes|tls|expires|reason):\s`)
	// keyed is a key with a text behind it.
	keyed = lazily(`^\s*(?:- +)*[^\s:'"]+:\s+\S`)
)

// syntaxHint says what to do about what the YAML reader says of a line, and where
// in it the fault is. Offset is where the file stops being YAML.
func syntaxHint(message, line string, offset int) (string, int) {
	rest := line[min(offset, len(line)):]
	says := func(part string) bool { return strings.Contains(message, part) }
	switch {
	case strings.HasPrefix(strings.TrimSpace(line), "//"):
		return "a comment begins with #", len(line) - len(strings.TrimLeft(line, " "))
	case says("alphabetic or numeric character"):
		if at := plainStar().FindStringSubmatchIndex(line); at != nil {
			return "put a text that begins with " + line[at[2]:at[3]] + " in quotes", at[2]
		}
	case says("cannot start any token") && strings.Contains(line, "\t"):
		return "write a blank instead of the tab", strings.IndexByte(line, '\t')
	case says("cannot start any token"):
		if at := reserved().FindStringSubmatchIndex(line); at != nil {
			hint := "put a text that begins with " + line[at[2]:at[3]] + " in quotes"
			if line[at[2]] == '@' {
				hint += "; a package is written pkg:npm/@scope/name"
			}
			return hint, at[2]
		}
	case says("unknown escape character"):
		return "a backslash has a meaning in double quotes: use single ones", offset
	case plainBraces().MatchString(rest):
		return "put a path with braces in quotes where it stands in a list in brackets", offset
	case says("unknown anchor"):
		return "write the value out where it is used", offset
	case says("mapping values are not allowed"):
		if at := secondKey().FindStringIndex(line); at != nil {
			return "write each key on a line of its own, or all of them in braces with commas between: {host: …, paths: […]}", at[0]
		}
		if keyed().MatchString(line[:min(offset, len(line))]) {
			return "put a text that holds a colon and a blank in quotes", offset
		}
		return "line it up with the keys among which it belongs: indented like this, it goes on with the text above it", offset
	case says("did not find expected node content"):
		if at := bracketedIPv6().FindStringSubmatchIndex(line); at != nil {
			return "write an IPv6 address in quotes and without brackets: '" + line[at[2]:at[3]] + "'", at[0]
		}
	case says("did not find expected ',' or") && strings.HasPrefix(rest, "["):
		return "close the bracket that opens here with ], and put commas between what is in it", offset
	case says("did not find expected ',' or") && strings.HasPrefix(rest, "{"):
		return "close the brace that opens here with }, and put commas between what is in it", offset
	case says("unexpected end of stream"):
		return "close the quote that opens here", offset
	case says("did not find expected key"), says("did not find expected '-' indicator"):
		if strings.Count(line, "'") > 2 {
			return "write a quote twice where it stands in single quotes, or use double ones", offset
		}
		return "line it up with the keys, or the dashes, among which it belongs", offset
	}
	return "check indentation, quotes and brackets", offset
}
