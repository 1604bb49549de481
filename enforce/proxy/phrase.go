package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxPhrase bounds what a status line says of the reason, in bytes.
const maxPhrase = 200

// explain has the status line of the answer to r say why, as the body text does:
// npm, pip, wget and RubyGems print that line and nothing of the body. In HTTP/2
// there is none.
func explain(r *http.Request, status int, text string) {
	phrase := phraseOf(status, text)
	if cc := connOf(r.Context()); phrase != "" && r.ProtoMajor == 1 && cc != nil && cc.guard != nil {
		cc.guard.phrase.Store(&phrase)
	}
}

// phraseOf is the status and the reason that text has, as a status line says them;
// "" where it has none.
func phraseOf(status int, text string) string {
	_, reason, ok := strings.Cut(text, "\nreason: ")
	if !ok {
		return ""
	}
	reason, _, _ = strings.Cut(reason, "\n")
	if len(reason) > maxPhrase {
		reason = reason[:maxPhrase] + "..."
	}
	return fmt.Sprintf("%d %s (proxaudit: %s)", status, http.StatusText(status), strings.Map(visible, reason))
}

// refuseByHand writes the answer to a request that no net/http serves, or serves no
// longer: text with a reason in it, for people. The connection is to end with it.
func refuseByHand(w io.Writer, status int, text string) error {
	_, err := fmt.Fprintf(w, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		phraseOf(status, text), len(text), text)
	return err
}

// visible keeps what a status line may hold and every client can print (RFC 9112
// section 4).
func visible(c rune) rune {
	if ' ' <= c && c <= '~' {
		return c
	}
	return '?'
}

// answer writes what net/http answers, with the phrase that was meant for it: it
// takes none from a handler.
func (g *guard) answer(b []byte) (int, error) {
	if g.phrase.Load() == nil {
		return g.Conn.Write(b)
	}
	const before = len("HTTP/1.1 ")
	phrase := *g.phrase.Swap(nil)
	line, rest, ok := bytes.Cut(b, []byte("\r\n"))
	if !ok || len(line) < before || !bytes.HasPrefix(line[before:], []byte(phrase[:len("403 ")])) {
		return g.Conn.Write(b)
	}
	whole := slices.Concat(line[:before], []byte(phrase+"\r\n"), rest)
	if n, err := g.Conn.Write(whole); err != nil {
		return min(n, len(b)), err
	}
	return len(b), nil
}
