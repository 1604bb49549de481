package rego

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
)

// readBundle reads an OPA bundle: https://www.openpolicyagent.org/docs/management-bundles.
// The archive is read here and not by OPA's loader, which bounds each file but
// not their sum, and keeps the last of two files of one name.
func readBundle(ctx context.Context, name string, key *Key) (*source, error) {
	packed := int64(MaxBytes)
	data, err := readFile(name, &packed)
	if err != nil {
		return nil, err
	}
	return unpack(ctx, name, data, key)
}

// unpack reads the bundle in data, which messages call name.
func unpack(ctx context.Context, name string, data []byte, key *Key) (*source, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fault(name, nil, "not a gzip file: "+err.Error(), "make it with `opa build`")
	}
	b := &archive{path: name, seen: map[string]bool{}}
	budget := int64(MaxBytes)
	if err := b.read(ctx, tar.NewReader(&bounded{unzipped, &budget})); err != nil {
		return nil, err
	}
	switch {
	case key != nil:
		if err := key.verify(b); err != nil {
			return nil, err
		}
	case b.signatures != nil:
		return nil, fault(name, nil, "the bundle is signed, and no key was given to check it",
			"name the public key with -bundle-key")
	}
	return &source{path: name, files: b.files, hash: digest(data)}, nil
}

// bounded fails with errBudget when more is read than the budget holds: an
// archive of a few kilobytes can unpack to anything.
type bounded struct {
	r      io.Reader
	budget *int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if *b.budget -= int64(n); *b.budget < 0 {
		return 0, errBudget
	}
	return n, err
}

// archive is a bundle being read.
type archive struct {
	path  string
	seen  map[string]bool
	files []file // of the policy
	all   []file // but the signatures
	// signatures is the signatures file, nil where there is none.
	signatures []byte
}

func (b *archive) read(ctx context.Context, r *tar.Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read the policy: %w", err)
		}
		header, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = b.entry(header, r)
		}
		if errors.Is(err, errBudget) {
			return tooLarge(b.path)
		}
		if list, ok := errors.AsType[Errors](err); ok {
			return list
		}
		if err != nil {
			return fault(b.path, nil, "read the archive: "+err.Error(), "make it anew with `opa build`")
		}
	}
}

func (b *archive) entry(header *tar.Header, r io.Reader) error {
	name := inArchive(header.Name)
	full := b.path + "/" + name
	switch header.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeReg:
	default:
		return fault(full, nil, "not a regular file", "make the bundle with `opa build`, which follows links")
	}
	if b.seen[name] {
		return fault(full, nil, "the archive holds this file twice", "make it anew with `opa build`")
	}
	b.seen[name] = true
	keep, err := inBundle(full, name)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	f := file{name: name, path: full, data: data}
	if bundle.IsSignaturesFile(name) {
		if b.signatures != nil {
			return fault(full, nil, "the archive holds signatures twice", "sign it anew with `opa sign`")
		}
		b.signatures = data
		return nil
	}
	b.all = append(b.all, f)
	if keep {
		b.files = append(b.files, f)
	}
	return nil
}

// inArchive returns the name of a file below the top of its bundle.
func inArchive(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// inBundle reports whether a file of a bundle is a part of the policy, and
// refuses parts that would have to be obeyed and cannot be.
func inBundle(full, name string) (bool, error) {
	base := path.Base(name)
	switch {
	case name == "patch.json":
		return false, fault(full, nil, "a delta bundle is not a whole policy", "give a snapshot bundle")
	case strings.HasSuffix(base, ".wasm"):
		return false, fault(full, nil, "compiled policies are not run", "make the bundle with `opa build -t rego`")
	case strings.HasPrefix(base, "."):
		return false, nil
	case base == "data.json", base == "data.yaml", base == "data.yml":
		return true, nil
	default:
		return strings.HasSuffix(base, ".rego") && wanted(name), nil
	}
}
