package filter

import (
	"fmt"
	"strings"
)

// An Error says why a filter or a path was refused, in words for the client.
type Error struct{ Detail string }

func (e *Error) Error() string { return e.Detail }

func errorf(format string, args ...any) error {
	return &Error{Detail: fmt.Sprintf(format, args...)}
}

// clip shortens what the client sent, so that no error echoes more than that.
func clip(s string) string {
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

type kind byte

const (
	end kind = iota
	word
	str
	open
	closing
	openBracket
	closeBracket
)

// A token is a word as written, or a string with its escapes decoded.
type token struct {
	kind kind
	text string
}

// A lexer splits a text into tokens. One token of lookahead is in tok.
type lexer struct {
	text string
	pos  int
	tok  token
}

func (l *lexer) next() error {
	for l.pos < len(l.text) && (l.text[l.pos] == ' ' || l.text[l.pos] == '\t') {
		l.pos++
	}
	if l.pos == len(l.text) {
		l.tok = token{}
		return nil
	}
	switch c := l.text[l.pos]; c {
	case '(', ')', '[', ']':
		l.pos++
		l.tok = token{kind: punctuation(c), text: string(c)}
		return nil
	case '"':
		return l.string()
	}
	start := l.pos
	for l.pos < len(l.text) && !strings.ContainsRune(" \t()[]\"", rune(l.text[l.pos])) {
		l.pos++
	}
	l.tok = token{kind: word, text: l.text[start:l.pos]}
	return nil
}

func punctuation(c byte) kind {
	switch c {
	case '(':
		return open
	case ')':
		return closing
	case '[':
		return openBracket
	}
	return closeBracket
}

// string reads a JSON string (RFC 8259, section 7) and decodes its escapes.
func (l *lexer) string() error {
	start := l.pos
	for l.pos++; l.pos < len(l.text); l.pos++ {
		switch l.text[l.pos] {
		case '\\':
			l.pos++
		case '"':
			l.pos++
			s, ok := Unquote(l.text[start:l.pos])
			if !ok {
				return errorf("string %s is not a JSON string", clip(l.text[start:l.pos]))
			}
			l.tok = token{kind: str, text: s}
			return nil
		}
	}
	return errorf("string at %d has no end", start)
}
