package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/internal/learn"
	"github.com/juliendoutre/proxaudit/internal/replay"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

const (
	proposeRegistries = "version: 1\ndefault: deny\nregistries:\n  npm: https://npm.example.org/\n  deb: https://deb.example.org/debian/\n" +
		"  pypi: [https://pypi.example.org/, https://files.example.org/]\n  golang: https://go.example.org/\n  cargo: https://cargo.example.org/\n" +
		"  maven: https://maven.example.org/maven2/\n  docker: https://docker.example.org/\n  gem: https://gem.example.org/\n"
	proposeSHA = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
)

// TestProposals holds what a denial proposes to what learn writes for that request
// alone: pasted into the policy it allows the request, and no attack.
func TestProposals(t *testing.T) {
	for _, tt := range []struct{ request, line string }{
		{"GET https://ok.example.org/a/b.tgz", "- GET https://ok.example.org/a/b.tgz"},
		{"GET https://ok.example.org/a?token=hunter2", "- GET https://ok.example.org/a"},
		{"HEAD https://ok.example.org/a", "- HEAD https://ok.example.org/a"},
		{"POST http://ok.example.org:8080/v1/a", "- POST http://ok.example.org:8080/v1/a"},
		{"GET https://10.0.0.1/a", `- {host: "10.0.0.1", methods: [GET], paths: ["/a"], ports: [443], schemes: [https], networks: ["10.0.0.1/32"]}`},
		{"GET https://git.example.org/o/r.git/info/refs?service=git-upload-pack", `- {host: "git.example.org", methods: ["GET"], paths: ["/o/r.git/info/refs"], query: {service: git-upload-pack}}`},
		{"POST https://git.example.org/o/r.git/git-upload-pack", "- POST https://git.example.org/o/r.git/git-upload-pack"},
		{"GET http://git.example.org:3000/o/r/info/refs?service=git-receive-pack", `- {host: "git.example.org", methods: ["GET"], paths: ["/o/r/info/refs"], query: {service: git-receive-pack}, ports: [3000], schemes: [http]}  # was denied; review: git push`},
		{"POST https://git.example.org/o/r/git-receive-pack", "- POST https://git.example.org/o/r/git-receive-pack  # was denied; review: git push writes to the repository"},
		{"GET https://git.example.org/o/r.git/info/refs", `- {host: "git.example.org", methods: ["GET"], paths: ["/o/r.git/info/refs"], query: {}}`},
		{"GET https://git.example.org/o/r.git/info/refs?ref=main", `- {host: "git.example.org", methods: ["GET"], paths: ["/o/r.git/info/refs"], query: {"service?": git-upload-pack, "*": "*"}}  # was denied; review: its query is not git's, and any matches but a push's`},
		{"GET https://git.example.org/o/r.git/info/refs?Service=x", ""},
		{"GET https://git.example.org/o/r.git/info/refs?%73ervice=git-receive-pack", ""},
		{"GET https://npm.example.org/lodash/-/lodash-4.17.21.tgz", "- pkg:npm/lodash@4.17.21"},
		{"GET https://npm.example.org/@o%2fn", "- pkg:npm/%40o/n  # was denied; review: no version was read, so any may be"},
		{"GET https://npm.example.org/@o/n/-/n-1.2.3.tgz", "- pkg:npm/%40o/n@1.2.3"},
		{"GET https://pypi.example.org/simple/requests/", "- pkg:pypi/requests  # was denied; review: no version was read, so any may be"},
		{"GET https://files.example.org/packages/aa/bb/cc/requests-2.31.0-py3-none-any.whl", "- pkg:pypi/requests@2.31.0"},
		{"GET https://go.example.org/golang.org/x/text/@v/v0.3.0.zip", "- pkg:golang/golang.org/x/text@v0.3.0"},
		{"GET https://cargo.example.org/config.json", "- GET https://cargo.example.org/config.json"},
		{"GET https://cargo.example.org/api/v1/crates/serde/1.0.100/download", "- pkg:cargo/serde@1.0.100"},
		{"GET https://maven.example.org/maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.jar", "- pkg:maven/org.slf4j/slf4j-api@2.0.9"},
		{"GET https://docker.example.org/v2/", "- GET https://docker.example.org/v2/"},
		{"GET https://docker.example.org/v2/library/alpine/manifests/3.20", "- pkg:docker/library/alpine@3.20"},
		{"GET https://gem.example.org/gems/rails-7.1.0.gem", "- pkg:gem/rails@7.1.0"},
		{"GET https://deb.example.org/debian/pool/main/g/gcc-12/libstdc%2b%2b6_12.2.0-14_amd64.deb", "- pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64"},
		{"DELETE https://ok.example.org/v1/items/5", "- DELETE https://ok.example.org/v1/items/5"},
		{"GET https://ok.example.org/{id}/x*y|z$", "- GET https://ok.example.org/%7Bid%7D/x%2Ay%7Cz$"},
		{"GET https://[fd00::1]:8443/a", `- {host: "fd00::1", methods: [GET], paths: ["/a"], ports: [8443], schemes: [https], networks: ["fd00::1/128"]}`},
		{"PUT https://npm.example.org/lodash", "- PUT https://npm.example.org/lodash"},
		{"GET https://deb.example.org/debian/dists/stable/main/binary-amd64/by-hash/SHA256/" + strings.Repeat("a", 64), `- {host: "deb.example.org", methods: ["GET"], paths: ["/debian/dists/stable/**"]}`},
		{"GET https://github.com/example/tool/releases/download/v1.2.3/tool.tgz", `- {host: "github.com", methods: ["GET"], paths: ["/example/tool/releases/download/**"]}`},
		{"GET https://code.example.org/example/tool/archive/refs/tags/v1.2.3.tar.gz", `- {host: "code.example.org", methods: ["GET"], paths: ["/example/tool/archive/refs/tags/**"]}`},
		{"GET https://api.github.com/repos/example/tool/git/blobs/" + proposeSHA, "- GET https://api.github.com/repos/example/tool/git/blobs/" + proposeSHA},
		{"POST https://api.github.com/graphql", "- POST https://api.github.com/graphql  # was denied; review: GraphQL: whether it reads or writes stands in the body, which no rule reads"},
		{"GET https://ok.example.org/t/ghp_0123456789abcdefghijABCDEFGHIJ012345/x", `- {host: "ok.example.org", methods: ["GET"], paths: ["/t/*/x"]}  # was denied; review: a segment that looks like a secret was masked, and any other matches`},
		{"POST https://webhook.site/00000000-0000-4000-8000-000000000000", ""},
		{"GET http://169.254.169.254/latest/meta-data/", ""},
		{"GET https://dns.google/resolve?name=x", ""},
	} {
		t.Run(tt.request, func(t *testing.T) {
			base := mustYAML(t, proposeRegistries+"allow: []\n")
			r := wordRequest(t, tt.request)
			r.Package, r.Registry = identify(base.recognizer, r)
			line := learn.NewProposer(base.recognizer).Line(r)
			if line != tt.line {
				t.Errorf("line %q, want %q", line, tt.line)
			}
			learned := learnedFacts(t, base, tt.request)
			if line == "" {
				if len(learned) > 0 {
					t.Errorf("learn writes %+v", learned)
				}
				return
			}
			with := mustYAML(t, proposeRegistries+"allow:\n  "+line+"\n")
			if d := with.Decide(r); d.Action != policy.Allow {
				t.Errorf("%s does not allow it: %+v", line, d)
			}
			for _, query := range []string{"service=git-receive-pack", "ref=main&service=git-receive-pack", "%73ervice=git-receive-pack"} {
				push := *r
				push.Query = query
				if strings.HasSuffix(r.Path, "/info/refs") && r.Query != "service=git-receive-pack" && with.Decide(&push).Action != policy.Deny {
					t.Errorf("%s allows ?%s", line, query)
				}
			}
			if found := lintLine(t, line); found != "" {
				t.Errorf("check finds in %s: %s", line, found)
			}
			if got := alike(with.policy.Facts()); !cmp.Equal(got, learned) {
				t.Errorf("learn writes another rule:\n%s", cmp.Diff(learned, got))
			}
			read := readings{{"policy.yaml", "", with.policy}}
			s := scorePolicies(context.Background(), &policies{policy: with.policy, recognizer: with.recognizer}, read, nil)
			for _, p := range s.permittedAttacks() {
				if p.Method+" "+p.URL != tt.request {
					t.Errorf("%s permits %s", line, p.line())
				}
			}
		})
	}
}

