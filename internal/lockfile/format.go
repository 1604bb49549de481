package lockfile

import "strings"

// format is a kind of lockfile. To add one, write its reader in a file of its own
// and list it in formats.
type format struct {
	// name is how its file is called, with one star at most.
	name string
	typ  string
	read func(*reader) error
}

// formats are in the order in which names are compared.
var formats = []format{
	{"package-lock.json", "npm", readPackageLock},
	{"npm-shrinkwrap.json", "npm", readPackageLock},
	{"pnpm-lock*.yaml", "npm", readPNPM},
	{"yarn.lock", "npm", readYarn},
	{"poetry.lock", "pypi", readPoetry},
	{"uv.lock", "pypi", readUV},
	{"pdm.lock", "pypi", readPDM},
	{"pylock*.toml", "pypi", readPylock},
	{"Pipfile.lock", "pypi", readPipfile},
	{"*.txt", "pypi", readRequirements},
	{"go.sum", "golang", readGoSum},
	{"go.mod", "golang", readGoMod},
	{"Cargo.lock", "cargo", readCargo},
	{"Gemfile.lock", "gem", readGemfile},
	{"gems.locked", "gem", readGemfile},
	{"packages.lock.json", "nuget", readNuGet},
	{"composer.lock", "composer", readComposer},
}

// Names returns how the lockfiles are called that Read knows.
func Names() []string {
	var names []string
	for _, f := range formats {
		if f.name == "*.txt" {
			f.name = "requirements.txt (or *.txt)"
		}
		names = append(names, f.name)
	}
	return names
}

func formatOf(name string) *format {
	for i := range formats {
		before, after, star := strings.Cut(formats[i].name, "*")
		if name == formats[i].name || star && len(name) >= len(before)+len(after) &&
			strings.HasPrefix(name, before) && strings.HasSuffix(name, after) {
			return &formats[i]
		}
	}
	return nil
}
