package enforce

// Tee returns a Recorder that hands each event to all of rs, in order, and
// returns the first error. One that fails does not keep the event from the
// others.
func Tee(rs ...Recorder) Recorder { return tee(append([]Recorder(nil), rs...)) }

type tee []Recorder

// Record implements Recorder.
func (t tee) Record(ev Event) error {
	var first error
	for _, r := range t {
		if err := r.Record(ev); err != nil && first == nil {
			first = err
		}
	}
	return first
}
