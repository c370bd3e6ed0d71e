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
			n := g.string(part[i:])
			if i += n; g.length > g.longest {
				return badSyntax("invalid JSON at byte %d: a string of more than %d bytes", g.pos+i, g.longest)
			}
			continue
		}
		if err := g.outside(part[i], g.pos+i); err != nil {
			return err
		}
		i++
	}
	g.pos += len(part)
	return nil
}

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

// outside looks at a byte that is in no string.
func (g *guard) outside(c byte, pos int) error {
	switch c {
	case ' ', '\t', '\r', '\n':
		return nil
	case '}', ']':
		g.depth--
		g.first = false
		return nil
	}
	if g.first || c == ',' {
		g.values++
		g.first = false
		if g.values > maxValues {
			return tooManyValues()
		}
	}
	switch c {
	case '"':
		g.inside, g.length = true, 1
	case '{', '[':
		g.first = true
		if g.depth++; g.depth > g.limit {
			return badSyntax("invalid JSON at byte %d: nested deeper than %d", pos, g.limit)
		}
		if c == '{' {
			if g.objects++; g.objects > maxObjects {
				return tooManyObjects()
			}
		}
	}
	return nil
}

func tooManyValues() error { return tooLarge("the body has more than %d JSON values", maxValues) }

func tooManyObjects() error { return tooLarge("the body has more than %d JSON objects", maxObjects) }
