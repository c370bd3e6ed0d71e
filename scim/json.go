package scim

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/usherd/usherd/scim/filter"
)

// The shape limits of a JSON body beside its size.
const (
	maxDepth   = 32       // nested objects and lists
	maxKeys    = 1_000    // names in one object
	maxString  = 64 << 10 // bytes of a string, escapes included
	maxValues  = 500_000  // values in all: small ones take many times their length in memory
	maxObjects = 100_000  // objects in all: an empty one takes as much as twenty other values
)

// decode reads one JSON text strictly. Unlike encoding/json it refuses what
// two readers could understand differently: repeated names, strings that are
// not UTF-8, NUL, text after the end. Objects become map[string]any, lists
// []any, numbers json.Number. Every error is a 400 invalidSyntax.
func decode(body []byte) (any, error) { return decodeText(string(body), maxDepth) }

func decodeText(body string, depth int) (any, error) {
	d := &decoder{text: body, depth: depth}
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if d.space(); d.pos < len(d.text) {
		return nil, d.bad("text after the end of the JSON value")
	}
	return v, nil
}

// What values take when they are decoded, in bytes: an interface and what it
// points to, and the room that lists and maps keep for more.
const (
	sizeOfValue  = 56
	sizeOfObject = 320

	mostDecoded = maxValues*sizeOfValue + maxObjects*sizeOfObject
)

// decodedSize estimates from above what a body takes when it is decoded,
// beside its own length.
func decodedSize(body string) int64 {
	objects := min(strings.Count(body, "{"), maxObjects)
	values := min(strings.Count(body, ",")+strings.Count(body, "[")+2*objects+1, maxValues)
	return int64(values*sizeOfValue + objects*sizeOfObject)
}

type decoder struct {
	text string // strings of the result share its memory
	pos  int

	depth   int // the limit
	values  int
	objects int
}

func (d *decoder) bad(format string, args ...any) error {
	return badSyntax("invalid JSON at byte %d: %s", d.pos, fmt.Sprintf(format, args...))
}

func (d *decoder) space() {
	for d.pos < len(d.text) {
		switch d.text[d.pos] {
		case ' ', '\t', '\r', '\n':
			d.pos++
		default:
			return
		}
	}
}

func (d *decoder) value(depth int) (any, error) {
	if d.values++; d.values > maxValues {
		return nil, tooManyValues()
	}
	d.space()
	if d.pos == len(d.text) {
		return nil, d.bad("text ends too early")
	}
	switch c := d.text[d.pos]; {
	case c == '{' || c == '[':
		if depth++; depth > d.depth {
			return nil, d.bad("nested deeper than %d", d.depth)
		}
		d.pos++
		if c == '{' {
			if d.objects++; d.objects > maxObjects {
				return nil, tooManyObjects()
			}
			return d.object(depth)
		}
		return d.list(depth)
	case c == '"':
		return d.string()
	case c == '-' || '0' <= c && c <= '9':
		return d.number()
	}
	for _, w := range []struct {
		text  string
		value any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if strings.HasPrefix(d.text[d.pos:], w.text) {
			d.pos += len(w.text)
			return w.value, nil
		}
	}
	return nil, d.bad("a value is expected")
}

func (d *decoder) object(depth int) (any, error) {
	obj := map[string]any{}
	for more := !d.take('}'); more; {
		d.space()
		if d.pos == len(d.text) || d.text[d.pos] != '"' {
			return nil, d.bad("a name is expected")
		}
		name, err := d.string()
		if err != nil {
			return nil, err
		}
		if _, ok := obj[name]; ok {
			return nil, d.bad("the name %q is repeated", clip(name))
		}
		if len(obj) == maxKeys {
			return nil, d.bad("more than %d names in an object", maxKeys)
		}
		if !d.take(':') {
			return nil, d.bad("a colon is expected")
		}
		if obj[name], err = d.value(depth); err != nil {
			return nil, err
		}
		if more = d.take(','); !more && !d.take('}') {
			return nil, d.bad("a comma or } is expected")
		}
	}
	return obj, nil
}

func (d *decoder) list(depth int) (any, error) {
	list := []any{}
	for more := !d.take(']'); more; {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if more = d.take(','); !more && !d.take(']') {
			return nil, d.bad("a comma or ] is expected")
		}
	}
	return list, nil
}

// take consumes c if it comes next.
func (d *decoder) take(c byte) bool {
	d.space()
	if d.pos < len(d.text) && d.text[d.pos] == c {
		d.pos++
		return true
	}
	return false
}

func (d *decoder) string() (string, error) {
	start := d.pos
	for d.pos++; d.pos < len(d.text) && d.text[d.pos] != '"'; d.pos++ {
		if d.text[d.pos] == '\\' {
			d.pos++
		}
	}
	if d.pos >= len(d.text) {
		return "", d.bad("a string has no end")
	}
	d.pos++
	if d.pos-start > maxString {
		return "", d.bad("a string of more than %d bytes", maxString)
	}
	s, ok := filter.Unquote(d.text[start:d.pos])
	if !ok {
		return "", d.bad("a string is not UTF-8, or holds NUL, a control character, half a surrogate pair or an unknown escape")
	}
	return s, nil
}

func (d *decoder) number() (any, error) {
	start := d.pos
	for d.pos < len(d.text) && strings.IndexByte("+-.0123456789eE", d.text[d.pos]) >= 0 {
		d.pos++
	}
	n := d.text[start:d.pos]
	if len(n) > 64 || !json.Valid([]byte(n)) {
		return nil, d.bad("malformed number")
	}
	return json.Number(n), nil
}

// clip shortens what a client sent before it is echoed.
func clip(s string) string {
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
