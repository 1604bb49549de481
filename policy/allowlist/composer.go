package allowlist

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// composerRange has alternatives, of each of which all bounds must hold. It
// orders versions as Composer\Semver does, whose own words ^ and ~ it knows;
// deps.dev/util/semver has Composer's versions, but no ranges, and orders its
// patches before their release.
type composerRange [][]composerBound

type composerBound struct {
	op      string
	version composerVersion
}

// composerVersion is a version as Composer\Semver\VersionParser normalises it.
type composerVersion struct {
	numbers   [4]int
	stability int // composerStable, less for what comes before it, more for a patch
	counts    []int
	// dev is true for what comes before the same version without it.
	dev bool
}

const composerStable = 4

var (
	composerPattern = lazily(`(?i)^v?(\d{1,5})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?` +
		`(?:[._-]?(stable|beta|b|rc|alpha|a|patch|pl|p)((?:[.-]?\d{1,9})*))?([.-]?dev)?(?:\+\S*)?$`)
	composerComparator = lazily(`^[\s,]*(>=|<=|!=|<>|==|[<>=^~])?\s*([^\s,|<>=!^~]+)`)
)

func parseComposer(text string) (v composerVersion, parts int, ok bool) {
	m := composerPattern().FindStringSubmatch(text)
	if m == nil {
		return v, 0, false
	}
	for i, digits := range m[1:5] {
		if digits != "" {
			v.numbers[i], _ = strconv.Atoi(digits) // nine digits at most
			parts = i + 1
		}
	}
	v.stability, v.dev = composerStability(strings.ToLower(m[5])), m[7] != ""
	if v.dev && v.stability == composerStable && m[5] == "" {
		v.stability, v.dev = 0, false
	}
	for _, digits := range strings.FieldsFunc(m[6], func(r rune) bool { return r == '.' || r == '-' }) {
		n, _ := strconv.Atoi(digits)
		v.counts = append(v.counts, n)
	}
	return v, parts, true
}

func composerStability(word string) int {
	switch word {
	case "alpha", "a":
		return 1
	case "beta", "b":
		return 2
	case "rc":
		return 3
	case "patch", "pl", "p":
		return composerStable + 1
	default:
		return composerStable
	}
}

func (v composerVersion) compare(o composerVersion) int {
	dev := 0
	switch {
	case v.dev && !o.dev:
		dev = -1
	case o.dev && !v.dev:
		dev = 1
	}
	return cmp.Or(slices.Compare(v.numbers[:], o.numbers[:]), cmp.Compare(v.stability, o.stability), slices.Compare(v.counts, o.counts), dev)
}

// isEarly reports whether v comes before its release.
func (v composerVersion) isEarly() bool { return v.stability < composerStable || v.dev }

// newComposerRange reads comparators, ^ and ~ with spaces or commas between them,
// and | between alternatives.
func newComposerRange(text string) (composerRange, error) {
	var out composerRange
	empty := true
	for alternative := range strings.SplitSeq(strings.ReplaceAll(text, "||", "|"), "|") {
		var bounds []composerBound
		for rest := strings.TrimSpace(alternative); rest != ""; {
			m := composerComparator().FindStringSubmatch(rest)
			if m == nil {
				return nil, fmt.Errorf("%q is no comparator", rest)
			}
			b, err := composerBounds(m[1], m[2])
			if err != nil {
				return nil, err
			}
			bounds = append(bounds, b...)
			rest = strings.TrimSpace(rest[len(m[0]):])
		}
		if len(bounds) == 0 {
			return nil, fmt.Errorf("nothing stands on one side of |")
		}
		out = append(out, bounds)
		empty = empty && isEmpty(bounds, func(b composerBound) string { return b.op }, func(a, b composerBound) int { return a.version.compare(b.version) })
	}
	if empty {
		return nil, errEmpty
	}
	return out, nil
}

// composerBounds spells ^ and ~ out: the latter lets the last number but one
// that was written grow, the former all but the first that is not 0.
func composerBounds(op, text string) ([]composerBound, error) {
	v, parts, ok := parseComposer(text)
	if !ok {
		return nil, fmt.Errorf("bad version %q", text)
	}
	grows := 0
	switch op {
	case "~":
		grows = max(parts-2, 0)
	case "^":
		for grows < parts-1 && v.numbers[grows] == 0 {
			grows++
		}
	case "", "==":
		return []composerBound{{"=", v}}, nil
	case "<>":
		return []composerBound{{"!=", v}}, nil
	default:
		return []composerBound{{op, v}}, nil
	}
	end := composerVersion{stability: composerStable}
	copy(end.numbers[:], v.numbers[:grows+1])
	end.numbers[grows]++
	return []composerBound{{">=", v}, {"<", end}}, nil
}

// contains implements versionRange: a version before its release is in a range
// under allow and log only where that names one of the same release. Under deny
// a lower bound takes in what comes before it, as it does for Composer.
func (r composerRange) contains(text string, deny bool) (in, known bool) {
	if len(text) > maxVersion {
		return false, false
	}
	v, _, ok := parseComposer(text)
	if !ok {
		return false, false
	}
	for _, bounds := range r {
		in := true
		named := !v.isEarly()
		for _, b := range bounds {
			bound := b.version
			named = named || bound.isEarly() && bound.numbers == v.numbers
			switch early := bound.isEarly(); {
			case deny && b.op == ">=" && early:
				bound.dev = true
			case deny && b.op == ">=":
				bound.stability, bound.counts = 0, nil
			}
			in = in && holds(b.op, v.compare(bound))
		}
		if in && (deny || named) {
			return true, true
		}
	}
	return false, true
}
