package enforce

import (
	"time"

	"github.com/juliendoutre/proxaudit/policy"
)

// SchemaID identifies the JSON Schema of Event; see event.schema.json.
const SchemaID = "https://github.com/juliendoutre/proxaudit/enforce/event.schema.json"

// Stage says at which point of a connection an event was made.
type Stage string

// The stages. A request and its response share an ID.
const (
	StageDNS      Stage = "dns"
	StageConnect  Stage = "connect"
	StageRequest  Stage = "request"
	StageResponse Stage = "response"
	StageTCP      Stage = "tcp"
	StageUDP      Stage = "udp"
	// StagePolicy is no request: a policy that changed while the proxy ran was
	// read, or could not be.
	StagePolicy Stage = "policy"
)

// RuleSilence is the rule of an event about a connection on which the client has
// said nothing, or nothing once TLS began. It tells that a port was connected to, not what for: nothing is
// learned from it and no policy is asked about it.
const RuleSilence = "proxaudit:silence"

// RuleTLS is the rule of an event about a client that ended the handshake in which
// it was to be decrypted, as one does that does not trust the run's authority. No
// policy refused it, and it went nowhere.
const RuleTLS = "proxaudit:tls"

// Event is one JSON line: one decision, or what came of one. The JSON names are
// relied on from outside. Values from the wire are kept as they were; JSON
// escapes what a terminal would act on, and other formats must do the same.
type Event struct {
	Schema string    `json:"schema"`
	Time   time.Time `json:"ts"`
	// ID joins a request with its response. It is unique within a run and, with
	// high probability, among runs.
	ID    string `json:"id"`
	Mode  string `json:"mode"`
	Stage Stage  `json:"stage"`
	// Isolation names how the command was confined, with the flags that open the
	// confinement: "env" is advisory.
	Isolation string `json:"isolation,omitempty"`

	Method string `json:"method,omitempty"`
	Scheme string `json:"scheme,omitempty"`
	Host   string `json:"host,omitempty"`
	Port   uint16 `json:"port,omitempty"`
	// Path is canonical, as the policy saw it.
	Path string `json:"path,omitempty"`
	// URL is the whole URL, its secrets redacted.
	URL string `json:"url,omitempty"`
	// Via is the URL, without its query and its secrets redacted, of the request
	// that was redirected to exactly this one; of several, the last. Only a policy
	// that let it pass may count on it.
	Via      string `json:"via,omitempty"`
	Protocol string `json:"protocol,omitempty"`

	// Action is what the policy says, Blocked what was done.
	Action  policy.Action `json:"action"`
	Blocked bool          `json:"blocked"`
	Rule    string        `json:"rule,omitempty"`
	Reason  string        `json:"reason,omitempty"`
	// Policy identifies the policy that was asked, by the SHA-256 of what was
	// read.
	Policy string `json:"policy,omitempty"`
	// Allow is the entry that would allow what was denied.
	Allow string `json:"allow,omitempty"`

	Status int `json:"status,omitempty"`
	// Location is the whole URL that a redirect leads to, its secrets redacted.
	Location      string `json:"location,omitempty"`
	RequestBytes  int64  `json:"request_bytes,omitempty"`
	ResponseBytes int64  `json:"response_bytes,omitempty"`
	// RequestFrames and ResponseFrames are those of a WebSocket, by who sent them.
	RequestFrames  int64   `json:"request_frames,omitempty"`
	ResponseFrames int64   `json:"response_frames,omitempty"`
	SHA256         string  `json:"sha256,omitempty"`
	DurationMS     float64 `json:"duration_ms,omitempty"`
	// Address is the address dialled.
	Address string `json:"address,omitempty"`
	// Error says why what was allowed did not complete.
	Error string `json:"error,omitempty"`
	// Failure is the same in plain words: one text for all errors of a kind. Hint
	// is what to do next, where that is known; it may hold text from the wire.
	Failure string `json:"failure,omitempty"`
	Hint    string `json:"hint,omitempty"`

	Package  string          `json:"package,omitempty"`
	Registry string          `json:"registry,omitempty"`
	Process  *policy.Process `json:"process,omitempty"`

	RequestHeader  map[string][]string `json:"request_header,omitempty"`
	ResponseHeader map[string][]string `json:"response_header,omitempty"`
	RequestBody    *Body               `json:"request_body,omitempty"`
	ResponseBody   *Body               `json:"response_body,omitempty"`
}

// Body is the beginning of a body, kept only when asked for.
type Body struct {
	// Text holds the bytes when they are UTF-8, Base64 otherwise.
	Text   string `json:"text,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
	// Truncated is true when the body went on.
	Truncated bool `json:"truncated,omitempty"`
}

// Decide writes a verdict into e.
func (e *Event) Decide(m Mode, v Verdict) {
	e.Mode = m.String()
	e.Action, e.Blocked = v.Action, v.Blocked
	e.Rule, e.Reason, e.Policy = v.Rule, v.Reason, v.Policy
}

// Recorder keeps events. Record is called concurrently and returns only when
// the event is kept; an error, while enforcing, denies the request.
type Recorder interface {
	Record(Event) error
}
