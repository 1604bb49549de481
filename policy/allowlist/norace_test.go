//go:build !race

package allowlist

const underRace = false
