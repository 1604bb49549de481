package rego

// Input is what a policy finds under `input`. The type is the documentation and
// the source of input.schema.json; the value itself is built from the table in
// fields.go, because making it from this type by way of JSON takes twice as
// long.
//
// All but Process is always there. A request that has no such thing, as a CONNECT
// has no path, has an empty string or array.
type Input struct {
	Method string `json:"method" doc:"HTTP method as sent; CONNECT asks whether the connection may pass undecrypted; empty for raw TCP; both pass only where the decision has tls: passthrough"`
	Scheme string `json:"scheme" doc:"http, https, ws, wss or tcp"`
	Host   string `json:"host" doc:"host in lowercase, as A-labels, without a trailing dot and without a port; or an IP address without brackets"`
	Port   uint16 `json:"port" doc:"port, the scheme's own where the URL names none"`
	Path   string `json:"path" doc:"path with unreserved characters decoded and everything else encoded; empty for CONNECT and raw TCP"`
	Query  string `json:"query" doc:"query as sent, without the question mark"`
	// Headers joins the values of a repeated header, so that none can hide
	// behind the first (RFC 9110 section 5.3).
	Headers map[string]string `json:"headers" doc:"header values by lowercase name; several values of one name are joined with a comma"`
	// Package is empty unless the registry is known: that the URL of any other
	// host has the shape of a package must not earn it anything.
	Package  string   `json:"package" doc:"package URL (purl) of what is read from a known registry, else empty"`
	Registry string   `json:"registry" doc:"origin of the known registry, else empty"`
	Via      []string `json:"via" doc:"URLs, without query, of requests of this run that were let pass and redirected to exactly this one, its query included; empty when there is none"`
	Process  *Process `json:"process,omitempty" doc:"process that asked; absent when unknown; evidence, not proof"`

	Attributes  Attributes          `json:"attributes" doc:"the request in the shape of Envoy's external authorization"`
	ParsedPath  []string            `json:"parsed_path" doc:"decoded segments of the path; an encoded slash does not separate"`
	ParsedQuery map[string][]string `json:"parsed_query" doc:"decoded values of the query by name; a query that cannot be decoded denies"`
}

// Process is who asked.
type Process struct {
	PID     int      `json:"pid" doc:"process id"`
	Exe     string   `json:"exe" doc:"path of the executable"`
	Argv    []string `json:"argv" doc:"command line"`
	Parents []string `json:"parents" doc:"executables of the ancestors, the nearest first"`
	// Names saves policies from taking paths apart, which costs more than all the
	// rest of a usual decision.
	Names []string `json:"names" doc:"file name of the executable, then those of its ancestors, the nearest first"`
}

// Attributes is the part of Envoy's CheckRequest.AttributeContext that is known
// here. There is no body: a request is decided before its body is read.
type Attributes struct {
	Request AttributesRequest `json:"request" doc:"the request"`
}

// AttributesRequest is Envoy's AttributeContext.Request.
type AttributesRequest struct {
	HTTP AttributesHTTP `json:"http" doc:"the HTTP request"`
}

// AttributesHTTP is Envoy's AttributeContext.HttpRequest.
type AttributesHTTP struct {
	Method  string            `json:"method" doc:"as input.method"`
	Headers map[string]string `json:"headers" doc:"as input.headers, with :authority, :method, :path and :scheme"`
	Host    string            `json:"host" doc:"host, with a colon and the port where it is not the scheme's own"`
	Path    string            `json:"path" doc:"path, with a question mark and the query where there is one"`
	Scheme  string            `json:"scheme" doc:"as input.scheme"`
}
