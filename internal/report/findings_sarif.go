package report

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"slices"

	"github.com/juliendoutre/proxaudit/policy"
)

// SARIF is the Static Analysis Results Interchange Format, version 2.1.0 (OASIS),
// as far as findings need it. The libraries that exist bring the whole format
// with its templates and a schema of their own; these are the few objects that
// code scanners read.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID string `json:"id"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
	// Suppressions are there even where there are none: absent, nobody would know.
	Suppressions []policy.Suppression `json:"suppressions"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

func findingsSARIF(w io.Writer, version string, found []policy.Finding) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "proxaudit", Version: version, InformationURI: "https://github.com/juliendoutre/proxaudit", Rules: []sarifRule{},
		}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	for _, f := range found {
		rule := slices.Index(run.Tool.Driver.Rules, sarifRule{f.ID})
		if rule < 0 {
			rule = len(run.Tool.Driver.Rules)
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{f.ID})
		}
		run.Results = append(run.Results, sarifOf(f, rule))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

func sarifOf(f policy.Finding, rule int) sarifResult {
	text := f.Message
	if f.Mend != "" {
		text += "\n" + f.Mend
	}
	place := sarifPhysical{Artifact: sarifArtifact{artifactURI(f.File)}}
	if f.Line > 0 {
		place.Region = &sarifRegion{f.Line, f.Column}
	}
	return sarifResult{f.ID, rule, f.Severity.String(), sarifText{text}, []sarifLocation{{place}}, append([]policy.Suppression{}, f.Suppressions...)}
}

// artifactURI returns a relative reference for a relative path (RFC 3986 section
// 4.2), so that it means the same in the repository, and a file URI else.
func artifactURI(file string) string {
	u := url.URL{Path: filepath.ToSlash(file)}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
	}
	return u.String()
}
