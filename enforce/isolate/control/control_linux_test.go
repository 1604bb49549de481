package control

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func pair(t *testing.T) (near, far *Conn) {
	t.Helper()
	near, f, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	far, err = FromFile(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func TestMessageCarriesFiles(t *testing.T) {
	near, far := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := near.Send(map[string]string{"step": "lo"}, w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	var got map[string]string
	files, err := far.Receive(&got)
	if err != nil || got["step"] != "lo" || len(files) != 1 {
		t.Fatalf("got %v, %d files, %v", got, len(files), err)
	}
	flags, err := unix.FcntlInt(files[0].Fd(), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the received file survives exec (flags %#x, %v)", flags, err)
	}
	io.WriteString(files[0], "through")
	files[0].Close()
	data, _ := io.ReadAll(r)
	if string(data) != "through" {
		t.Errorf("read %q from the pipe that was sent", data)
	}
}

func TestReceiveAfterTheOtherSideIsGone(t *testing.T) {
	near, far := pair(t)
	far.Close()
	if _, err := near.Receive(new(int)); !errors.Is(err, ErrClosed) {
		t.Errorf("Receive: %v, want ErrClosed", err)
	}
	if err := near.Send(1); !errors.Is(err, ErrClosed) {
		t.Errorf("Send: %v, want ErrClosed", err)
	}
}

func TestTooLongAMessageIsAnError(t *testing.T) {
	near, _ := pair(t)
	if err := near.Send(strings.Repeat("x", maxMessage)); err == nil {
		t.Error("a message over the bound was sent")
	}
}

func TestBlobHoldsWhatAMessageCannot(t *testing.T) {
	want := [][]byte{[]byte(strings.Repeat("x", 1<<20)), {0xff, 0xfe, 'a'}}
	f, err := Blob(want)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	if err := ReadBlob(f, &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || string(got[0]) != string(want[0]) || string(got[1]) != string(want[1]) {
		t.Error("the blob came back changed")
	}
}
