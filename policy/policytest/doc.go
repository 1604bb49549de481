// Package policytest holds every policy backend to the same answers. It has tests
// only.
//
// Each file in testdata is a policy in every language, and requests with the
// decision that all of them must come to; a new backend adds its line to backends
// and its policy to each file. TestRandomPolicies and FuzzDifferential compile
// random YAML policies to Rego and compare.
package policytest
