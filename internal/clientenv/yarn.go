package clientenv

import (
	"os"
	"path/filepath"
)

// yarnrc is where yarn berry's settings stand: in the home directory, and in the
// project or any directory above it (https://yarnpkg.com/configuration/yarnrc).
const yarnrc = ".yarnrc.yml"

// yarnKey returns the setting of yarn's that a variable is for. Yarn 4 has another
// name for it than yarn 2 and 3.
func yarnKey(variable string) string {
	if variable == "YARN_CA_FILE_PATH" {
		return "cafilepath"
	}
	return "httpscafilepath"
}

// namedForYarn reports whether outer or a .yarnrc.yml sets what the variable would
// override. Elsewhere NODE_EXTRA_CA_CERTS does for yarn, and the variable must not
// be there: a yarn that does not know it ends with "Unrecognized or legacy
// configuration settings found".
func namedForYarn(outer []string, variable string) bool {
	if lookup(outer, variable) != "" {
		return true
	}
	for _, path := range yarnrcs(outer) {
		if f := (configFile{path: path, key: yarnKey(variable)}); len(f.read()) > 0 {
			return true
		}
	}
	return false
}

// yarnrcs returns the files that yarn would read, run here.
func yarnrcs(outer []string) []string {
	var all []string
	if home := lookup(outer, "HOME"); home != "" {
		all = append(all, filepath.Join(home, yarnrc))
	}
	dir, err := os.Getwd()
	for err == nil {
		all = append(all, filepath.Join(dir, yarnrc))
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return all
}
