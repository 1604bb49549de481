package allowlist

import (
	"testing"

	"github.com/juliendoutre/proxaudit/policy"
)

// packageRequest is a read of a package at a registry of the policy.
func packageRequest(purl string) *policy.Request {
	return &policy.Request{
		Method: "GET", Scheme: "https", Host: "registry.example.org", Port: 443, Path: "/x",
		Package: purl, Registry: "https://registry.example.org/",
	}
}

// TestPackages checks whether rules for packages match, as allow and as deny.
func TestPackages(t *testing.T) {
	for _, tt := range []struct {
		rule, purl  string
		allow, deny bool
	}{
		{"pkg:npm/lodash", "pkg:npm/lodash", true, true},
		{"pkg:npm/lodash", "pkg:npm/lodash@4.17.21", true, true},
		{"pkg:npm/lodash", "pkg:npm/lodash-es", false, false},
		{"pkg:npm/lodash", "pkg:npm/evil/lodash", false, false},
		{"pkg:npm/lodash", "pkg:npm/%40evil/lodash", false, false},
		{"pkg:npm/lodash", "pkg:pypi/lodash", false, false},
		{"pkg:npm/lodash@4.17.21", "pkg:npm/lodash@4.17.21", true, true},
		{"pkg:npm/lodash@4.17.21", "pkg:npm/lodash@4.17.210", false, false},
		{"pkg:npm/lodash@4.17.21", "pkg:npm/lodash@4.17.2", false, false},
		{"pkg:npm/lodash@4.17.21", "pkg:npm/lodash", true, false},
		{"pkg:npm/lodash@4.*", "pkg:npm/lodash@4.17.21", true, true},
		{"pkg:npm/lodash@4.*", "pkg:npm/lodash@40.0.0", false, false},
		{"pkg:npm/lodash@4.*", "pkg:npm/lodash@3.4.1", false, false},
		{"pkg:npm/lodash@4.*", "pkg:npm/lodash", true, false},
		{"pkg:npm/lodash@*-rc.*", "pkg:npm/lodash@4.0.0-rc.1", true, true},
		{"pkg:npm/@scope/*", "pkg:npm/%40scope/x@1.0.0", true, true},
		{"pkg:npm/@scope/*", "pkg:npm/@scope/x@1.0.0", true, true},
		{"pkg:npm/%40scope/*", "pkg:npm/%40scope/x", true, true},
		{"pkg:npm/@scope/*", "pkg:npm/%40scopes/x", false, false},
		{"pkg:npm/@scope/*", "pkg:npm/x", false, false},
		{"pkg:npm/@scope/x", "pkg:npm/%40scope/x@1.0.0", true, true},
		{"pkg:npm/eslint-*", "pkg:npm/eslint-plugin-x@1.0.0", true, true},
		{"pkg:npm/eslint-*", "pkg:npm/%40evil/eslint-plugin-x@1.0.0", false, false},
		{"pkg:npm/eslint-*@1.*", "pkg:npm/eslint-plugin-x@2.0.0", false, false},
		{"pkg:npm/*-ok", "pkg:npm/a-ok", true, true},
		{"pkg:npm/*-ok", "pkg:npm/a-ok-evil", false, false},
		{"pkg:npm/*", "pkg:npm/anything", true, true},
		{"pkg:npm/JSONStream", "pkg:npm/JSONStream@1.0.0", true, true},
		{"pkg:npm/JSONStream", "pkg:npm/jsonstream@1.0.0", false, false},
		{"pkg:maven/org.example/*@1.2.3", "pkg:maven/org.example/lib@1.2.3", true, true},
		{"pkg:maven/org.example/*@1.2.3", "pkg:maven/org.example.evil/lib@1.2.3", false, false},
		{"pkg:maven/org.example/Lib", "pkg:maven/org.example/Lib@1", true, true},
		{"pkg:cargo/Inflector", "pkg:cargo/inflector@0.11.4", true, true},
		{"pkg:pypi/Zope.Interface", "pkg:pypi/zope-interface@5", true, true},
		{"pkg:pypi/zope-interface", "pkg:pypi/zope.interface@5", true, true},
		{"pkg:pypi/zope-interface", "pkg:pypi/Zope__Interface@5", true, true},
		{"pkg:pypi/zope.*", "pkg:pypi/zope-interface@5", true, true},
		{"pkg:golang/github.com/Example/App@v1.*", "pkg:golang/github.com/example/app@v1.2.3", true, true},
		{"pkg:golang/github.com/example/app@v2.0.0+incompatible", "pkg:golang/github.com/example/app@v2.0.0%2Bincompatible", true, true},
		{"pkg:golang/github.com/example/app", "pkg:golang/github.com/example/app/v2@v2.0.0", false, false},
		{"pkg:deb/debian/libstdc++6", "pkg:deb/debian/libstdc%2B%2B6@12?arch=amd64", true, true},
		{"pkg:deb/debian/libstdc++*", "pkg:deb/debian/libstdc%2B%2B6@12?arch=amd64", true, true},
		{"pkg:deb/debian/curl?arch=amd64", "pkg:deb/debian/curl@7?arch=amd64&distro=stable", true, true},
		{"pkg:deb/debian/curl?arch=amd64", "pkg:deb/debian/curl@7?arch=arm64", false, false},
		{"pkg:deb/debian/curl@1:7.88*", "pkg:deb/debian/curl@1:7.88.1-10~deb12", true, true},
		{"pkg:npm/a%2Ab", "pkg:npm/axb", false, false},
		{"pkg:npm/x@1.0%2A", "pkg:npm/x@1.0.0", false, false},
		{"pkg:nuget/Newtonsoft.Json@13.0.1-RC1", "pkg:nuget/newtonsoft.json@13.0.1-rc1", true, true},
		{"pkg:nuget/newtonsoft.json@13.0.1-rc1", "pkg:nuget/Newtonsoft.Json@13.0.1-RC1", true, true},
		{"pkg:nuget/newtonsoft.json@13.0.1-rc1", "pkg:nuget/newtonsoft.json@13.0.1-RC1", true, true},
		{"pkg:nuget/newtonsoft.*", "pkg:nuget/newtonsoft.json", true, true},
		{"pkg:composer/Monolog/Monolog", "pkg:composer/monolog/monolog@3.0", true, true},
		{"pkg:composer/monolog/*", "pkg:composer/evil/monolog@3.0", false, false},
		{"pkg:gem/rails@7.*", "pkg:gem/rails@7.1.2", true, true},
		{"pkg:gem/rails@7.*", "pkg:gem/rails-evil@7.1.2", false, false},
		{"pkg:docker/library/alpine@3.18", "pkg:docker/library/alpine@3.18", true, true},
		{"pkg:docker/library/alpine@3.18", "pkg:docker/library/alpine@3.19", false, false},
		{"pkg:docker/library/alpine@3.18", "pkg:docker/evil/alpine@3.18", false, false},
		{"pkg:docker/library/alpine@3.18", "pkg:docker/alpine@3.18", false, false},
		{"pkg:docker/library/alpine@3.18", "pkg:docker/library/alpine", true, false},
		{"pkg:docker/library/alpine@3.18", "pkg:docker/library/alpine@sha256:00", true, false},
		{"pkg:docker/library/alpine@3.*", "pkg:docker/library/alpine@sha256:00", true, false},
		{"pkg:docker/library/alpine@3.18", "pkg:docker/evil/alpine@sha256:00", false, false},
		{"pkg:docker/library/alpine", "pkg:docker/library/alpine@sha256:00", true, true},
		{"pkg:docker/library/alpine@*", "pkg:docker/library/alpine@sha256:00", true, true},
		{"pkg:docker/library/alpine@sha256:00", "pkg:docker/library/alpine@sha256:00", true, true},
		{"pkg:docker/library/alpine@sha256%3A00", "pkg:docker/library/alpine@sha256:00", true, true},
		{"pkg:docker/library/alpine@sha256:00", "pkg:docker/library/alpine@sha256:01", false, false},
		{"pkg:docker/library/alpine@sha256:00", "pkg:docker/library/alpine@3.18", false, false},
		{"pkg:docker/library/alpine@sha256:00", "pkg:docker/library/alpine", true, false},
		{"pkg:docker/library/*@3.18", "pkg:docker/library/alpine@sha256:00", true, false},
		{"pkg:npm/x@1.0", "pkg:npm/x@sha256:00", false, false},
		{"pkg:npm/lodash", "lodash", false, false},
		{"pkg:npm/lodash", "pkg:npm/lodash#sub", true, true},
	} {
		t.Run(tt.rule+" "+tt.purl, func(t *testing.T) {
			q := packageRequest(tt.purl)
			if got := decide(t, mustParse(t, "allow: ['"+tt.rule+"']"), q).Action == policy.Allow; got != tt.allow {
				t.Errorf("allow matches: %v", got)
			}
			if got := decide(t, mustParse(t, "default: allow\ndeny: ['"+tt.rule+"']"), q).Action == policy.Deny; got != tt.deny {
				t.Errorf("deny matches: %v", got)
			}
		})
	}
}

