package clientenv

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// source is a file or directory of certificates that the outer environment
// names.
type source struct {
	path string
	from string // what names it: a variable, or file:line
	// java is true for a key store, which password opens.
	java     bool
	password string
}

// outerFiles returns what outer's variables name, and then what the
// configuration files of known clients do.
func outerFiles(outer []string) []source {
	var all []source
	for _, r := range table() {
		value := lookup(outer, r.name)
		if value == "" {
			continue
		}
		switch r.kind {
		case bundleFile, yarnFile:
			if !isSwitch(value) {
				all = append(all, source{path: value, from: r.name})
			}
		case certDirs:
			for _, dir := range filepath.SplitList(value) {
				if dir != "" && dir != systemCertDir() {
					all = append(all, source{path: dir, from: r.name})
				}
			}
		case javaOptions, javaOverride, gradleOptions:
			if path := javaProperty(value, "javax.net.ssl.trustStore"); path != "" {
				password := orElse(javaProperty(value, "javax.net.ssl.trustStorePassword"), javaPassword)
				all = append(all, source{path: path, from: r.name, java: true, password: password})
			}
		}
	}
	// npm reads its variables in either case.
	if value := lookup(outer, "NPM_CONFIG_CAFILE"); value != "" {
		all = append(all, source{path: value, from: "NPM_CONFIG_CAFILE"})
	}
	for _, f := range configFiles(outer) {
		all = append(all, f.read()...)
	}
	return all
}

// isSwitch reports whether a variable holds a word where it could hold a path,
// as CONDA_SSL_VERIFY can.
func isSwitch(value string) bool {
	switch strings.ToLower(value) {
	case "true", "false", "yes", "no", "on", "off", "0", "1", "truststore":
		return true
	}
	return false
}

// configFile is a client's own configuration, in which key names a bundle.
type configFile struct {
	path, key, home string
}

// configFiles returns the configuration of known clients for the user and the
// machine; see ReadRoots about projects.
func configFiles(outer []string) []configFile {
	home := lookup(outer, "HOME")
	if home == "" {
		home = lookup(outer, "USERPROFILE")
	}
	config := orElse(lookup(outer, "XDG_CONFIG_HOME"), filepath.Join(home, ".config"))
	all := []configFile{
		{orElse(anyOf(outer, "npm_config_userconfig", "NPM_CONFIG_USERCONFIG"), filepath.Join(home, ".npmrc")), "cafile", home},
		{lookup(outer, "PIP_CONFIG_FILE"), "cert", home},
		{filepath.Join(config, "pip", "pip.conf"), "cert", home},
		{filepath.Join(home, ".pip", "pip.conf"), "cert", home},
		{"/etc/pip.conf", "cert", home},
		{filepath.Join(home, ".gitconfig"), "sslcainfo", home},
		{filepath.Join(config, "git", "config"), "sslcainfo", home},
		{"/etc/gitconfig", "sslcainfo", home},
		{filepath.Join(home, ".curlrc"), "cacert", home},
		{filepath.Join(home, ".wgetrc"), "ca_certificate", home},
		{filepath.Join(orElse(lookup(outer, "CARGO_HOME"), filepath.Join(home, ".cargo")), "config.toml"), "cainfo", home},
		{filepath.Join(home, yarnrc), yarnKey("YARN_HTTPS_CA_FILE_PATH"), home},
		{filepath.Join(home, yarnrc), yarnKey("YARN_CA_FILE_PATH"), home},
		{filepath.Join(home, ".condarc"), "ssl_verify", home},
		{filepath.Join(home, ".bundle", "config"), "bundle_ssl_ca_cert", home},
	}
	if home == "" {
		return nil
	}
	return all
}

// read returns what the file names; a file that is not there names nothing.
// Every format here has a key, one of "=", ":" or white space, and a value on
// one line.
func (f configFile) read() (found []source) {
	if f.path == "" || f.path == os.DevNull {
		return nil
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		value, ok := valueOf(lines.Text(), f.key)
		if !ok || value == "" || isSwitch(value) {
			continue
		}
		if rest, ok := strings.CutPrefix(value, "~/"); ok {
			value = filepath.Join(f.home, rest)
		}
		value = strings.ReplaceAll(value, "${HOME}", f.home)
		found = append(found, source{path: value, from: fmt.Sprintf("%s:%d", f.path, n)})
	}
	return found
}

// valueOf returns the value of a line that sets key, without its quotes.
func valueOf(line, key string) (string, bool) {
	line = strings.TrimLeft(strings.TrimSpace(line), "-\"")
	if len(line) <= len(key) || !strings.EqualFold(line[:len(key)], key) {
		return "", false
	}
	rest := strings.TrimPrefix(line[len(key):], `"`)
	value := strings.TrimLeft(rest, " \t")
	if value == "" || rest == value && value[0] != '=' && value[0] != ':' {
		return "", false
	}
	if value[0] == '=' || value[0] == ':' {
		value = strings.TrimSpace(value[1:])
	}
	if len(value) > 1 && (value[0] == '"' || value[0] == '\'') {
		if end := strings.IndexByte(value[1:], value[0]); end >= 0 {
			return value[1 : 1+end], true
		}
	}
	for _, comment := range []string{" #", " ;"} {
		value, _, _ = strings.Cut(value, comment)
	}
	return strings.TrimSpace(value), true
}
