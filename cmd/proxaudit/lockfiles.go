package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/ecosystem"
	"github.com/juliendoutre/proxaudit/internal/lockfile"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// lockfileFlags say which packages are allowed by lockfiles, and where packages
// come from besides what policies say.
type lockfileFlags struct {
	lockfiles  list
	registries registryFlag
}

func (o *lockfileFlags) flags(f *flag.FlagSet) {
	f.Var(&o.lockfiles, "lockfile", "")
	f.Var(&o.registries, "registry", "")
}

// check finds flags that contradict each other.
func (o *lockfileFlags) check() error {
	if i, twice := repeated(o.lockfiles); twice {
		return fail("name each lockfile once", fmt.Errorf("%s is given twice", o.lockfiles[i]))
	}
	if slices.Contains(o.lockfiles, "") {
		return fail("name a file that a package manager wrote: "+strings.Join(lockfile.Names(), ", "), errors.New("-lockfile is empty"))
	}
	return nil
}

// registryFlag is -registry TYPE=URL, which may be given several times.
type registryFlag map[string][]string

func (r *registryFlag) String() string { return fmt.Sprint(map[string][]string(*r)) }

func (r *registryFlag) Set(s string) error {
	typ, address, ok := strings.Cut(s, "=")
	if !ok {
		return errors.New("write TYPE=URL, such as npm=https://npm.example.org/")
	}
	base := strings.TrimSuffix(address, "/") + "/"
	if _, err := ecosystem.New(ecosystem.Registries{typ: {base}}); err != nil {
		return err
	}
	if *r == nil {
		*r = registryFlag{}
	}
	if !slices.Contains((*r)[typ], base) {
		(*r)[typ] = append((*r)[typ], base)
	}
	return nil
}

// readLockfiles reads each lockfile, once. A file that one of them includes must
// be named too: what decides is what was named.
func (o *lockfileFlags) readLockfiles() ([]*lockfile.Lockfile, error) {
	var all []*lockfile.Lockfile
	for _, path := range o.lockfiles {
		l, err := lockfile.Read(path)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	for _, l := range all {
		for _, inc := range l.Includes {
			named := slices.ContainsFunc(o.lockfiles, func(p string) bool { return filepath.Clean(p) == filepath.Clean(inc.Path) })
			if !named {
				return nil, fail("name it too: -lockfile "+inc.Path, fmt.Errorf("%s:%d: it includes %s, which is not read", l.Path, inc.Line, inc.Path))
			}
		}
	}
	return all, nil
}

// lockfiles reads the lockfiles as policies that allow what they name, from the
// registries that are known by then, to which the flags' are added.
func (l *policyLoader) readLocked(p *policies, registries ecosystem.Registries) ([]policy.Policy, error) {
	for typ, urls := range l.registries {
		registries[typ] = append(registries[typ], urls...)
	}
	files, err := l.readLockfiles()
	if err != nil {
		return nil, err
	}
	beside := p.read
	var all []policy.Policy
	for _, f := range files {
		if len(registries[f.Type]) == 0 && len(f.Entries) > 0 {
			p.warnings = append(p.warnings, noRegistry(f))
		} else if few := f.Unnamed(registries[f.Type]); len(few) > 0 {
			p.warnings = append(p.warnings, unnamed(f, few))
		}
		p.warnings = append(p.warnings, unallowed(f, beside)...)
		one, err := locked(f, registries[f.Type], beside)
		if err != nil {
			return nil, err
		}
		p.read = append(p.read, reading{f.Path, f.Hash, one})
		all = append(all, one)
	}
	return all, nil
}

// locked is the policy that a lockfile is. Its rules are named by its lines, and
// may be dialled inside where the policies beside it say that the registries are.
func locked(f *lockfile.Lockfile, registries []string, beside readings) (*allowlist.Policy, error) {
	at, err := f.At(registries)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	networks := networksOf(f.Type, registries, beside)
	var lines []allowlist.Line
	for _, r := range at.Rules(registries) {
		name := f.Name
		if r.Line > 0 {
			name += ":" + strconv.Itoa(r.Line)
		}
		line := allowlist.Line{Text: r.Text(), Name: name, Reason: r.Why, Networks: networks}
		if r.Why == "" {
			line.Reason = "named by the lockfile"
		}
		lines = append(lines, line)
	}
	one, err := allowlist.FromLines(f.Path, f.Hash, map[string][]string{f.Type: registries}, lines)
	if err != nil {
		return nil, fmt.Errorf("%s: its packages make no rules: %w", f.Path, err)
	}
	return one, nil
}

func networksOf(typ string, registries []string, beside readings) []netip.Prefix {
	var hosts []string
	for _, r := range registries {
		if u, err := url.Parse(r); err == nil {
			hosts = append(hosts, u.Hostname())
		}
	}
	var out []netip.Prefix
	for _, one := range beside {
		if yaml, ok := one.policy.(*allowlist.Policy); ok {
			out = append(out, yaml.Networks(typ, hosts...)...)
		}
	}
	return out
}

// besides lets lockfiles allow what p does not, unless a rule of p denies it: where
// none of them names a request's package, p alone decides.
func besides(p policy.Policy, locks []policy.Policy) policy.Policy {
	lock := policy.Combine(locks...)
	return policy.Func(func(ctx context.Context, r *policy.Request) (policy.Decision, error) {
		d, err := lock.Decide(ctx, r)
		if err == nil && d.Action != policy.Allow {
			return p.Decide(ctx, r)
		}
		named := policy.Func(func(context.Context, *policy.Request) (policy.Decision, error) { return d, err })
		return policy.Combine(p, named).Decide(ctx, r)
	})
}

// noRegistry says what is missing for a lockfile.
func noRegistry(f *lockfile.Lockfile) string {
	return fmt.Sprintf("%s names packages of type %s, and nothing says where those come from, so none of them is allowed: add %s",
		f.Path, f.Type, registryHint(f))
}

// unnamed says which registries of a lockfile stand nowhere.
func unnamed(f *lockfile.Lockfile, few []lockfile.Registry) string {
	const most = 3
	var places []string
	for _, r := range few[:min(len(few), most)] {
		places = append(places, fmt.Sprintf("-registry %s=%s (line %d)", f.Type, r.URL, r.Line))
	}
	if len(few) > most {
		places = append(places, fmt.Sprintf("%d more", len(few)-most))
	}
	return fmt.Sprintf("%s records packages from registries that nothing names, so none of those is allowed: where they are right, add %s",
		f.Path, strings.Join(places, ", "))
}

func registryHint(f *lockfile.Lockfile) string {
	switch typ := f.Type; typ {
	case "npm":
		if f.Name == "yarn.lock" { // its own default is another one than npm's
			return "-registry npm=$(yarn config get registry), or of yarn's npmRegistryServer from version 2 on"
		}
		return "-registry npm=$(npm config get registry)"
	case "golang":
		return "-registry golang=$(go env GOPROXY | cut -d, -f1)"
	case "pypi":
		return "-registry pypi=https://pypi.example.org/simple/ for the index (pip config get global.index-url), and another one for the host that its files are on"
	case "cargo":
		return "-registry cargo=https://index.example.org/ for the sparse index, and another one for where its config.json says that crates are (dl)"
	default:
		return "-registry " + typ + "=https://" + typ + ".example.org/"
	}
}

// digestLockfile is the hash of what is there now, for who watches it.
func digestLockfile(path string) (string, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return "", errOnce
	}
	return lockfile.Digest(path)
}
