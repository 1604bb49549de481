package lockfile

import (
	"errors"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// table is one table of a TOML file, without those below it.
type table struct {
	// name is its key, with dots between the parts.
	name   string
	line   int
	fields fields
}

// fields are the keys of a table and their values. There are few of them, so they
// are looked through, and a key that is there twice has its last value.
type fields []member

type member struct {
	key string
	value
}

func (f fields) get(key string) value {
	for _, one := range slices.Backward(f) {
		if one.key == key {
			return one.value
		}
	}
	return value{}
}

// value is a value as far as lockfiles need it: a string, a list or a table.
// Anything else is empty.
type value struct {
	text   string
	list   []value
	fields fields
}

// tables calls each for every table of the file, the one without a name first.
// The parser gives places, which a decoder into structs does not; its interface
// may change between minor versions, and go.mod names one.
func (r *reader) tables(each func(*table) error) error {
	var p unstable.Parser
	p.Reset(r.data)
	t := &table{line: 1}
	for p.NextExpression() {
		n := p.Expression()
		switch n.Kind {
		case unstable.Table, unstable.ArrayTable:
			if err := each(t); err != nil {
				return err
			}
			key := n.Key()
			t = &table{fields: make(fields, 0, 6), line: r.lineAt(int(n.Child().Raw.Offset)), name: dotted(key)}
		case unstable.KeyValue:
			t.fields = append(t.fields, member{dotted(n.Key()), valueOf(n.Value(), 0)})
		}
	}
	if err := p.Error(); err != nil {
		return r.badTOML(&p, err)
	}
	return each(t)
}

func (r *reader) badTOML(p *unstable.Parser, err error) error {
	var pe *unstable.ParserError
	offset := -1
	if errors.As(err, &pe) {
		// Range panics on what is no part of the file.
		func() {
			defer func() { _ = recover() }()
			offset = int(p.Range(pe.Highlight).Offset)
		}()
		return r.fail(offset, "it is not TOML: %s", pe.Message)
	}
	return r.fail(offset, "it is not TOML: %v", err)
}

func dotted(key unstable.Iterator) string {
	var parts []string
	for key.Next() {
		parts = append(parts, string(key.Node().Data))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return strings.Join(parts, ".")
}

func valueOf(n *unstable.Node, depth int) value {
	var v value
	if depth > maxDepth {
		return v
	}
	children := n.Children()
	switch n.Kind {
	case unstable.String:
		v.text = string(n.Data)
	case unstable.Array:
		for children.Next() {
			v.list = append(v.list, valueOf(children.Node(), depth+1))
		}
	case unstable.InlineTable:
		v.fields = make(fields, 0, 3)
		for children.Next() {
			if kv := children.Node(); kv.Kind == unstable.KeyValue {
				v.fields = append(v.fields, member{dotted(kv.Key()), valueOf(kv.Value(), depth+1)})
			}
		}
	}
	return v
}
