package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-shellwords"
)

// readCommand reads one command line from standard input, as the first version
// of proxaudit did, and splits it as a shell splits words. Nothing is expanded
// and no shell runs it. What follows the line is the command's own input.
func readCommand(in io.Reader) ([]string, error) {
	line, err := readLine(in)
	if err != nil {
		return nil, fmt.Errorf("reading the command from standard input: %w", err)
	}
	p := shellwords.NewParser()
	words, err := p.Parse(line)
	if err == nil && p.Position >= 0 && p.Position < len(line) {
		err = errors.New("it has a shell operator")
	}
	if err != nil {
		return nil, fail(`for a pipeline or a redirection write: sh -c '…'`, fmt.Errorf("the command line %q cannot be split into words: %w", line, err))
	}
	if len(words) == 0 {
		return nil, fail("write it behind \"--\": proxaudit -- curl https://example.org/", errors.New("no command given"))
	}
	return words, nil
}

// readLine reads byte by byte, so as to take nothing that is the command's.
func readLine(in io.Reader) (string, error) {
	const longest = 1 << 20
	var b strings.Builder
	r := bufio.NewReaderSize(oneByte{in}, 16)
	for b.Len() < longest {
		c, err := r.ReadByte()
		if err == io.EOF || c == '\n' && err == nil {
			return strings.TrimSpace(b.String()), nil
		}
		if err != nil {
			return "", err
		}
		b.WriteByte(c)
	}
	return "", fmt.Errorf("the line is longer than %d bytes", longest)
}

// oneByte reads at most one byte at a time.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return o.r.Read(p[:1])
}
