package spelling

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"host", "methods", "paths", "ws"}
	for word, want := range map[string]string{
		"hots": "host", "HOST": "host", "method": "methods", "path": "paths", "pahts": "paths",
		"vs": "ws", "was": "ws", "xy": "", "domain": "", "": "", "hosts and more": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
