//go:build race

package allowlist

// underRace is true under the race detector.
const underRace = true
