package examples

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/juliendoutre/proxaudit/internal/attack"
	"github.com/juliendoutre/proxaudit/policy"
	"github.com/juliendoutre/proxaudit/policy/allowlist"
)

// plan is what attack.mjs sends.
type plan struct {
	// Signal has it wait until every name leads to the listener.
	Signal   bool      `json:"signal"`
	Requests []planned `json:"requests"`
}

// planned is one request, in parts, so that nothing is tidied up on the way.
type planned struct {
	Name    string            `json:"name"` // its User-Agent
	Scheme  string            `json:"scheme,omitempty"`
	Host    string            `json:"host,omitempty"`
	Port    int               `json:"port,omitempty"`
	Method  string            `json:"method,omitempty"`
	Path    string            `json:"path,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	Wire    *attack.Wire      `json:"wire,omitempty"`
}

// outcome is what the sender saw.
type outcome struct {
	Name   string
	Status int
	Denied bool // told so by proxaudit
	Error  string
}

// attacksOn are the corpus and the mutations that fit a policy and can be sent.
func attacksOn(t *testing.T, policyFile string) []attack.Request {
	t.Helper()
	p := load(t, policyFile)
	scope := attack.Scope{Registries: p.Registries()}
	for _, f := range p.Facts() {
		if f.Action != policy.Deny {
			scope.Rules = append(scope.Rules, attack.Rule{
				Name: f.Rule, Package: f.Package, Host: f.Host, Schemes: f.Schemes, Methods: f.Methods,
				Ports: f.Ports, Paths: f.Paths, Passthrough: f.Passthrough,
			})
		}
	}
	return slices.DeleteFunc(slices.Concat(attack.Corpus(scope), attack.Mutations(scope)), func(r attack.Request) bool {
		// A client that pins its server's certificate is more than a request.
		return r.URL == "" || r.Method == "CONNECT"
	})
}

func load(t *testing.T, policyFile string) *allowlist.Policy {
	t.Helper()
	p, err := allowlist.Load(policyFile)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func meantRequests() []planned {
	var out []planned
	for i, u := range meant {
		p := planned{Name: fmt.Sprintf("meant-%d", i), Method: "GET"}
		p.target(u)
		out = append(out, p)
	}
	return out
}

// planOf are the attacks behind what is meant, in that order.
func planOf(attacks []attack.Request) plan {
	p := plan{Signal: true, Requests: meantRequests()}
	for i, r := range attacks {
		one := planned{Name: attackName(i), Method: r.Method, Body: r.Body, Wire: r.Wire}
		one.target(r.URL)
		for name, values := range r.Header {
			if one.Headers == nil {
				one.Headers = map[string]string{}
			}
			one.Headers[name] = values[0]
		}
		switch {
		case r.Wire != nil:
			w := *r.Wire
			w.Payload = strings.ReplaceAll(w.Payload, attack.UserAgent, one.Name)
			one.Wire = &w
		case one.Scheme == "tcp":
			one.Wire = &attack.Wire{Host: one.Host, Port: uint16(one.Port), Payload: "secret of " + one.Name + "\n"}
		}
		p.Requests = append(p.Requests, one)
	}
	return p
}

func attackName(i int) string { return fmt.Sprintf("attack-%d.", i) }

// target takes a URL apart and changes nothing in its path.
func (p *planned) target(raw string) {
	scheme, rest, _ := strings.Cut(raw, "://")
	authority, path := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if user, host, ok := strings.Cut(authority, "@"); ok {
		p.Headers, authority = map[string]string{"Authorization": "Basic " + user}, host
	}
	u := url.URL{Host: authority}
	p.Scheme, p.Host, p.Path = scheme, u.Hostname(), path
	p.Port, _ = strconv.Atoi(u.Port())
	if p.Port == 0 {
		p.Port = int(policy.DefaultPort(scheme))
	}
}

// endpoints are host and port of everything that a policy lets through.
func endpoints(p *allowlist.Policy) []string {
	var out []string
	for _, f := range p.Facts() {
		for _, scheme := range f.Schemes {
			if f.Action == policy.Deny || f.Host == "" {
				continue
			}
			ports := f.Ports
			if ports == nil {
				ports = []uint16{policy.DefaultPort(scheme)}
			}
			for _, port := range ports {
				out = append(out, net.JoinHostPort(f.Host, strconv.Itoa(int(port))))
			}
		}
	}
	for _, urls := range p.Registries() {
		for _, raw := range urls {
			var one planned
			one.target(raw)
			out = append(out, net.JoinHostPort(one.Host, strconv.Itoa(one.Port)))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// hostsOnly is a policy that lets through whatever is said to the hosts of
// another one, as allowlists of hosts do.
func hostsOnly(t *testing.T, policyFile string) string {
	t.Helper()
	text := "version: 1\ndefault: deny\nallow:\n"
	for _, e := range endpoints(load(t, policyFile)) {
		host, port, err := net.SplitHostPort(e)
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("  - {host: %q, ports: [%s], schemes: [https, wss, http, ws], methods: [GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS]}\n", host, port)
	}
	return text
}

var agentName = regexp.MustCompile(`attack-(\d+)\.`)

// judge compares what arrived with what may.
func judge(t *testing.T, n *attackersNet, policyFile string, attacks []attack.Request, outcomes []outcome) attackedRun {
	t.Helper()
	r := attackedRun{asked: map[attack.Class]int{}, reached: map[attack.Class]int{}}
	for _, a := range attacks {
		r.asked[a.Class]++
		if a.Mutation != "" && a.Class != attack.Unseen {
			r.mutations++
		}
	}
	targets, arrivals := n.take()
	allowed := endpoints(load(t, policyFile))
	for _, target := range targets {
		if !slices.Contains(allowed, target) {
			r.leaks = append(r.leaks, "a tunnel to "+target)
		}
	}
	reached, met := map[int]bool{}, map[string]bool{}
	for _, a := range arrivals {
		m := agentName.FindStringSubmatch(a.agent + a.raw)
		if m == nil {
			met[a.agent] = true
			if !strings.HasPrefix(a.agent, "meant-") {
				r.leaks = append(r.leaks, "from nobody knows where: "+a.String())
			}
			continue
		}
		i, _ := strconv.Atoi(m[1])
		if w := attacks[i].Wire; w != nil && w.Carrier && a.method == "GET" {
			continue // what is permitted; the attack would come behind it
		}
		reached[i] = true
		if attacks[i].Class != attack.Unseen {
			r.leaks = append(r.leaks, attacks[i].Mutation+attacks[i].Incident+": "+a.String())
		}
	}
	for i := range reached {
		r.reached[attacks[i].Class]++
	}
	for _, m := range meantRequests() {
		if !met[m.Name] {
			t.Errorf("%s did not arrive, and was meant to", m.Path)
		}
	}
	r.answers(attacks, outcomes[len(meant):])
	return r
}

// answers looks at what the sender was told: an attack that was answered by
// anyone but proxaudit arrived somewhere.
func (r *attackedRun) answers(attacks []attack.Request, outcomes []outcome) {
	for i, o := range outcomes {
		if o.Denied {
			r.refused++
		}
		w := attacks[i].Wire
		if attacks[i].Class != attack.Unseen && (o.Status/100 == 2 || o.Status == 101) && (w == nil || !w.Carrier) {
			r.leaks = append(r.leaks, fmt.Sprintf("%s%s was answered with %d: %s", attacks[i].Mutation, attacks[i].Incident, o.Status, attacks[i].URL))
		}
	}
}
