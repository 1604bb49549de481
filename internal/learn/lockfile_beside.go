package learn

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/juliendoutre/proxaudit/internal/hostname"
	"github.com/juliendoutre/proxaudit/internal/lockfile"
	"github.com/juliendoutre/proxaudit/policy"
)

// besideLine is a rule for what a lockfile's client asks a registry besides
// packages.
type besideLine struct {
	endpoint
	method   string // empty for reads
	paths    []string
	files    []string
	why      string
	networks []netip.Prefix
}

// lockBeside adds what a client asks besides packages, but for what was seen
// anyway.
func (l *Learner) lockBeside(d *draft, f *lockfile.Lockfile, bases []string) error {
	for _, r := range f.Rules(bases) {
		if r.Package != "" {
			continue
		}
		e, base, err := endpointOf(r.Base)
		if err != nil {
			return fmt.Errorf("learning a policy: %w", err)
		}
		if method := cmp.Or(r.Method, "GET"); l.coversRequest(&policy.Request{
			Method: method, Scheme: e.scheme, Host: e.host, Port: e.port, Path: base + strings.ReplaceAll(r.Path, "*", "x"),
		}) {
			continue
		}
		d.addBeside(&besideLine{
			endpoint: e, method: r.Method, paths: []string{base + r.Path},
			files: []string{f.Name}, why: r.Why, networks: l.networks(e),
		})
	}
	return nil
}

// addBeside adds a line, or its path to one that says the same.
func (d *draft) addBeside(b *besideLine) {
	for _, r := range d.rules {
		reads := b.method == "" && (r.methods == nil || slices.Contains(r.methods, "GET"))
		if r.endpoint == b.endpoint && !r.passthrough && r.query == "" && len(r.via) == 0 && (reads || slices.Contains(r.methods, b.method)) &&
			slices.ContainsFunc(r.paths, func(p *pathLine) bool { return p.pattern == b.paths[0] }) {
			return
		}
	}
	for _, known := range d.beside {
		if known.endpoint == b.endpoint && known.method == b.method && known.why == b.why {
			known.paths, known.files = addWord(known.paths, b.paths[0]), addWord(known.files, b.files[0])
			return
		}
	}
	d.beside = append(d.beside, b)
}

// endpointOf takes a base URL apart, with a slash at the end of its path.
func endpointOf(base string) (endpoint, string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return endpoint{}, "", err
	}
	host, port, err := hostname.ParseAuthority(u.Host)
	if err != nil {
		return endpoint{}, "", err
	}
	path, err := policy.CanonicalPath(u.EscapedPath())
	if err != nil {
		return endpoint{}, "", err
	}
	if port == 0 {
		port = policy.DefaultPort(u.Scheme)
	}
	return endpoint{u.Scheme, host, port}, strings.TrimSuffix(path, "/") + "/", nil
}

// baseNetworks returns the addresses that rules for packages of registries must
// name.
func (l *Learner) baseNetworks(bases []string) []netip.Prefix {
	var out []netip.Prefix
	for _, base := range bases {
		if e, _, err := endpointOf(base); err == nil {
			out = append(out, l.networks(e)...)
		}
	}
	return sortedNetworks(out)
}
