package clientenv

import (
	"os"
	"testing"
)

// BenchmarkRun is what a run pays before the command starts.
func BenchmarkRun(b *testing.B) {
	ca := newAuthority(b)
	outer := os.Environ()
	for b.Loop() {
		t, err := ReadRoots(outer).Write(outer, ca.pem)
		if err != nil {
			b.Fatal(err)
		}
		Environ(outer, "http://127.0.0.1:8000", t)
		b.StopTimer()
		if err := t.Remove(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkReadRoots(b *testing.B) {
	outer := os.Environ()
	for b.Loop() {
		ReadRoots(outer)
	}
}

func BenchmarkPool(b *testing.B) {
	r := ReadRoots(os.Environ())
	for b.Loop() {
		r.Pool()
	}
}

func BenchmarkJavaStore(b *testing.B) {
	r := ReadRoots(os.Environ())
	for b.Loop() {
		javaStore(r.certs)
	}
}

func BenchmarkEnviron(b *testing.B) {
	outer := os.Environ()
	t := Trust{Bundle: "/b", Dir: "/d", JavaStore: "/j", AptConfig: "/a", Wgetrc: "/w"}
	for b.Loop() {
		Environ(outer, "http://127.0.0.1:8000", t)
	}
}
