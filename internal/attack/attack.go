// Package attack holds what real payloads asked the network for, and derives from
// it and from a policy what an attacker who knows that policy would ask for next.
//
// It is responsible for descriptions of requests: a corpus of incidents, as a data
// file, and a generator of mutations that gives the same list for the same
// policy. It must never send any of them, resolve a name or open a connection,
// and so has no part in the way that a run's requests take: who reads it asks a
// policy, or, in a test, writes them to a listener of its own.
package attack

// Class says what can tell an attack from what is meant.
type Class string

const (
	// Unknown is a host that no policy has a reason to name.
	Unknown Class = "a"
	// Misuse is a host that policies do name, asked with another verb, for
	// another path, or for what is another owner's.
	Misuse Class = "b"
	// Unseen is what no rule can tell from what is meant.
	Unseen Class = "c"
)

// Request is one request of an attack.
type Request struct {
	// Incident is where it was seen, empty for a mutation, and Date its month.
	Incident string `json:"incident,omitempty"`
	Date     string `json:"date,omitempty"`
	// Mutation names what was changed, empty for the corpus, and Of what it was
	// derived from: a rule, a host or a registry.
	Mutation string `json:"mutation,omitempty"`
	Of       string `json:"of,omitempty"`
	Class    Class  `json:"class"`
	// Method is empty for raw TCP. URL is as the attacker writes it, so it may
	// hold what a client normalises or a server reads in two ways.
	Method string              `json:"method,omitempty"`
	URL    string              `json:"url,omitempty"`
	Header map[string][]string `json:"header,omitempty"`
	Body   string              `json:"body,omitempty"`
	Note   string              `json:"note,omitempty"`
	// Wire is set for what exists in bytes alone: no policy can be asked about it,
	// and URL is what the attacker hopes to reach.
	Wire *Wire `json:"wire,omitempty"`
}

// Wire is what is written to a connection.
type Wire struct {
	// Host and Port are what is connected to.
	Host string `json:"host"`
	Port uint16 `json:"port"`
	// TLS encrypts, with ServerName as its SNI.
	TLS        bool   `json:"tls,omitempty"`
	ServerName string `json:"server_name,omitempty"`
	// Payload is sent once connected. Carrier is true of one that begins with a
	// permitted GET: the attack is what comes behind it.
	Payload string `json:"payload"`
	Carrier bool   `json:"carrier,omitempty"`
}

// Rule is what a policy lets through by one rule of its allow and log lists, with
// the names and meanings of allowlist.Fact.
type Rule struct {
	Name        string
	Package     string
	Host        string
	Schemes     []string
	Methods     []string
	Ports       []uint16
	Paths       []string
	Passthrough bool
}

// Scope is what a policy lets through, as far as that can be listed. The zero
// value is a policy of which nothing is known.
type Scope struct {
	Registries map[string][]string // purl type → base URLs with a slash at the end
	Rules      []Rule
}

// The bounds of what is derived from a policy. A policy that lists more is long
// because it repeats itself, and so would its mutations.
const (
	maxPaths    = 500 // path patterns
	maxPackages = 100
	maxRepos    = 5
)

// attacker is the name under which an attacker has an account, a package, or a
// path; attackerHost is a host of theirs (RFC 6761 section 6.2).
const (
	attacker     = "mallory"
	attackerHost = "mallory.test"
)
