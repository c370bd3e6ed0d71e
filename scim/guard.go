package scim

// A guard looks at a JSON text while it arrives, before anything is made of it,
// and tells when it passes one of the decoder's limits: what is refused anyway
// is read no further. It counts as the decoder does; what else is wrong is the
// decoder's to say.
type guard struct {
	limit   int  // of depth
	most    int  // entries of a list or an object
	endless bool // it was not said how long the text is
	pos     int  // of the next byte in the text
	depth   int
	entries []int // after the first, of the lists and objects that are open
	values  int
	objects int

	first   bool // nothing has come since a bracket was opened
	inside  bool // a string
	escaped bool // the next byte belongs to an escape
	length  int  // of the string so far
	blank   int  // bytes of white space so far
}

func newGuard(depth, entries int) guard {
	return guard{limit: depth, most: max(entries, leastEntries), entries: make([]int, depth+1), values: 1}
}

// leastEntries is how many entries a list may have whatever the limits say of
// what it holds: up to there, that is told in better words.
const leastEntries = 10_000

// maxBlank is how much white space may stand between two tokens: nobody indents
// that far, and nothing need be waited for behind it.
const maxBlank = 64 << 10

// check looks at the next part of the text.
func (g *guard) check(part []byte) error {
	for i := 0; i < len(part); {
		if g.inside {
			if i += g.string(part[i:]); g.length > maxString {
				return g.longString(g.pos + i)
			}
			continue
		}
		kind := kinds[part[i]]
		if kind == space {
			if g.blank++; g.blank > maxBlank {
				return tooLarge("the body has more than %d bytes of white space in a row", maxBlank)
			}
			i++
			continue
		}
		g.blank = 0
		if g.first && kind >= begins || kind == comma {
			g.first = false
			if g.values++; g.values > maxValues {
				return tooManyValues()
			}
		}
		switch kind {
		case comma:
			if g.entries[g.depth]++; g.entries[g.depth] >= g.most {
				return tooLarge("the body has a list of more than %d values", g.most)
			}
		case quote:
			g.inside, g.length = true, 1
		case closes:
			g.depth = max(g.depth-1, 0) // more may be closed than was opened
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

// longString refuses a string. A body that may be too long is told so.
func (g *guard) longString(pos int) error {
	if g.endless {
		return tooLarge("the body has a string of more than %d bytes", maxString)
	}
	return badSyntax("invalid JSON at byte %d: a string of more than %d bytes", pos, maxString)
}

// deeper goes into an object or a list.
func (g *guard) deeper(kind byte, pos int) error {
	g.first = true
	if g.depth++; g.depth > g.limit {
		return badSyntax("invalid JSON at byte %d: nested deeper than %d", pos, g.limit)
	}
	g.entries[g.depth] = 0
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
