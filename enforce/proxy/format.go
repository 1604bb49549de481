package proxy

import (
	"encoding/json"
	"net/http"
	"strings"
)

// inFormatOf returns text as the client that asked with r reads it out to people,
// where its protocol has a format for errors, with the content type; any other gets
// the text. What the client may say decides how it is told, and nothing else.
func inFormatOf(r *http.Request, status int, text string) (contentType, body string) {
	switch {
	case isDistribution(r.URL.Path):
		return "application/json", asJSON(map[string]any{"errors": []any{map[string]string{"code": distributionCode(status), "message": strings.TrimSpace(text)}}})
	case strings.HasPrefix(r.UserAgent(), "Composer/"):
		// Printed where the type is exactly this one, and as markup of Symfony's
		// console (Composer\Util\HttpDownloader::outputWarnings).
		return "application/json", asJSON(map[string]string{"warning": strings.ReplaceAll(strings.TrimSpace(text), "<", `\<`)})
	default:
		return "text/plain; charset=utf-8", text
	}
}

// isDistribution reports whether a path is one of the API of a registry of images
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints).
func isDistribution(path string) bool {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok || rest == "" {
		return ok
	}
	for _, kind := range [...]string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if strings.Contains(rest, kind) {
			return true
		}
	}
	return false
}

// distributionCode is the code for a status, of those in the specification or, for a
// failure, in its reference implementation (distribution/registry/api/errcode).
func distributionCode(status int) string {
	switch {
	case status >= http.StatusInternalServerError:
		return "UNAVAILABLE"
	case status == http.StatusForbidden:
		return "DENIED"
	default:
		return "UNSUPPORTED"
	}
}

// asJSON writes v, in which every text is printable already.
func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "{}" // text is text
	}
	return string(b) + "\n"
}
