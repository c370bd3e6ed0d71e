package authzen

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxDepth   = 32   // of nested objects and arrays
	maxMembers = 1000 // of one object
	fewMembers = 32   // that are compared one by one
)

// A parser reads one JSON text (RFC 8259), as I-JSON (RFC 7493) restricts it:
// valid UTF-8, no lone surrogates, no name twice in an object. It copies
// nothing: strings without escapes are parts of the text.
type parser struct {
	text  string
	at    int
	depth int
	names []string // of the open objects, one after the other
}

// A syntaxError says what is wrong with a text and where, in words for the
// client. It quotes nothing of the text.
type syntaxError struct {
	what string
	at   int
}

func (e *syntaxError) Error() string { return e.what + " at byte " + strconv.Itoa(e.at) }

func (p *parser) wrong(what string) error { return &syntaxError{what, p.at} }

var errNotUTF8 = errors.New("the body is not valid UTF-8")

// parse calls value to read the one value of text.
func (p *parser) parse(text string, value func() error) error {
	if !utf8.ValidString(text) {
		return errNotUTF8
	}
	p.text, p.at, p.depth, p.names = text, 0, 0, p.names[:0]
	if err := value(); err != nil {
		return err
	}
	if p.next() != 0 || p.at < len(p.text) {
		return p.wrong("something follows the JSON value")
	}
	return nil
}

// next skips white space and returns the byte there, 0 at the end.
func (p *parser) next() byte {
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// open enters an object or array and reports whether it holds anything.
func (p *parser) open(closing byte) (bool, error) {
	if p.depth++; p.depth > maxDepth {
		return false, p.wrong("values are nested too deeply")
	}
	p.at++
	if p.next() == closing {
		p.shut()
		return false, nil
	}
	return true, nil
}

func (p *parser) shut() { p.at++; p.depth-- }

// more goes on after a member or element and reports whether another follows.
func (p *parser) more(closing byte) (bool, error) {
	switch p.next() {
	case ',':
		p.at++
		return true, nil
	case closing:
		p.shut()
		return false, nil
	}
	return false, p.wrong("a comma or the end of an object or array is missing")
}

// object reads an object. member is called for each name and reads its value.
func (p *parser) object(member func(name string) error) error {
	some, err := p.open('}')
	first := len(p.names)
	var many map[string]bool
	for some && err == nil {
		var name string
		if name, err = p.name(); err != nil {
			return err
		}
		if many, err = p.unique(p.names[first:], many, name); err != nil {
			return err
		}
		p.names = append(p.names, name)
		if err = member(name); err != nil {
			return err
		}
		some, err = p.more('}')
	}
	p.names = p.names[:first]
	return err
}

// name reads a member's name and the colon.
func (p *parser) name() (string, error) {
	if p.next() != '"' {
		return "", p.wrong("a name in double quotes is missing")
	}
	name, err := p.str()
	if err != nil {
		return "", err
	}
	if p.next() != ':' {
		return "", p.wrong("a colon is missing")
	}
	p.at++
	return name, nil
}

// unique fails if name is among those of its object. Beyond a few they are kept
// in a map too, so that a large object takes no time of its own.
func (p *parser) unique(names []string, many map[string]bool, name string) (map[string]bool, error) {
	if len(names) >= maxMembers {
		return nil, p.wrong("an object has too many members")
	}
	if len(names) == fewMembers {
		many = make(map[string]bool, 2*fewMembers)
		for _, n := range names {
			many[n] = true
		}
	}
	if many == nil {
		for _, n := range names {
			if n == name {
				return nil, p.wrong("a name occurs twice in an object")
			}
		}
		return nil, nil
	}
	if many[name] {
		return nil, p.wrong("a name occurs twice in an object")
	}
	many[name] = true
	return many, nil
}

// array reads an array. element is called for each element and reads it.
func (p *parser) array(element func() error) error {
	some, err := p.open(']')
	for some && err == nil {
		if err = element(); err == nil {
			some, err = p.more(']')
		}
	}
	return err
}

// str reads a string. The next byte is its opening quote.
func (p *parser) str() (string, error) {
	p.at++
	from := p.at
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return p.text[from : p.at-1], nil
		case c == '\\':
			return p.escaped(from)
		case c < ' ':
			return "", p.wrong("a string holds a control character")
		}
	}
	return "", p.wrong("a string has no end")
}

// escaped goes on with a string in which an escape was found.
func (p *parser) escaped(from int) (string, error) {
	var b strings.Builder
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			b.WriteString(p.text[from:p.at])
			p.at++
			return b.String(), nil
		case c == '\\':
			b.WriteString(p.text[from:p.at])
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
			from = p.at
		case c < ' ':
			return "", p.wrong("a string holds a control character")
		default:
			p.at++
		}
	}
	return "", p.wrong("a string has no end")
}

// escape reads one escape, a pair of surrogates as one.
func (p *parser) escape() (rune, error) {
	if p.at+1 >= len(p.text) {
		return 0, p.wrong("a string has no end")
	}
	c := p.text[p.at+1]
	p.at += 2
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return p.unicode()
	}
	return 0, p.wrong("a string holds an unknown escape")
}

// unicode reads the digits of an escape that began with \u.
func (p *parser) unicode() (rune, error) {
	r, err := p.hex()
	switch {
	case err != nil:
		return 0, err
	case r == 0:
		return 0, p.wrong("a string holds a NUL")
	case !utf16.IsSurrogate(r):
		return r, nil
	case !strings.HasPrefix(p.text[p.at:], `\u`):
		return 0, p.wrong("a string holds half a surrogate pair")
	}
	p.at += 2
	low, err := p.hex()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, p.wrong("a string holds half a surrogate pair")
	}
	return r, nil
}

func (p *parser) hex() (rune, error) {
	var r rune
	for range 4 {
		if p.at == len(p.text) {
			return 0, p.wrong("a string has no end")
		}
		c := p.text[p.at]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, p.wrong("a string holds an escape without four hexadecimal digits")
		}
		r = r<<4 | rune(c)
		p.at++
	}
	return r, nil
}

// skip reads a value that nobody asked for.
func (p *parser) skip() error {
	switch c := p.next(); {
	case c == '{':
		return p.object(func(string) error { return p.skip() })
	case c == '[':
		return p.array(p.skip)
	case c == '"':
		_, err := p.str()
		return err
	case c == 't':
		return p.word("true")
	case c == 'f':
		return p.word("false")
	case c == 'n':
		return p.word("null")
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	return p.wrong("a JSON value is missing")
}

func (p *parser) word(w string) error {
	if !strings.HasPrefix(p.text[p.at:], w) {
		return p.wrong("a JSON value is missing")
	}
	p.at += len(w)
	return nil
}

// number reads a number (RFC 8259, section 6).
func (p *parser) number() error {
	p.one("-")
	if !p.one("0") && !p.digits() {
		return p.wrong("a number is not valid")
	}
	if p.one(".") && !p.digits() {
		return p.wrong("a number is not valid")
	}
	if p.one("eE") {
		p.one("+-")
		if !p.digits() {
			return p.wrong("a number is not valid")
		}
	}
	return nil
}

// one skips a byte that is one of set.
func (p *parser) one(set string) bool {
	if p.at < len(p.text) && strings.IndexByte(set, p.text[p.at]) >= 0 {
		p.at++
		return true
	}
	return false
}

func (p *parser) digits() bool {
	from := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at > from
}
