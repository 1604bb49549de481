package allowlist

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/juliendoutre/proxaudit/policy"
)

func TestFacts(t *testing.T) {
	p, err := Parse("dir/policy.yaml", []byte(`version: 1
default: deny
registries: {npm: "https://npm.example.org/"}
allow:
  - pkg:npm/lodash@>=4 <5  # seen in 1 of 1 run
  - package: "pkg:npm/@scope/name"  # in package-lock.json
    networks: [10.0.0.0/8]
  - GET,POST https://api.example.org:8443/repos/*/x
  - https://whole.example.org
  - host: "*.example.net"  # seen in 2 of 3 runs, 4 requests; review: seen once
    methods: [PUT]
    paths:
      - /a/b  # another comment
      - /c/**
    ports: [443, 444]
    schemes: [https, wss]
  - {host: pinned.example.org, tls: passthrough}  # flow
  # not this one's
  - tcp://git.example.org:22
  - host: cdn.example.net
    via: [https://github.com/example/tool/releases/download/**]
  - {host: cdn.example.org, via: "https://github.com"}
deny:
  - host: bad.example.org
log:
  - host: log.example.org
    paths: [/]
    query: {v: "1*", "x?": [a, b], "*": z}
    headers: {Content-Type: application/json}
    processes: [make, /usr/bin/py*]
`))
	if err != nil {
		t.Fatal(err)
	}
	https := []string{"https"}
	want := []Fact{
		{Rule: "policy.yaml:5", Action: policy.Allow, Package: "pkg:npm/lodash@>=4 <5", Comments: []string{"seen in 1 of 1 run"}},
		{Rule: "policy.yaml:6", Action: policy.Allow, Package: "pkg:npm/@scope/name", Comments: []string{"in package-lock.json"}},
		{Rule: "policy.yaml:8", Action: policy.Allow, Host: "api.example.org", Schemes: https, Methods: []string{"GET", "POST"}, Ports: []uint16{8443}, Paths: []string{"/repos/*/x"}},
		{Rule: "policy.yaml:9", Action: policy.Allow, Host: "whole.example.org", Schemes: https},
		{
			Rule: "policy.yaml:10", Action: policy.Allow, Host: "*.example.net", Schemes: []string{"https", "wss"}, Methods: []string{"PUT"},
			Ports: []uint16{443, 444}, Paths: []string{"/a/b", "/c/**"}, Comments: []string{"seen in 2 of 3 runs, 4 requests; review: seen once", "another comment"},
		},
		{Rule: "policy.yaml:17", Action: policy.Allow, Host: "pinned.example.org", Schemes: https, Passthrough: true, Comments: []string{"flow"}},
		{Rule: "policy.yaml:19", Action: policy.Allow, Host: "git.example.org", Schemes: []string{"tcp"}, Ports: []uint16{22}},
		{Rule: "policy.yaml:20", Action: policy.Allow, Host: "cdn.example.net", Schemes: https, Via: []string{"https://github.com/example/tool/releases/download/**"}},
		{Rule: "policy.yaml:22", Action: policy.Allow, Host: "cdn.example.org", Schemes: https, Via: []string{"https://github.com"}},
		{Rule: "policy.yaml:24", Action: policy.Deny, Host: "bad.example.org"},
		{
			Rule: "policy.yaml:26", Action: policy.Log, Host: "log.example.org", Schemes: https, Paths: []string{"/"},
			Query: map[string]string{"v": "1x", "x": "a"}, Headers: map[string]string{"content-type": "application/json"}, Processes: []string{"make", "/usr/bin/pyx"},
		},
	}
	if diff := cmp.Diff(want, p.Facts()); diff != "" {
		t.Error(diff)
	}
	locked, err := FromLines("package-lock.json", "", nil, []Line{{Text: "pkg:npm/lodash@4.17.21", Name: "package-lock.json:7"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Fact{{Rule: "package-lock.json:7", Action: policy.Allow, Package: "pkg:npm/lodash@4.17.21", OneVersion: true}}, locked.Facts()); diff != "" {
		t.Error(diff)
	}
	var none *Policy
	if f := none.Facts(); f != nil {
		t.Errorf("a nil policy has facts: %v", f)
	}
}
