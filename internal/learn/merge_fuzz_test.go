package learn

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/enforce"
)

// What random policies and random runs are made of. Hosts, packages and paths are
// few, so that rules and requests meet.
var (
	mergeRules = []string{
		`https://build.example.org/tools/**`, `"GET,HEAD https://a.example.org/x"`, `"https://q.example.org/x"`,
		`pkg:npm/lodash@4.*`, `'pkg:npm/async'`, `pkg:npm/lodash@4.17.20`, `"pkg:npm/x@>=1 <2"`, `pkg:pypi/six`,
		`{host: build.example.org, paths: [/x, "/tools/*"]}`, "{host: b.example.org,\n     paths: [/x]}", `{host: "*.example.org", methods: [PUT]}`,
		`{host: git.example.org, query: {service: git-upload-pack}}`, `{host: c.example.org, processes: [make]}`, `{host: build.example.org, query: {a: "1"}}`,
	}
	mergeBlocks = []string{
		"host: build.example.org\nreason: for the build # not a comment\n",
		"host: build.example.org\nreason: \"quoted # words\n    in two lines\"\n",
		"host: b.example.org\nreason: |\n    a block\n    # of text\n\n    in parts\n",
		"host: b.example.org\nreason: >+\n    folded\n\n",
		"host: d.example.org\nmethods:\n- GET\npaths: [/x,\n    /y]\n",
		"host: c.example.org\nreason: plain words\n    in two lines\n",
		"package: pkg:npm/lodash@4.17.21\nnetworks: [10.0.0.0/8]\n",
		"host: db.example.org\nschemes: [tcp]\nports: [5432]\n",
		"host: objects.example.net  # seen in 1 of 1 run, 1 request, first on 2026-11-20\nvia: [\"https://github.com/example/tool/releases/download/**\"]\n",
		"host: build.example.org  # seen in 1 of 1 run, 2 requests, first on 2026-11-20\npaths:\n    - /tools/a.tgz\n    - /x  # 2 requests\n",
		"host: a.example.org  # seen in 2 of 3 runs, 2 requests, first on 2026-11-20; not seen since 2026-11-21\npaths: [/x]\n",
		"host: build.example.org\t# seen in 1 of 1 run, 2 requests, first on 2026-11-20; review: seen once  \nmethods: [POST]\npaths: [/x]\n",
		"package: pkg:npm/async@3.2.0  # seen in 1 of 1 run, 1 request, first on 2026-11-20\nnetworks: [\"10.0.0.7/32\"]\n",
	}
	mergeLearned = []string{
		"pkg:npm/lodash@4.17.20  # seen in 1 of 1 run, 1 request by node, first on 2026-11-20, e.g. GET /lodash/-/lodash-4.17.20.tgz",
		"pkg:npm/lodash@4.17.21  # seen in 2 of 3 runs, 1 request by node, first on 2026-11-20; not seen since 2026-11-22",
		"pkg:npm/async@3.2.0  # seen in 1 of 1 run, 1 request by node; review: seen in one run only",
		"pkg:pypi/six@1.0  # in poetry.lock",
		`"pkg:npm/%40types/node@20.0.0"  # seen in 1 of 1 run, 1 request`,
	}
	mergeRequests = []string{
		"GET https://npm.example.org/lodash", "GET https://npm.example.org/lodash/-/lodash-4.17.20.tgz", "GET https://npm.example.org/lodash/-/lodash-4.17.21.tgz",
		"GET https://npm.example.org/async/-/async-3.2.0.tgz", "GET https://npm.example.org/@types/node/-/node-20.0.0.tgz", "GET https://npm2.example.org/x/-/x-1.0.0.tgz",
		"GET https://npm2.example.org/async/-/async-3.2.0.tgz at=10.0.0.7:443",
		"GET https://pypi.example.org/simple/six/", "GET https://pypi.example.org/packages/aa/six-1.0.tar.gz", "GET https://crates.example.org/api/v1/crates/cfg-if/1.0.0/download",
		"GET https://build.example.org/tools/a.tgz", "GET https://build.example.org/tools/b.tgz", "GET https://build.example.org/x", "POST https://build.example.org/x", "GET https://build.example.org/x?a=1",
		"GET https://a.example.org/x", "GET https://a.example.org/y 404", "GET https://a.example.org/z 500", "GET https://b.example.org/x by=/usr/bin/make",
		"GET https://c.example.org/x by=/usr/bin/make", "GET https://c.example.org/x by=/usr/bin/curl", "GET https://d.example.org/x at=10.0.0.7:443", "GET http://127.0.0.1:8080/health at=127.0.0.1:8080",
		"tcp://db.example.org:5432 at=10.0.0.8:5432", "CONNECT https://pinned.example.org", "GET https://evil.example.org/x", "PUT https://evil.example.org/x", "GET https://webhook.site/0", "GET http://169.254.169.254/latest",
		"GET https://build.example.org/dl/1.2.3/x.tgz", "GET https://build.example.org/dl/1.2.4/x.tgz", "GET https://build.example.org/dl/1.2.5/x.tgz 500",
		"GET https://git.example.org/team/app.git/info/refs?service=git-upload-pack", "POST https://git.example.org/team/app.git/git-upload-pack",
		"GET https://git.example.org/team/app.git/info/refs?service=git-receive-pack 403", "GET https://git.example.org/team/app.git/info/refs?service=git-receive-pack",
		"GET https://github.com/example/tool/releases/download/v1.0.0/tool.tgz", "GET https://github.com/example/tool/releases/download/v1.1.0/tool.tgz",
		"GET https://github.com/example/tool/releases/download/v1.2.0/tool.tgz 302", "GET https://objects.example.net/a/1?sig=1 via=https://github.com/example/tool/releases/download/v1.2.0/tool.tgz",
		"GET https://objects.example.net/a/2?sig=2 via=https://github.com/example/tool/releases/download/v1.0.0/tool.tgz", "GET https://cdn.example.net/lodash via=https://npm.example.org/lodash/-/lodash-4.17.21.tgz",
		"GET https://cdn2.example.net/b via=https://build.example.org/tools/b.tgz", "GET https://cdn3.example.net/x via=https://cdn2.example.net/b", "GET https://cdn2.example.net/y via=https://a.example.org/x",
		"GET https://hooks.example.org/services/T0/AbCd1234EfGh5678IjKl9012MnOp3456", "GET https://e.example.org/%23%20%22", "GET https://e.example.org/a:%20b",
	}
)

