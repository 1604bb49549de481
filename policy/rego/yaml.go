package rego

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"gopkg.in/yaml.v3"
)

// parseYAML parses one YAML document into what JSON can say. Duplicate keys, a
// second document, aliases and keys that are no strings are errors; a date
// stays the text it was written as.
func parseYAML(file string, data []byte) (any, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if err == io.EOF {
			return nil, fault(file, nil, "the document is empty", "remove the file, or write {} into it")
		}
		return nil, fault(file, nil, err.Error(), "")
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err != io.EOF {
		return nil, fault(file, nil, "there is a second document", "put it into a file of its own")
	}
	r := yamlReader{file}
	return r.value(document.Content[0], 0)
}

type yamlReader struct{ file string }

func (r yamlReader) fault(n *yaml.Node, message, hint string) error {
	return fault(r.file, &ast.Location{Row: n.Line, Col: n.Column}, message, hint)
}

func (r yamlReader) value(n *yaml.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, r.fault(n, fmt.Sprintf("nested deeper than %d", maxDepth), "")
	}
	switch n.Kind {
	case yaml.MappingNode:
		return r.object(n, depth)
	case yaml.SequenceNode:
		array := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			value, err := r.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			array = append(array, value)
		}
		return array, nil
	case yaml.ScalarNode:
		return r.scalar(n)
	default:
		return nil, r.fault(n, "aliases are not read", "write the value out")
	}
}

func (r yamlReader) object(n *yaml.Node, depth int) (any, error) {
	object := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return nil, r.fault(key, "the key is no string", "put it in quotes")
		}
		if _, twice := object[key.Value]; twice {
			return nil, r.fault(key, fmt.Sprintf("the key %q is there twice", key.Value), "")
		}
		value, err := r.value(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		object[key.Value] = value
	}
	return object, nil
}

func (r yamlReader) scalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!null":
		return nil, nil
	case "!!bool":
		var v bool
		if err := n.Decode(&v); err != nil {
			return nil, r.fault(n, err.Error(), "")
		}
		return v, nil
	case "!!int":
		return r.integer(n)
	case "!!float":
		var v float64
		if err := n.Decode(&v); err != nil {
			return nil, r.fault(n, err.Error(), "")
		}
		text, err := json.Marshal(v) // refuses .inf and .nan
		if err != nil {
			return nil, r.fault(n, n.Value+" is no number in Rego", "put it in quotes if it is text")
		}
		return json.Number(text), nil
	default:
		return nil, r.fault(n, n.ShortTag()+" is no type of Rego", "write a string, a number, a boolean or null")
	}
}

func (r yamlReader) integer(n *yaml.Node) (any, error) {
	var signed int64
	if n.Decode(&signed) == nil {
		return json.Number(strconv.FormatInt(signed, 10)), nil
	}
	var unsigned uint64
	if err := n.Decode(&unsigned); err != nil {
		return nil, r.fault(n, n.Value+" is no integer of 64 bits", "put it in quotes if it is text")
	}
	return json.Number(strconv.FormatUint(unsigned, 10)), nil
}
