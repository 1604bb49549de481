package mounts

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// browserDirs are where Chromium and what is built from it look for the machine's
// policies. It has roots of its own and reads no store of the system, but trusts
// what the policy CACertificates lists, from version 128 on
// (https://chromeenterprise.google/policies/#CACertificates).
var browserDirs = []string{"/etc/chromium", "/etc/chromium-browser", "/etc/opt/chrome", "/etc/opt/edge", "/etc/brave"}

const (
	managed = "policies/managed"
	// browserFile comes after others: of two files that set a policy the last one
	// by name counts (ConfigDirPolicyLoader).
	browserFile = "zz-proxaudit.json"
)

// browser prepares a directory of policies with one that names the certificate,
// and those that another policy there named.
func (s *stores) browser(dir string) error {
	layer, err := s.layer()
	if err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(dir, managed, "*.json"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	certs := []string{}
	for _, name := range names {
		var policy struct{ CACertificates []string }
		if data, err := os.ReadFile(name); err == nil && json.Unmarshal(data, &policy) == nil && policy.CACertificates != nil {
			certs = policy.CACertificates
		}
	}
	certs = append(certs, base64.StdEncoding.EncodeToString(s.cert.Raw))
	data, err := json.Marshal(map[string][]string{"CACertificates": certs})
	if err != nil {
		return fmt.Errorf("write a browser's policy: %w", err)
	}
	if err := writeUnder(layer, filepath.Join(managed, browserFile), data); err != nil {
		return err
	}
	s.layers[dir] = layer
	s.dirs = append(s.dirs, dir)
	return nil
}
