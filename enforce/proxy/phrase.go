package proxy

import (
	"bytes"
	"fmt"
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
	_, reason, ok := strings.Cut(text, "\nreason: ")
	cc := connOf(r.Context())
	if !ok || r.ProtoMajor != 1 || cc == nil || cc.guard == nil {
		return
	}
	reason, _, _ = strings.Cut(reason, "\n")
	if len(reason) > maxPhrase {
		reason = reason[:maxPhrase] + "..."
	}
	phrase := fmt.Sprintf("%d %s (proxaudit: %s)", status, http.StatusText(status), strings.Map(visible, reason))
	cc.guard.phrase.Store(&phrase)
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
