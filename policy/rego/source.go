package rego

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// source is what was read from a policy's path, all of it, once.
type source struct {
	path  string
	files []file
	hash  string
}

// file is one file of a policy.
type file struct {
	// name is relative to the policy's path and has slashes.
	name string
	// path is what messages call it.
	path string
	data []byte
}

func (f file) isModule() bool { return strings.HasSuffix(f.name, ".rego") }

// relative returns the name of the file that messages call path.
func (s *source) relative(path string) string {
	for _, f := range s.files {
		if f.path == path {
			return f.name
		}
	}
	return path
}

// read reads the policy at path: a file, a folder or a bundle.
func read(ctx context.Context, path string, key *Key) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	switch {
	case info.IsDir():
		return readFolder(ctx, path)
	case strings.HasSuffix(path, ".rego"):
		return readModule(path)
	case strings.HasSuffix(path, ".tar.gz"), strings.HasSuffix(path, ".tgz"):
		return readBundle(ctx, path, key)
	default:
		return nil, fault(path, nil, "this is no Rego policy", "give a .rego file, a folder or a bundle (.tar.gz)")
	}
}

// Digest returns what Hash would return for the policy at path, and looks at
// nothing but its bytes: to learn whether a policy has changed.
func Digest(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read the policy: %w", err)
	}
	if info.IsDir() {
		src, err := readFolder(ctx, path)
		if err != nil {
			return "", err
		}
		return src.hash, nil
	}
	budget := int64(MaxBytes)
	data, err := readFile(path, &budget)
	if err != nil {
		return "", err
	}
	return digest(data), nil
}

func readModule(path string) (*source, error) {
	budget := int64(MaxBytes)
	data, err := readFile(path, &budget)
	if err != nil {
		return nil, err
	}
	name := path[strings.LastIndexAny(path, "/"+string(os.PathSeparator))+1:]
	return &source{
		path:  path,
		files: []file{{name: name, path: path, data: data}},
		hash:  digest(data),
	}, nil
}

// readFile reads a regular file and takes its size off the budget.
func readFile(path string, budget *int64) ([]byte, error) {
	// Asked before opening: opening a FIFO would wait for someone to write.
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fault(path, nil, "not a regular file", "")
	}
	if info.Size() > *budget {
		return nil, tooLarge(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := readAll(f, budget)
	if errors.Is(err, errBudget) {
		return nil, tooLarge(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	return data, nil
}

var errBudget = errors.New("too large")

// readAll reads r to its end, unless that takes more than the budget.
func readAll(r io.Reader, budget *int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, *budget+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > *budget {
		return nil, errBudget
	}
	*budget -= int64(len(data))
	return data, nil
}

func tooLarge(path string) error {
	return fault(path, nil, fmt.Sprintf("the policy is larger than %d MiB", MaxBytes>>20), "make the data smaller, or split the run")
}

// digest returns the SHA-256 of data as Hash gives it.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
