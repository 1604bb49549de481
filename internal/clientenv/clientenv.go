// Package clientenv is what is known about the clients a command is made of:
// by which variables each is told to use the proxy and to trust the run's
// certificate authority (table.go), and what the environment around the run
// already says about proxies and authorities.
//
// It must never weaken a client's checks, never replace what a client trusts
// (it only ever adds to it), and never write a private key.
package clientenv

import (
	"net/url"
	"runtime"
	"slices"
	"strings"
)

// Trust names the files that were made for one run; see Roots.Write. A field
// that is empty leaves the variables that need it as the outer environment has
// them.
type Trust struct {
	// Bundle is a PEM file: the system's roots, those the outer environment
	// names, and the run's authority.
	Bundle string
	// Dir is a directory with the run's authority under its OpenSSL hash.
	Dir string
	// JavaStore is a PKCS #12 trust store with what Bundle holds.
	JavaStore string
	// AptConfig and Wgetrc are configuration files that name Bundle and include
	// what they stand in for.
	AptConfig, Wgetrc string
	// PHPIni is a directory with a php.ini that names Bundle.
	PHPIni string

	root string
}

// Environ returns outer with the variables that make known clients use the
// proxy at proxyURL and trust the run's authority. Values that outer sets are
// built on where they are lists or options, and replaced where they are not.
//
// NO_PROXY becomes empty: outer's is meant for outer's proxy, and here each of
// its hosts would be a hole. direct names hosts to reach without the proxy; only
// a jail whose loopback is its own may pass Loopback here. With an empty
// proxyURL the proxy variables are taken away.
func Environ(outer []string, proxyURL string, t Trust, direct ...string) []string {
	in := &inputs{outer: outer, proxyURL: proxyURL, trust: t, direct: direct}
	in.java = in.javaOptions()
	var set []string
	gone := map[string]bool{}
	for _, r := range table() {
		entries, keep := in.entries(r)
		if keep {
			continue
		}
		gone[fold(r.name)] = true
		set = append(set, entries...)
	}
	out := make([]string, 0, len(outer)+len(set))
	for _, kv := range outer {
		if name, _, _ := strings.Cut(kv, "="); !gone[fold(name)] {
			out = append(out, kv)
		}
	}
	return append(out, set...)
}

// Loopback returns the names and addresses of the own machine.
func Loopback() []string { return []string{"localhost", "127.0.0.1", "::1"} }

type inputs struct {
	outer    []string
	proxyURL string
	trust    Trust
	direct   []string
	java     string // what javaOptions returns
}

// entries returns what row r puts into the environment; keep leaves outer's
// value alone.
func (in *inputs) entries(r row) (set []string, keep bool) {
	before := lookup(in.outer, r.name)
	one := func(v string) []string { return []string{r.name + "=" + v} }
	file := func(path string) ([]string, bool) { return one(path), path == "" }
	switch r.kind {
	case bundleFile:
		return file(in.trust.Bundle)
	case yarnFile:
		return one(in.trust.Bundle), in.trust.Bundle == "" || !namedForYarn(in.outer, r.name)
	case aptConfig:
		return file(in.trust.AptConfig)
	case wgetrc:
		return file(in.trust.Wgetrc)
	case phpIni:
		// An empty entry is the directory that PHP was built with.
		return one(before + string(listSeparator) + in.trust.PHPIni), in.trust.PHPIni == ""
	case certDirs:
		return one(in.certDirs(before)), in.trust.Dir == ""
	case javaOptions:
		return one(appendWord(before, in.javaOptions())), in.javaOptions() == ""
	case javaOverride:
		// These win over JAVA_TOOL_OPTIONS, so they matter only if they speak of
		// the same things.
		return one(appendWord(before, in.javaOptions())), in.javaOptions() == "" || !overridesJava(before)
	case gradleOptions:
		if overridesJava(before) {
			before = appendWord(before, in.java)
		}
		return one(appendWord(before, "-Dorg.gradle.daemon=false")), false
	}
	if in.proxyURL == "" {
		return nil, r.kind == gitProxy
	}
	switch r.kind {
	case proxyURL:
		return one(in.proxyURL), false
	case switchedOn:
		return one("1"), false
	case directHosts:
		return one(strings.Join(in.direct, ",")), false
	case directHostsNPM:
		// npm takes an empty variable for none at all, and an npmrc's noproxy
		// would win. RFC 2606 section 2: .invalid is never a host.
		return one(strings.Join(append(slices.Clone(in.direct), "none.invalid"), ",")), false
	case gitProxy:
		return gitConfig(in.outer, "http.proxy", in.proxyURL), false
	}
	return nil, true
}

// certDirs puts the run's directory before those that are searched already.
func (in *inputs) certDirs(before string) string {
	if before == "" {
		before = systemCertDir()
	}
	if before == "" {
		return in.trust.Dir
	}
	return in.trust.Dir + string(listSeparator) + before
}

// proxyAddress returns the proxy's host and port.
func (in *inputs) proxyAddress() (host, port string) {
	u, err := url.Parse(in.proxyURL)
	if err != nil {
		return "", ""
	}
	return u.Hostname(), u.Port()
}

// lookup returns a variable's value as getenv(3) does: the first one counts.
func lookup(env []string, name string) string {
	for _, kv := range env {
		if n, v, _ := strings.Cut(kv, "="); n == name || runtime.GOOS == "windows" && strings.EqualFold(n, name) {
			return v
		}
	}
	return ""
}

// fold returns what two spellings of one variable share. npm reads its own in
// any case, and takes dashes for underscores (npm-config(7)); Windows reads
// every variable in any case.
func fold(name string) string {
	lower := strings.ToLower(name)
	if strings.HasPrefix(lower, "npm_config_") {
		return strings.ReplaceAll(lower, "-", "_")
	}
	if runtime.GOOS == "windows" {
		return lower
	}
	return name
}

func appendWord(list, word string) string {
	if strings.TrimSpace(list) == "" {
		return word
	}
	return list + " " + word
}
