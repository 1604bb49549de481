package rego

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxDepth bounds how deep a document may nest.
const maxDepth = 200

// parseJSON parses one JSON value. Unlike encoding/json it refuses an object
// that has a key twice (RFC 8259 section 4 leaves open which one counts).
// Numbers stay json.Number.
func parseJSON(file string, data []byte) (any, error) {
	// A byte order mark may be ignored (RFC 8259 section 8.1).
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	// The syntax is checked first and as a whole: a Decoder gives no offsets
	// that count from the beginning.
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		offset := int64(len(data))
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			offset = syntax.Offset
		}
		return nil, fault(file, position(data, offset), err.Error(), "")
	}
	r := &jsonReader{json.NewDecoder(bytes.NewReader(data))}
	r.UseNumber()
	value, err := r.value(0)
	if err != nil {
		return nil, fault(file, position(data, r.InputOffset()), err.Error(), "")
	}
	return value, nil
}

type jsonReader struct{ *json.Decoder }

func (r *jsonReader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := r.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return r.object(depth)
	case json.Delim('['):
		return r.array(depth)
	}
	if number, ok := token.(json.Number); ok {
		if _, err := ast.NumberChecked(string(number)); err != nil {
			return nil, fmt.Errorf("%.40s is no number in Rego: %w", number, err)
		}
	}
	return token, nil
}

func (r *jsonReader) object(depth int) (any, error) {
	object := map[string]any{}
	for r.More() {
		token, err := r.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("%v is no key", token)
		}
		if _, twice := object[key]; twice {
			return nil, fmt.Errorf("the key %q is there twice", key)
		}
		if object[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := r.Token()
	return object, err
}

func (r *jsonReader) array(depth int) (any, error) {
	array := []any{}
	for r.More() {
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := r.Token()
	return array, err
}

// position returns the line and column of the byte before offset.
func position(data []byte, offset int64) *ast.Location {
	before := data[:min(max(offset-1, 0), int64(len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
	return &ast.Location{Row: line, Col: column}
}
