package rego

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// readFolder reads the modules and the data of a folder and of all below it.
func readFolder(ctx context.Context, root string) (*source, error) {
	w := &walk{root: root, budget: MaxBytes}
	if err := w.folder(ctx, ""); err != nil {
		return nil, err
	}
	slices.SortFunc(w.files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	var list strings.Builder
	for _, f := range w.files {
		fmt.Fprintf(&list, "%s  %s\n", strings.TrimPrefix(digest(f.data), "sha256:"), f.name)
	}
	return &source{path: root, files: w.files, hash: digest([]byte(list.String()))}, nil
}

// walk is a folder being read.
type walk struct {
	root   string
	budget int64
	files  []file
}

// folder reads the folder called name, relative to the root. What it does not
// read it must be sure to be no part of the policy: a rule that is passed over
// might be the one that denies.
func (w *walk) folder(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("read the policy: %w", err)
	}
	entries, err := os.ReadDir(filepath.Join(w.root, filepath.FromSlash(name)))
	if err != nil {
		return fmt.Errorf("read the policy: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := w.entry(ctx, path.Join(name, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(ctx context.Context, name string, e os.DirEntry) error {
	if e.IsDir() {
		return w.folder(ctx, name)
	}
	full := filepath.Join(w.root, filepath.FromSlash(name))
	if e.Type()&os.ModeSymlink != 0 {
		info, err := os.Stat(full) // fails on a loop
		if err != nil {
			return fmt.Errorf("read the policy: %w", err)
		}
		if info.IsDir() {
			return fault(full, nil, "a symbolic link to a folder is not followed", "put the folder itself there, or remove the link")
		}
	}
	if !wanted(name) {
		return nil
	}
	data, err := readFile(full, &w.budget)
	if err != nil {
		return err
	}
	w.files = append(w.files, file{name: name, path: full, data: data})
	return nil
}

// wanted reports whether a file of a folder is part of the policy.
func wanted(name string) bool {
	switch path.Ext(name) {
	case ".rego":
		return !strings.HasSuffix(name, "_test.rego")
	case ".json", ".yaml", ".yml":
		return true
	default:
		return false
	}
}
