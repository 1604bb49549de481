package enforce_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/juliendoutre/proxaudit/enforce"
)

// recorderFunc is a function used as a Recorder.
type recorderFunc func(enforce.Event) error

func (f recorderFunc) Record(ev enforce.Event) error { return f(ev) }

func TestTee(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	var got []string
	sink := func(name string, err error) enforce.Recorder {
		return recorderFunc(func(ev enforce.Event) error {
			got = append(got, name+ev.ID)
			return err
		})
	}
	err := enforce.Tee(sink("a", nil), sink("b", first), sink("c", second)).Record(event("/"))
	if err != first {
		t.Errorf("got %v, want %v", err, first)
	}
	if diff := cmp.Diff([]string{"a1", "b1", "c1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := enforce.Tee(sink("a", nil)).Record(event("/")); err != nil {
		t.Error(err)
	}
}