func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// randomPolicy is a policy as people write them, some of it learned.
func randomPolicy(r *rand.Rand) string {
	var parts []string
	add := func(odds int, s string) {
		if r.IntN(odds) == 0 {
			parts = append(parts, s)
		}
	}
	comment := func() string { return pick(r, "", "", "# words\n", "\n", "\n# words\n\n", "   # deep words\n") }
	head := []string{"version: 1" + pick(r, "", "  # one", "\t#") + "\n", pick(r, "", "default: deny\n", "'default': \"log\"  # for now\n")}
	r.Shuffle(2, func(i, j int) { head[i], head[j] = head[j], head[i] })
	parts = append(parts, head[0]+comment()+head[1])
	add(2, randomRegistries(r))
	if r.IntN(8) > 0 {
		parts = append(parts, randomList(r, "allow"))
	}
	add(2, pick(r, "deny:\n  - host: evil.example.org\n    methods: [PUT]\n", "deny: [{package: 'pkg:npm/x'}]\n"))
	add(4, randomList(r, "log"))
	r.Shuffle(len(parts)-1, func(i, j int) { parts[i+1], parts[j+1] = parts[j+1], parts[i+1] })
	text := pick(r, "", "", "# Signed.\n", "---\n", "--- # begins\n\n") + strings.Join(parts, comment())
	if r.IntN(4) == 0 {
		text += "\n" + notLearned + "\n#\n# UDP: whatever.\n#   udp://quic.example.org:443  (1 request: x)\n" + endOfNotLearned + "\n" + comment()
	}
	text += pick(r, "", "", "", "...\n", "# the end\n")
	if r.IntN(4) == 0 {
		text = strings.TrimSuffix(text, "\n")
	}
	if r.IntN(4) == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if r.IntN(6) == 0 {
		text = byteOrderMark + text
	}
	return text
}