func mustYAML(t *testing.T, doc string) yamlPolicy {
	t.Helper()
	p, err := parseYAML("policy.yaml", []byte(doc))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, doc)
	}
	return p
}

// lintLine returns what check finds in a policy with one line that counts.
func lintLine(t *testing.T, line string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(proposeRegistries+"allow:\n  "+line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range (allowlist.Linter{Now: time.Now(), Ecosystems: ecosystem.Types()}).Lint(file) {
		if f.Severity > policy.Note {
			names = append(names, f.ID)
		}
	}
	return strings.Join(names, ", ")
}

func wordRequest(t *testing.T, words string) *policy.Request {
	t.Helper()
	method, url, _ := strings.Cut(words, " ")
	r, err := replay.NewRequest(method, url)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// learnedFacts returns what learn writes for one request that was answered.
func learnedFacts(t *testing.T, base yamlPolicy, words string) []allowlist.Fact {
	t.Helper()
	r := wordRequest(t, words)
	l := learn.New(learn.Options{Registries: ecosystem.Registries(base.policy.Registries())})
	for _, stage := range []enforce.Stage{enforce.StageRequest, enforce.StageResponse} {
		ev := enforce.Event{
			Time: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), Stage: stage, Method: r.Method, Scheme: r.Scheme,
			Host: r.Host, Port: r.Port, Path: r.Path, URL: enforce.RedactURL(r.URL()), Action: policy.Log,
		}
		if stage == enforce.StageResponse {
			ev.Status = 200
		}
		if err := l.Record(ev); err != nil {
			t.Fatal(err)
		}
	}
	var text bytes.Buffer
	if err := l.WritePolicy(&text); err != nil {
		t.Fatal(err)
	}
	return alike(mustYAML(t, text.String()).policy.Facts())
}

// alike leaves out of rules what two may differ in and mean the same, that learn
// lets what was read be asked about as well, and all of comments but reviews.
func alike(facts []allowlist.Fact) []allowlist.Fact {
	for i := range facts {
		f := &facts[i]
		f.Rule = ""
		if slices.Equal(f.Methods, []string{"GET"}) {
			f.Methods = nil
		}
		if len(f.Schemes) == 1 && slices.Equal(f.Ports, []uint16{policy.DefaultPort(f.Schemes[0])}) {
			f.Ports = nil
		}
		var reviews []string
		for _, c := range f.Comments {
			for _, review := range strings.Split(c, reviewMark)[1:] {
				if review != seenOnce && review != "an address, not a name" {
					reviews = append(reviews, review)
				}
			}
		}
		f.Comments = reviews
	}
	return facts
}
