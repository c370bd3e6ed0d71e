package filter

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// The limits of a Parser that sets none.
const (
	DefaultLength = 4 << 10 // bytes
	DefaultDepth  = 16      // nested parentheses and brackets
	DefaultTerms  = 64      // comparisons and "pr"
)

// A Parser parses filters and paths within limits. A zero field means its
// default.
type Parser struct {
	Length int
	Depth  int
	Terms  int

	// Loose accepts a literal without its quotation marks, as authentik sends
	// it: userName eq bob.
	Loose bool
}

// Parse parses a filter by the grammar of RFC 7644, figure 1, within the
// default limits. Operators are case-insensitive. Beside the grammar it takes
// a sub-attribute after a value path, emails[type eq "work"].value eq "a",
// which Entra ID sends and which means
// emails[type eq "work" and value eq "a"].
func Parse(text string) (Expr, error) {
	x, _, err := Parser{}.Parse(text)
	return x, err
}

// ParsePath parses the path of a PATCH operation (RFC 7644, figure 7) within
// the default limits.
func ParsePath(text string) (Path, error) { return Parser{}.ParsePath(text) }

// Parse is the function Parse within the limits of p. Bent lists what was
// accepted although the grammar does not have it.
func (p Parser) Parse(text string) (x Expr, bent []string, err error) {
	s, err := p.begin(text)
	if err != nil {
		return nil, nil, err
	}
	if x, err = s.or(0); err != nil {
		return nil, nil, err
	}
	if s.tok.kind != end {
		return nil, nil, errorf("unexpected %q after the filter", clip(s.tok.text))
	}
	return x, s.bent, nil
}

// ParsePath is the function ParsePath within the limits of p.
func (p Parser) ParsePath(text string) (Path, error) {
	s, err := p.begin(text)
	if err != nil {
		return Path{}, err
	}
	path, err := s.path()
	if err != nil {
		return Path{}, err
	}
	if s.tok.kind != end {
		return Path{}, errorf("unexpected %q after the path", clip(s.tok.text))
	}
	return path, nil
}

func (p Parser) begin(text string) (*state, error) {
	if p.Length == 0 {
		p.Length = DefaultLength
	}
	if p.Depth == 0 {
		p.Depth = DefaultDepth
	}
	if p.Terms == 0 {
		p.Terms = DefaultTerms
	}
	if len(text) > p.Length {
		return nil, errorf("filter or path has %d bytes; the limit is %d", len(text), p.Length)
	}
	if !utf8.ValidString(text) {
		return nil, errorf("filter or path is not UTF-8")
	}
	s := &state{lexer: lexer{text: text}, limits: p}
	return s, s.next()
}

// state is one parse.
type state struct {
	lexer
	limits Parser
	terms  int
	bent   []string
}

func (s *state) or(depth int) (Expr, error) {
	return s.list(depth, "or", s.and, func(t []Expr) Expr { return Or(t) })
}

func (s *state) and(depth int) (Expr, error) {
	return s.list(depth, "and", s.term, func(t []Expr) Expr { return And(t) })
}

