package attack

import (
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"
	"golang.org/x/mod/module"
)

// packages asks registries for what could be taken for a permitted package, and
// for one that nobody has named.
func (m *mutating) packages(s Scope) {
	named := map[string]bool{}
	var all []ruledPackage
	for _, r := range s.Rules {
		if p, ok := purlOf(r.Package); ok {
			named[p.Type+" "+fullName(p)] = true
			all = append(all, ruledPackage{r.Name, p})
		}
	}
	for _, one := range all[:min(len(all), maxPackages)] {
		for _, url := range s.Registries[one.Type] {
			m.confuse(one, url, named)
		}
		m.swapRegistry(one, s.Registries)
	}
	for _, typ := range sortedKeys(s.Registries) {
		theirs := packageurl.PackageURL{Type: typ, Name: attacker, Version: "1.0.0"}
		switch typ {
		case packageurl.TypeMaven:
			theirs.Namespace = "org." + attacker
		case packageurl.TypeGolang:
			theirs.Namespace, theirs.Version = attackerHost, "v1.0.0"
		case packageurl.TypeComposer:
			theirs.Namespace = attacker
		}
		for _, url := range s.Registries[typ] {
			if file := artifact(theirs); file != "" {
				m.misuse("another package", url, "GET", below(url, file))
			}
		}
	}
}

// ruledPackage is a package and the rule that names it.
type ruledPackage struct {
	rule string
	packageurl.PackageURL
}

// confuse asks the registry at url for what is not the package.
func (m *mutating) confuse(one ruledPackage, url string, named map[string]bool) {
	get := func(mutation string, p packageurl.PackageURL) {
		if file := artifact(p); file != "" && (mutation == "another version" || !named[p.Type+" "+fullName(p)]) {
			m.misuse(mutation, one.rule, "GET", below(url, file))
		}
	}
	p := one.PackageURL
	if p.Version != "" {
		other := p
		other.Version = "99.99.99"
		if strings.HasPrefix(p.Version, "v") {
			other.Version = "v99.99.99"
		}
		get("another version", other)
	} else {
		p.Version = "1.0.0"
	}
	typo := p
	typo.Name = swapped(p.Name)
	get("a name misspelt", typo)
	if p.Namespace != "" {
		bare, theirs := p, p
		bare.Namespace, theirs.Namespace = "", "@"+attacker
		if p.Type != packageurl.TypeNPM {
			theirs.Namespace = "org." + attacker
		}
		if p.Type != packageurl.TypeMaven && p.Type != packageurl.TypeGolang {
			get("scope dropped", bare)
		}
		get("another scope", theirs)
	}
	if file := artifact(p); file != "" {
		m.misuse("write of the package's file", one.rule, "PUT", below(url, file))
		m.add(Request{
			Mutation: "query of a permitted package", Of: one.rule, Class: Unseen, Method: "GET", URL: below(url, file) + "?d=c2VjcmV0",
			Note: "the registry must be one that somebody else reads the log of",
		})
		if dir, _, ok := strings.Cut(file, "/-/"); ok {
			m.misuse("another package's file in its directory", one.rule, "GET", url+dir+"/-/"+attacker+"-1.0.0.tgz")
		}
	}
}

// swapRegistry reads the package from somewhere else.
func (m *mutating) swapRegistry(one ruledPackage, registries map[string][]string) {
	p := one.PackageURL
	if p.Version == "" {
		p.Version = "1.0.0"
	}
	file := artifact(p)
	if file == "" {
		return
	}
	m.add(Request{Mutation: "another registry", Of: one.rule, Class: Unknown, Method: "GET", URL: "https://" + attackerHost + "/" + file})
	for _, typ := range sortedKeys(registries) {
		for _, url := range registries[typ] {
			if typ != p.Type && !slices.Contains(registries[p.Type], url) {
				m.misuse("another registry", one.rule, "GET", below(url, file))
			}
		}
	}
}

// swapped returns a name with two letters in the wrong order.
func swapped(name string) string {
	for i := len(name) - 1; i > 0; i-- {
		if name[i] != name[i-1] && isLetter(name[i]) && isLetter(name[i-1]) {
			return name[:i-1] + name[i:i+1] + name[i-1:i] + name[i+1:]
		}
	}
	return name + "s"
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' }

// below returns the URL of a file of a registry. That of images may be named with
// the version of its API, or without.
func below(url, file string) string {
	if strings.HasSuffix(url, "/v2/") {
		file = strings.TrimPrefix(file, "v2/")
	}
	return url + file
}

// artifact returns where a registry keeps a package, below its base URL, and ""
// for a kind of package of which that is not known here.
func artifact(p packageurl.PackageURL) string {
	switch p.Type {
	case packageurl.TypeNPM:
		return fullName(p) + "/-/" + p.Name + "-" + p.Version + ".tgz"
	case packageurl.TypePyPi:
		return "packages/" + p.Name + "-" + p.Version + ".tar.gz"
	case packageurl.TypeGolang:
		path, err := module.EscapePath(fullName(p))
		if err != nil {
			return ""
		}
		if !strings.HasPrefix(p.Version, "v") {
			p.Version = "v" + p.Version
		}
		return path + "/@v/" + p.Version + ".zip"
	case packageurl.TypeCargo:
		return "api/v1/crates/" + p.Name + "/" + p.Version + "/download"
	case packageurl.TypeMaven:
		return strings.ReplaceAll(p.Namespace, ".", "/") + "/" + p.Name + "/" + p.Version + "/" + p.Name + "-" + p.Version + ".jar"
	case packageurl.TypeDebian:
		return "pool/main/" + p.Name[:1] + "/" + p.Name + "/" + p.Name + "_" + p.Version + "_amd64.deb"
	case packageurl.TypeGem:
		return "gems/" + p.Name + "-" + p.Version + ".gem"
	case packageurl.TypeNuget:
		id := strings.ToLower(p.Name)
		return "v3-flatcontainer/" + id + "/" + p.Version + "/" + id + "." + p.Version + ".nupkg"
	case packageurl.TypeComposer:
		return "dist/" + fullName(p) + "/" + strings.ReplaceAll(p.Namespace+"-"+p.Name, ".", "-") + "-" + p.Version + "-9f0a1b.zip"
	case packageurl.TypeDocker, packageurl.TypeOCI:
		return "v2/" + fullName(p) + "/manifests/" + p.Version
	default:
		return ""
	}
}
