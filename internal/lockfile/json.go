package lockfile

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonReader reads JSON token by token, and knows where it is. A name that an
// object has twice is an error: clients differ in which of both they take.
type jsonReader struct {
	*reader
	*jsontext.Decoder
}

func (r *reader) json() *jsonReader {
	return &jsonReader{r, jsontext.NewDecoder(bytes.NewBuffer(bytes.TrimPrefix(r.data, []byte("\ufeff"))))}
}

// document reads the whole file: one object, with what is to be done for each of
// its members.
func (j *jsonReader) document(member func(key string, line int) error) error {
	if err := j.object(member); err != nil {
		return err
	}
	if _, err := j.ReadToken(); !errors.Is(err, io.EOF) {
		return j.fail(int(j.InputOffset()), "something follows the end of the JSON object")
	}
	return nil
}

// object reads an object, calling member for each of its members before the value
// is read; member has to read or skip that. Anything else than an object is
// skipped.
func (j *jsonReader) object(member func(key string, line int) error) error {
	if j.PeekKind() != '{' {
		if j.StackDepth() == 0 {
			_, err := j.ReadToken()
			if err != nil {
				return j.broken(err)
			}
			return j.fail(int(j.InputOffset())-1, "it is no JSON object")
		}
		return j.skip()
	}
	if _, err := j.ReadToken(); err != nil {
		return j.broken(err)
	}
	if j.StackDepth() > 2*maxDepth {
		return j.fail(int(j.InputOffset()), "it is nested more than %d deep", maxDepth)
	}
	for j.PeekKind() != '}' {
		key, err := j.ReadToken()
		if err != nil {
			return j.broken(err)
		}
		name := key.String()
		if err := member(name, j.lineAt(int(j.InputOffset()))); err != nil {
			return err
		}
	}
	_, err := j.ReadToken()
	return j.broken(err)
}

// array reads an array, calling element before each of its elements.
func (j *jsonReader) array(element func() error) error {
	if j.PeekKind() != '[' {
		return j.skip()
	}
	if _, err := j.ReadToken(); err != nil {
		return j.broken(err)
	}
	for j.PeekKind() != ']' {
		before := j.InputOffset()
		if err := element(); err != nil {
			return err
		}
		if j.InputOffset() == before {
			return j.skip() // the mistake that is there
		}
	}
	_, err := j.ReadToken()
	return j.broken(err)
}

// text reads a string. Anything else is skipped and gives "".
func (j *jsonReader) text(to *string) error {
	if j.PeekKind() != '"' {
		return j.skip()
	}
	t, err := j.ReadToken()
	if err != nil {
		return j.broken(err)
	}
	*to = t.String()
	return nil
}

// truth reads a boolean.
func (j *jsonReader) truth(to *bool) error {
	*to = j.PeekKind() == 't'
	return j.skip()
}

func (j *jsonReader) skip() error {
	return j.broken(j.SkipValue())
}

// broken gives a mistake of the file its place.
func (j *jsonReader) broken(err error) error {
	if err == nil {
		return nil
	}
	offset, why := int(j.InputOffset()), err.Error()
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		offset, why = int(syntax.ByteOffset), syntax.Err.Error()
	} else if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		why = "it ends in the middle"
	}
	return j.fail(offset, "it is not JSON: %s", strings.TrimPrefix(why, "jsontext: "))
}