func (s *state) list(depth int, op string, term func(int) (Expr, error), build func([]Expr) Expr) (Expr, error) {
	var terms []Expr
	for {
		t, err := term(depth)
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
		if s.tok.kind != word || !foldEqual(s.tok.text, op) {
			break
		}
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	if len(terms) == 1 {
		return terms[0], nil
	}
	return build(terms), nil
}

func (s *state) term(depth int) (Expr, error) {
	switch {
	case s.tok.kind == open:
		return s.group(depth, closing)
	case s.tok.kind == word && foldEqual(s.tok.text, "not"):
		if err := s.next(); err != nil {
			return nil, err
		}
		if s.tok.kind != open {
			return nil, errorf("not must be followed by (")
		}
		x, err := s.group(depth, closing)
		return Not{X: x}, err
	case s.tok.kind == word:
		return s.attribute(depth)
	case s.tok.kind == end:
		return nil, errorf("filter ends too early")
	}
	return nil, errorf("unexpected %q", clip(s.tok.text))
}

// group parses what stands between the current token and its counterpart.
func (s *state) group(depth int, counterpart kind) (Expr, error) {
	if depth++; depth > s.limits.Depth {
		return nil, errorf("filter is nested deeper than %d", s.limits.Depth)
	}
	if err := s.next(); err != nil {
		return nil, err
	}
	x, err := s.or(depth)
	if err != nil {
		return nil, err
	}
	if s.tok.kind != counterpart {
		return nil, errorf("a closing parenthesis or bracket is missing")
	}
	return x, s.next()
}

// attribute parses a term that begins with an attribute.
func (s *state) attribute(depth int) (Expr, error) {
	attr, err := s.attrPath()
	if err != nil {
		return nil, err
	}
	if s.tok.kind != openBracket {
		return s.comparison(attr)
	}
	if attr.Sub != "" {
		return nil, errorf("a value path follows an attribute, not the sub-attribute %q", clip(attr.Sub))
	}
	x, err := s.group(depth, closeBracket)
	if err != nil {
		return nil, err
	}
	sub, err := s.suffix()
	if err != nil || sub == "" {
		return Has{Attr: attr, X: x}, err
	}
	s.bent = append(s.bent, "sub-attribute after a value path in a filter")
	c, err := s.comparison(AttrPath{Name: sub})
	if err != nil {
		return nil, err
	}
	if and, ok := x.(And); ok {
		return Has{Attr: attr, X: append(and, c)}, nil
	}
	return Has{Attr: attr, X: And{x, c}}, nil
}

// comparison parses the operator and the literal that follow attr.
func (s *state) comparison(attr AttrPath) (Expr, error) {
	if s.terms++; s.terms > s.limits.Terms {
		return nil, errorf("filter has more than %d terms", s.limits.Terms)
	}
	if s.tok.kind != word {
		return nil, errorf("an operator must follow %q", clip(attr.String()))
	}
	op := Op(foldASCII(s.tok.text))
	if err := s.next(); err != nil {
		return nil, err
	}
	switch op {
	case "pr":
		return Present{Attr: attr}, nil
	case Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le:
	default:
		return nil, errorf("unknown operator %q", clip(string(op)))
	}
	v, err := s.literal()
	if err != nil {
		return nil, err
	}
	return Compare{Attr: attr, Op: op, Value: v}, s.next()
}

func (s *state) literal() (any, error) {
	text := s.tok.text
	switch {
	case s.tok.kind == str:
		return text, nil
	case s.tok.kind != word:
		return nil, errorf("a value must follow the operator")
	case foldEqual(text, "true"):
		return true, nil
	case foldEqual(text, "false"):
		return false, nil
	case foldEqual(text, "null"):
		return nil, nil
	case isNumber(text):
		return json.Number(text), nil
	case s.limits.Loose && !strings.ContainsRune(text, 0):
		s.bent = append(s.bent, "value without quotation marks")
		return text, nil
	}
	return nil, errorf("value %q is neither a string, a number, true, false nor null", clip(text))
}

// path parses a PATCH path.
func (s *state) path() (Path, error) {
	if s.tok.kind != word {
		return Path{}, errorf("path does not begin with an attribute")
	}
	attr, err := s.attrPath()
	if err != nil || s.tok.kind != openBracket {
		return Path{Attr: attr}, err
	}
	if attr.Sub != "" {
		return Path{}, errorf("a value path follows an attribute, not the sub-attribute %q", clip(attr.Sub))
	}
	x, err := s.group(0, closeBracket)
	if err != nil {
		return Path{}, err
	}
	sub, err := s.suffix()
	return Path{Attr: attr, Filter: x, Sub: sub}, err
}

// suffix parses the sub-attribute that may stand right behind a bracket.
func (s *state) suffix() (string, error) {
	if s.tok.kind != word || s.tok.text[0] != '.' {
		return "", nil
	}
	sub := s.tok.text[1:]
	if !isName(sub) {
		return "", errorf("%q is not a sub-attribute", clip(sub))
	}
	return sub, s.next()
}

// attrPath splits the current word into URN, attribute and sub-attribute. The
// last colon ends the URN, whatever characters the URN has.
func (s *state) attrPath() (AttrPath, error) {
	var p AttrPath
	text := s.tok.text
	p.Name = text
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		p.URN, p.Name = text[:i], text[i+1:]
	}
	p.Name, p.Sub, _ = strings.Cut(p.Name, ".")
	bad := !isName(p.Name) || strings.HasSuffix(text, ".") || p.Sub != "" && !isName(p.Sub)
	if bad || strings.HasPrefix(text, ":") {
		return p, errorf("%q is not an attribute", clip(text))
	}
	return p, s.next()
}

// isName tells whether s is an attribute name (RFC 7643, section 2.1), or one
// of the names beginning with $ that the RFC uses in spite of its grammar.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		ok := 'a' <= c|0x20 && c|0x20 <= 'z'
		if i > 0 {
			ok = ok || '0' <= c && c <= '9' || c == '-' || c == '_'
		} else {
			ok = ok || c == '$' && len(s) > 1
		}
		if !ok {
			return false
		}
	}
	return s != ""
}

func isNumber(s string) bool {
	c := s[0]
	return (c == '-' || '0' <= c && c <= '9') && json.Valid([]byte(s))
}

// foldASCII lowers ASCII letters and no others: names are ASCII, and Unicode
// folding would make a Kelvin sign an ordinary k.
func foldASCII(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

func foldEqual(a, b string) bool { return len(a) == len(b) && foldASCII(a) == foldASCII(b) }
