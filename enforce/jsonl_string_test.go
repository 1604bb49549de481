package enforce_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/juliendoutre/proxaudit/enforce"
)

func TestRecordIsSafeToPrint(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"escape sequence":    {"\x1b[2J", `\u001b[2J`},
		"line feed":          {"a\nb\r\tc", `a\nb\r\tc`},
		"NUL and bell":       {"\x00\x07", `\u0000\u0007`},
		"DEL":                {"\x7f", `\u007f`},
		"C1 control":         {"\u009b31m", `\u009b31m`},
		"raw C1 byte":        {"\x9b31m", `\ufffd31m`},
		"broken UTF-8":       {"a\xff\xc3", `a\ufffd\ufffd`},
		"real U+FFFD":        {"\ufffd", `\ufffd`},
		"line separator":     {"\u2028\u2029", `\u2028\u2029`},
		"bidi override":      {"\u202egpj.\u2066", `\u202egpj.\u2066`},
		"zero width":         {"a\u200bb\ufeff", `a\u200bb\ufeff`},
		"no-break space":     {"a\u00a0b", `a\u00a0b`},
		"tag characters":     {"\U000e0041", `\udb40\udc41`},
		"private use":        {"\ue000", `\ue000`},
		"quote, backslash":   {`"\`, `\"\\`},
		"letters stay":       {"bücher/日本/😀", "bücher/日本/😀"},
		"HTML stays":         {"<a href='x'>&", "<a href='x'>&"},
		"workflow command":   {"::add-mask::x", "::add-mask::x"},
		"surrogate in UTF-8": {"\xed\xa0\x80", `\ufffd\ufffd\ufffd`},
	} {
		t.Run(name, func(t *testing.T) {
			line := record(t, event(tt.in))
			if want := `"path":"` + tt.want + `"`; !strings.Contains(line, want) {
				t.Errorf("got %s, want in it %s", line, want)
			}
		})
	}
}

func FuzzRecord(f *testing.F) {
	for _, s := range []string{"", "/a", "\x1b[0m", "\u202e", "\xff", "\U0001f600", `\u0041"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ev := event(s)
		ev.RequestHeader = map[string][]string{s: {s}}
		var out bytes.Buffer
		if err := enforce.NewLog(&out).Record(ev); err != nil {
			t.Fatal(err)
		}
		line, ok := strings.CutSuffix(out.String(), "\n")
		if !ok || !utf8.ValidString(line) {
			t.Fatalf("%q", line)
		}
		for _, r := range line {
			if !strconv.IsPrint(r) {
				t.Errorf("%U stands in the line", r)
			}
		}
		var back enforce.Event
		if err := json.Unmarshal([]byte(line), &back); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && back.Path != want {
			t.Errorf("got back %q, want %q", back.Path, want)
		}
	})
}
