package rego

import (
	"fmt"
	"path"
	"strings"
)

// data merges the documents of a source into one tree. Folder names are keys,
// as in OPA; two documents that give one key different values are an error.
func (s *source) data() (map[string]any, error) {
	root := map[string]any{}
	for _, f := range s.files {
		if f.isModule() {
			continue
		}
		var value any
		var err error
		if path.Ext(f.name) == ".json" {
			value, err = parseJSON(f.path, f.data)
		} else {
			value, err = parseYAML(f.path, f.data)
		}
		if err != nil {
			return nil, err
		}
		if err := merge(root, f, value); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// merge puts value into root below the keys of the folders f lies in.
func merge(root map[string]any, f file, value any) error {
	if folder := path.Dir(f.name); folder != "." {
		keys := strings.Split(folder, "/")
		for i := len(keys) - 1; i >= 0; i-- {
			value = map[string]any{keys[i]: value}
		}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return fault(f.path, nil, "the document is no object", "put it below a key, or into a folder that names it")
	}
	return mergeObjects(root, object, f.path, "data")
}

func mergeObjects(into, from map[string]any, file, at string) error {
	for key, value := range from {
		old, exists := into[key]
		if !exists {
			into[key] = value
			continue
		}
		oldObject, ok1 := old.(map[string]any)
		newObject, ok2 := value.(map[string]any)
		if !ok1 || !ok2 {
			return fault(file, nil, fmt.Sprintf("%s.%s is given by another file too", at, key), "keep one of the two")
		}
		if err := mergeObjects(oldObject, newObject, file, at+"."+key); err != nil {
			return err
		}
	}
	return nil
}
