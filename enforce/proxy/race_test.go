//go:build race

package proxy

// underRace says that the race detector is built in.
const underRace = true
