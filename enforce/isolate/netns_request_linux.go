package isolate

import (
	"errors"
	"os"
	"sync"

	"github.com/juliendoutre/proxaudit/enforce/isolate/control"
)

// requests asks the jail's first process for files, one request at a time: an
// answer belongs to the last one. It works while Run does.
type requests struct {
	ctl     *control.Conn
	mu      sync.Mutex
	answers chan response
	ended   chan struct{} // closed when the run is over
}

type response struct {
	files []*os.File
	err   error
}

func newRequests(ctl *control.Conn, ended chan struct{}) *requests {
	return &requests{ctl: ctl, answers: make(chan response), ended: ended}
}

// ask returns the files of the answer, of which there are want.
func (r *requests) ask(m message, want int) ([]*os.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ctl.Send(m); err != nil {
		return nil, err
	}
	select {
	case a := <-r.answers:
		if len(a.files) != want {
			closeFiles(a.files)
			return nil, a.err
		}
		return a.files, nil
	case <-r.ended:
		return nil, errGone
	}
}

// deliver passes an answer on.
func (r *requests) deliver(m message, files []*os.File) {
	select {
	case r.answers <- response{files, errors.New(m.Text)}:
	case <-r.ended:
		closeFiles(files)
	}
}
