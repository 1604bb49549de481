package clientenv

import "strconv"

// gitConfig returns the variables that add one setting to those that env gives
// git: GIT_CONFIG_COUNT and the pair at its end (git(1), from 2.31 on).
func gitConfig(env []string, key, value string) []string {
	n, err := strconv.Atoi(lookup(env, "GIT_CONFIG_COUNT"))
	if err != nil || n < 0 {
		n = 0
	}
	i := strconv.Itoa(n)
	return []string{
		"GIT_CONFIG_COUNT=" + strconv.Itoa(n+1),
		"GIT_CONFIG_KEY_" + i + "=" + key,
		"GIT_CONFIG_VALUE_" + i + "=" + value,
	}
}
