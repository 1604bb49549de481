package control

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzReceive: whatever datagram comes out of a jail, with however many files,
// Receive reads it as encoding/json does or refuses it, and no descriptor is left
// that the caller does not hold.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"step":"lo"}`), uint8(0), uint8(0))
	f.Add([]byte(`{"step":"lo"}`), uint8(3), uint8(0))
	f.Add([]byte(`null`), uint8(maxFiles), uint8(0))
	f.Add([]byte(`{"step":"x"} {}`), uint8(maxFiles+1), uint8(0))
	f.Add([]byte(`[`), uint8(2), uint8(0))
	f.Add([]byte(`{"step":1e999}`), uint8(1), uint8(0))
	f.Add(make([]byte, maxMessage+1), uint8(200), uint8(0))
	f.Add([]byte(`{}`), uint8(1), uint8(1))
	// What is cut off may be whole JSON, with some of its files.
	f.Add([]byte(`{}`), uint8(maxFiles+1), uint8(0))
	f.Add(append([]byte(`{}`), bytes.Repeat([]byte(" "), maxMessage)...), uint8(0), uint8(0))
	f.Add(append([]byte(`{}`), bytes.Repeat([]byte(" "), maxMessage-1)...), uint8(0), uint8(0)) // one too many
	f.Add(append([]byte(`{}`), bytes.Repeat([]byte(" "), maxMessage-2)...), uint8(0), uint8(0)) // just not
	f.Fuzz(func(t *testing.T, data []byte, count, credentials uint8) {
		if len(data) == 0 || len(data) > 2*maxMessage || count > 250 {
			return
		}
		near, far, err := Pair()
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		defer far.Close()
		// What is sent is a file of which there is no other descriptor.
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var rights []byte
		if count > 0 {
			fds := make([]int, count)
			for i := range fds {
				fds[i] = int(w.Fd())
			}
			rights = unix.UnixRights(fds...)
		}
		if credentials%2 == 1 {
			rights = append(rights, unix.UnixCredentials(&unix.Ucred{Pid: int32(os.Getpid())})...)
		}
		if err := unix.Sendmsg(int(far.Fd()), data, rights, nil, 0); err != nil {
			w.Close()
			return
		}
		w.Close()
		type message struct{ Step string }
		var got, want message
		files, err := near.Receive(&got)
		wantErr := json.Unmarshal(data, &want)
		switch {
		case err != nil && len(files) != 0:
			t.Fatalf("%d files and %v", len(files), err)
		case err == nil && (wantErr != nil || len(data) > maxMessage || int(count) != len(files) || !reflect.DeepEqual(got, want)):
			t.Fatalf("%q with %d files was read as %+v with %d (json: %+v, %v)", data, count, got, len(files), want, wantErr)
		case err != nil && wantErr == nil && len(data) <= maxMessage && count <= maxFiles && credentials%2 == 0:
			t.Fatalf("%q with %d files was refused: %v", data, count, err)
		}
		closeAll(files)
		// The pipe has an end only when every descriptor of it is closed.
		end := int(r.Fd())
		if err := unix.SetNonblock(end, true); err != nil {
			t.Fatal(err)
		}
		if n, err := unix.Read(end, make([]byte, 1)); n != 0 || err != nil {
			t.Fatalf("%q with %d files: a descriptor is left (%d, %v)", data, count, n, err)
		}
	})
}
