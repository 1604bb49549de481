package attack

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

//go:embed corpus.yaml
var corpus []byte

// incident is an entry of the corpus.
type incident struct {
	Incident string
	Date     string
	Requests []struct {
		Class   Class
		Request string
		Headers map[string]string
		Body    string
		Note    string
	}
}

// Corpus returns the requests of the corpus with what the scope names in the
// place of its placeholders, and those of class c, which have no URL. A request
// to a registry of a kind that the scope does not name is left out: there is no
// such host to ask.
func Corpus(s Scope) []Request {
	incidents, err := parseCorpus(corpus)
	if err != nil {
		panic("attack: " + err.Error()) // a test reads it
	}
	f := newFiller(s)
	var out []Request
	for _, i := range incidents {
		for _, r := range i.Requests {
			one := Request{Incident: i.Incident, Date: i.Date, Class: r.Class, Body: r.Body, Note: r.Note}
			for name, value := range r.Headers {
				if one.Header == nil {
					one.Header = map[string][]string{}
				}
				one.Header[name] = []string{value}
			}
			if r.Request == "" {
				out = append(out, one)
				continue
			}
			method, url, _ := strings.Cut(r.Request, " ")
			for _, filled := range f.fill(url) {
				one.Method, one.URL = method, filled
				out = append(out, one)
			}
		}
	}
	return out
}

// parseCorpus reads the data file, and finds in it what would be passed over in
// silence.
func parseCorpus(data []byte) ([]incident, error) {
	var all []incident
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("corpus.yaml: %w", err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("corpus.yaml: more than one document")
	}
	for _, i := range all {
		if i.Incident == "" || len(i.Requests) == 0 {
			return nil, errors.New("corpus.yaml: an incident without a name, or without a request")
		}
		for _, r := range i.Requests {
			method, url, _ := strings.Cut(r.Request, " ")
			switch {
			case !slices.Contains([]Class{Unknown, Misuse, Unseen}, r.Class):
				return nil, fmt.Errorf("corpus.yaml: %s: class %q is none of a, b, c", i.Incident, r.Class)
			case r.Class == Unseen && (r.Request != "" || r.Note == ""):
				return nil, fmt.Errorf("corpus.yaml: %s: class c has no request, and a note that says why", i.Incident)
			case r.Class != Unseen && (strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || !strings.Contains(url, "/")):
				return nil, fmt.Errorf("corpus.yaml: %s: %q is no method and URL", i.Incident, r.Request)
			}
		}
	}
	return all, nil
}
