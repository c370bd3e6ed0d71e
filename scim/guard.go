package scim

// A guard looks at a JSON text while it arrives, before anything is made of it,
// and tells when it passes one of the decoder's limits: what is refused anyway
// is read no further. It counts as the decoder does; what else is wrong is the
// decoder's to say.
type guard struct {
	limit   int // of depth
	longest int // string, in bytes
	pos     int // of the next byte in the text
	depth   int
	values  int
	objects int

	first   bool // nothing has come since a bracket was opened
	inside  bool // a string
	escaped bool // the next byte belongs to an escape
	length  int  // of the string so far
}

func newGuard(depth int) guard { return guard{limit: depth, longest: maxString, values: 1} }

// check looks at the next part of the text.
func (g *guard) check(part []byte) error {
	for i := 0; i < len(part); {
		if g.inside {
			if i += g.string(part[i:]); g.length > g.longest {
				return badSyntax("invalid JSON at byte %d: a string of more than %d bytes", g.pos+i, g.longest)
			}
			continue
		}
		kind := kinds[part[i]]
		if g.first && kind >= begins || kind == comma {
			g.first = false
			if g.values++; g.values > maxValues {
				return tooManyValues()
			}
		}
		switch kind {
		case quote:
			g.inside, g.length = true, 1
		case closes:
			g.depth--
			g.first = false
		case brace, bracket:
			if err := g.deeper(kind, g.pos+i); err != nil {
				return err
			}
		}
		i++
	}
	g.pos += len(part)
	return nil
}

// deeper goes into an object or a list.
func (g *guard) deeper(kind byte, pos int) error {
	g.first = true
	if g.depth++; g.depth > g.limit {
		return badSyntax("invalid JSON at byte %d: nested deeper than %d", pos, g.limit)
	}
	if kind == brace {
		if g.objects++; g.objects > maxObjects {
			return tooManyObjects()
		}
	}
	return nil
}

// The kinds of bytes outside strings. From begins on they begin a value.
const (
	space = iota
	closes
	comma
	begins
	quote
	brace
	bracket
)

var kinds = func() (of [256]byte) {
	for c := range of {
		of[c] = begins
	}
	for c, kind := range map[byte]byte{
		' ': space, '\t': space, '\r': space, '\n': space, '}': closes, ']': closes,
		',': comma, '"': quote, '{': brace, '[': bracket,
	} {
		of[c] = kind
	}
	return of
}()

// string goes on to the end of a string, or of the part.
func (g *guard) string(part []byte) int {
	i := 0
	if g.escaped {
		g.escaped = false
		i++
	}
	for ; i < len(part); i++ {
		if c := part[i]; c == '"' {
			i++
			g.inside = false
			break
		} else if c == '\\' {
			if i++; i == len(part) {
				g.escaped = true
				break
			}
		}
	}
	g.length += i
	return i
}

func tooManyValues() error { return tooLarge("the body has more than %d JSON values", maxValues) }

func tooManyObjects() error { return tooLarge("the body has more than %d JSON objects", maxObjects) }