func randomRegistries(r *rand.Rand) string {
	return pick(r,
		"registries: {}  # none\n", "registries: {npm: https://npm.example.org/}\n", "registries: { 'npm' : [ \"https://npm.example.org/\", ] , }  # in brackets\n",
		"registries:\n  npm: https://npm.example.org/  # seen in 1 of 1 run, 1 package, 1 request\n", "registries:\n    npm:\t'https://npm.example.org'\t# quoted\n\n    # between\n    pypi: [https://pypi.example.org/]\n",
		"registries:\n  npm:\n  - https://npm.example.org/\n  # last\n", "registries:\n  npm:\n      https://npm.example.org/\n  \"pypi\":\n    - https://pypi.example.org/ # one\n",
		"registries: {npm: https://npm.example.org/,\n  # in between\n  pypi: 'https://pypi.example.org/'}\n",
	)
}

func randomList(r *rand.Rand, name string) string {
	if r.IntN(8) == 0 {
		return name + pick(r, ": []\n", ":  []  # nothing yet\n", ": [\n]\n", ": [  # nothing\n  ]\n", ":\n  []\n")
	}
	n := 1 + r.IntN(7)
	if r.IntN(4) == 0 {
		return name + ": [" + randomBrackets(r, n) + "]" + pick(r, "", "  # by hand") + "\n"
	}
	indent := strings.Repeat(" ", pick(r, 0, 2, 2, 4))
	dash := "-" + strings.Repeat(" ", pick(r, 1, 1, 3))
	var b strings.Builder
	b.WriteString(name + ":" + pick(r, "", "  # words") + "\n")
	if r.IntN(3) == 0 {
		b.WriteString(indent + strings.TrimSpace(packagesHead) + "\n")
	}
	for range n {
		switch r.IntN(4) {
		case 0:
			b.WriteString(indent + dash + pick(r, mergeRules...) + pick(r, "", "  # words", "\t# seen in 1 of my dreams") + "\n")
		case 1:
			b.WriteString(indent + dash + pick(r, mergeLearned...) + "\n")
		default:
			block := pick(r, mergeBlocks...)
			block = strings.ReplaceAll(strings.TrimSuffix(block, "\n"), "\n", "\n"+indent+strings.Repeat(" ", len(dash)))
			b.WriteString(indent + dash + block + "\n")
		}
		b.WriteString(pick(r, "", "", "\n", indent+"# mine\n", "\n"+indent+"# mine\n", "# flush left\n"))
	}
	return b.String()
}

func randomBrackets(r *rand.Rand, n int) string {
	var b strings.Builder
	line := "" // what must come before the next word
	for i := range n {
		b.WriteString(line + pick(r, "", " ", "\n  ", "\n  # words\n   "))
		item, behind := pick(r, mergeRules...), ""
		if r.IntN(3) == 0 {
			item, behind, _ = strings.Cut(pick(r, mergeLearned...), "  #")
			behind = "  #" + behind
		}
		comma := pick(r, ",", ", ", " ,", ",\n")
		if i == n-1 && r.IntN(2) == 0 {
			comma = ""
		}
		if strings.HasSuffix(comma, "\n") {
			behind = ""
		}
		b.WriteString(item + comma + behind)
		line = ""
		if behind != "" {
			line = "\n   "
		}
	}
	return b.String() + line + pick(r, "", " ", "\n", "\n  ")
}

func randomRuns(t testing.TB, r *rand.Rand) [][]enforce.Event {
	var runs [][]enforce.Event
	for range 1 + r.IntN(3) {
		var b strings.Builder
		for range r.IntN(10) {
			b.WriteString(pick(r, mergeRequests...) + pick(r, "", " day=25", " day=26") + "\n")
		}
		runs = append(runs, readRun(t, b.String()))
	}
	return runs
}

// mergeRandomly merges a random run into a random policy, and another one into
// what comes of it; see checkMerge for what must hold.
func mergeRandomly(t testing.TB, r *rand.Rand) (changed bool) {
	source := randomPolicy(r)
	merged := checkMerge(t, source, randomRuns(t, r)...)
	checkMerge(t, merged, randomRuns(t, r)...)
	return merged != source
}

func TestMergeRandomPolicies(t *testing.T) {
	changed := 0
	for seed := range uint64(300) {
		if mergeRandomly(t, rand.New(rand.NewPCG(seed, 6))) {
			changed++
		}
		if t.Failed() {
			t.Fatal("seed", seed)
		}
	}
	if changed < 200 {
		t.Errorf("only %d policies were changed", changed)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Add(uint64(21), uint64(172)) // a list in brackets that is like another one
	f.Fuzz(func(t *testing.T, a, b uint64) { mergeRandomly(t, rand.New(rand.NewPCG(a, b))) })
}