func TestPackageRequests(t *testing.T) {
	const purl = "pkg:npm/lodash@4.17.21"
	p := mustParse(t, "allow: [{package: 'pkg:npm/lodash@4.*', reason: pinned, networks: [10.0.0.0/8]}]")
	closed := mustParse(t, "default: allow\ndeny: ['pkg:npm/lodash@4.*']")
	for _, tt := range []struct {
		name                  string
		change                func(*policy.Request)
		action, underDenyRule policy.Action
	}{
		{"as is", func(*policy.Request) {}, policy.Allow, policy.Deny},
		{"HEAD", func(r *policy.Request) { r.Method = "HEAD" }, policy.Allow, policy.Deny},
		{"PUT", func(r *policy.Request) { r.Method = "PUT" }, policy.Deny, policy.Deny},
		{"plain http", func(r *policy.Request) { r.Scheme, r.Port = "http", 80 }, policy.Allow, policy.Deny},
		{"registry unknown", func(r *policy.Request) { r.Registry = "" }, policy.Deny, policy.Allow},
		{"no package", func(r *policy.Request) { r.Package = "" }, policy.Deny, policy.Allow},
		{"raw tcp", func(r *policy.Request) { r.Scheme, r.Method = "tcp", "" }, policy.Deny, policy.Allow},
		{"web socket", func(r *policy.Request) { r.Scheme = "wss" }, policy.Deny, policy.Deny},
		{"CONNECT", func(r *policy.Request) { r.Method = "CONNECT" }, policy.Deny, policy.Allow},
		{"override", func(r *policy.Request) { r.Header = map[string][]string{"X-Original-Url": {"/y"}} }, policy.Deny, policy.Deny},
	} {
		q := packageRequest(purl)
		tt.change(q)
		d := decide(t, p, q)
		if d.Action != tt.action || d.Action == policy.Allow && (d.Reason != "pinned" || len(d.Networks) != 1) {
			t.Errorf("%s: %+v, want %v", tt.name, d, tt.action)
		}
		if d := decide(t, closed, q); d.Action != tt.underDenyRule {
			t.Errorf("%s, under a deny rule: %+v, want %v", tt.name, d, tt.underDenyRule)
		}
	}
	for purl, want := range map[string]string{
		"pkg:npm/lodash@3.0.0": "no rule matches: policy.yaml:2 has this package, but not this version",
		"pkg:npm/evil@3.0.0":   "no rule matches",
	} {
		if got := decide(t, p, packageRequest(purl)).Reason; got != want {
			t.Errorf("%s: %q, want %q", purl, got, want)
		}
	}
	q := packageRequest(purl)
	q.Registry = ""
	want := "no rule matches: policy.yaml:2 has this package, but its origin does not stand under registries"
	if got := decide(t, p, q).Reason; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
