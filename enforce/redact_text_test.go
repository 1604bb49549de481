package enforce

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRedactText(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"plain error":    {"dial tcp 192.0.2.7:443: connect: connection refused", ""},
		"status":         {"error code: 404, key: lodash, exit code=1", ""},
		"digest":         {"want sha256:" + hex64 + ", got " + hex64, ""},
		"about a token":  {"the bearer token is missing: unauthorized", ""},
		"basic words":    {"basic auth failed", ""},
		"URL with query": {`Get "https://ok.test/?x=1": EOF`, ""},

		"URL in quotes":      {`Get "https://u:hunter2@ok.test/?token=abc": EOF`, `Get "https://u:REDACTED@ok.test/?token=REDACTED": EOF`},
		"URL in the open":    {"fetch https://ok.test/?code=abc failed", "fetch https://ok.test/?code=REDACTED failed"},
		"URL in brackets":    {"<https://ok.test/?token=abc>; rel=next", "<https://ok.test/?token=REDACTED>; rel=next"},
		"token alone":        {"bad credential " + github + " given", "bad credential REDACTED given"},
		"token after an \\n": {`"\n` + npmToken + `"`, `"\nREDACTED"`},
		"JWT after an \\n":   {`"\n` + jwt + `"`, `"\nREDACTED"`},
		"bearer":             {"sent Bearer 0123456789abcdef, got 401", "sent Bearer REDACTED, got 401"},
		"basic":              {"sent basic dXNlcjpodW50ZXIyMw==", "sent basic REDACTED"},
		"header line":        {"Authorization: Bearer abc\nAccept: */*", "Authorization: Bearer REDACTED\nAccept: */*"},
		"digest header":      {`Authorization: Digest username="u", response="abc"` + "\nX: y", "Authorization: Digest REDACTED\nX: y"},
		"field":              {"X-Api-Key: abc", "X-Api-Key: REDACTED"},
		"variable":           {"NPM_TOKEN=abc make", "NPM_TOKEN=REDACTED make"},
		"npmrc":              {"//npm.example.org/:_authToken=abc", "//npm.example.org/:_authToken=REDACTED"},
		"JSON":               {`{"user": "bob", "password": "hunter 2", "n": 1}`, `{"user": "bob", "password": "REDACTED", "n": 1}`},
		"JSON in quotes":     {`{\"password\":\"hunter2\"}`, `{\"password\":\"REDACTED"}`},
		"Go map":             {"map[Private-Token:[abc] X:[y]]", "map[Private-Token:[REDACTED] X:[y]]"},
	} {
		t.Run(name, func(t *testing.T) {
			want := tt.want
			if want == "" {
				want = tt.in
			}
			if got := RedactText(tt.in); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func TestRedactHeader(t *testing.T) {
	in := map[string][]string{
		"Authorization":        {"Bearer abc", "abc", "abc def", "AWS4-HMAC-SHA256 Credential=a, Signature=b", ""},
		"Proxy-Authorization":  {"basic dTpw"},
		"Cookie":               {"a=b; c=d"},
		"Set-Cookie":           {"a=b; Path=/"},
		"X-Api-Key":            {"abc"},
		"x-auth-token":         {"abc"},
		"Private-Token":        {"abc"},
		"Job-Token":            {"abc"},
		"Npm-Otp":              {"123456"},
		"X-Amz-Security-Token": {"abc"},
		"X-Nuget-Apikey":       {"abc"},
		"Location":             {"https://u:p@ok.test/cb?code=abc&x=1"},
		"Referer":              {"https://ok.test/?access_token=abc"},
		"X-Debug":              {"seen " + github, "fine"},
		"Etag":                 {`"` + hex64 + `"`},
		"Www-Authenticate":     {`Bearer realm="https://ok.test/auth",service="ok.test"`},
		"Sec-Websocket-Key":    {"dGhlIHNhbXBsZSBub25jZQ=="},
		"User-Agent":           {"npm/11.0.0 node/v24.0.0 linux x64"},
		"Empty":                {},
	}
	want := map[string][]string{
		"Authorization":        {"Bearer REDACTED", "REDACTED", "REDACTED", "AWS4-HMAC-SHA256 REDACTED", ""},
		"Proxy-Authorization":  {"basic REDACTED"},
		"Cookie":               {"REDACTED"},
		"Set-Cookie":           {"REDACTED"},
		"X-Api-Key":            {"REDACTED"},
		"x-auth-token":         {"REDACTED"},
		"Private-Token":        {"REDACTED"},
		"Job-Token":            {"REDACTED"},
		"Npm-Otp":              {"REDACTED"},
		"X-Amz-Security-Token": {"REDACTED"},
		"X-Nuget-Apikey":       {"REDACTED"},
		"Location":             {"https://u:REDACTED@ok.test/cb?code=REDACTED&x=1"},
		"Referer":              {"https://ok.test/?access_token=REDACTED"},
		"X-Debug":              {"seen REDACTED", "fine"},
		"Etag":                 {`"` + hex64 + `"`},
		"Www-Authenticate":     {`Bearer realm="https://ok.test/auth",service="ok.test"`},
		"Sec-Websocket-Key":    {"dGhlIHNhbXBsZSBub25jZQ=="},
		"User-Agent":           {"npm/11.0.0 node/v24.0.0 linux x64"},
		"Empty":                {},
	}
	got := RedactHeader(in)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if in["Cookie"][0] != "a=b; c=d" {
		t.Error("the request's own header was changed")
	}
	got["User-Agent"][0] = "changed"
	if in["User-Agent"][0] == "changed" {
		t.Error("the copy shares its values")
	}
	if RedactHeader(nil) != nil {
		t.Error("nil became a map")
	}
}
