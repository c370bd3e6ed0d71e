package filter

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/usherd/usherd/directory"
)

// A literalValue is the right-hand side of a comparison, made ready once.
type literalValue struct {
	attr *Attribute
	op   Op
	null bool
	text string    // strings, folded unless the attribute is case-exact
	key  string    // strings that are not case-exact: for equality
	num  float64   // numbers
	time time.Time // dates
	bool bool
}

// convert makes v ready to be compared with values of attr. Bent says how v
// was understood when its JSON type is not the attribute's.
func convert(attr *Attribute, op Op, v any) (lit literalValue, bent string, err error) {
	lit = literalValue{attr: attr, op: op}
	if v == nil {
		lit.null = true
		if op != Eq && op != Ne {
			err = errorf("%s cannot compare with null", op)
		}
		return lit, "", err
	}
	switch attr.Type {
	case Boolean:
		return lit.boolean(v)
	case Integer, Decimal:
		return lit.number(v)
	case DateTime:
		if s, ok := v.(string); ok {
			lit.text = s
			if op == Co || op == Sw || op == Ew {
				return lit, "", nil
			}
			if lit.time, ok = parseTime(s); ok {
				return lit, "", nil
			}
		}
		return lit, "", errorf("attribute %q is compared with a date such as \"2026-01-31T12:00:00Z\"", attr.Name)
	case Binary:
		if op != Eq && op != Ne {
			return lit, "", errorf("binary attribute %q has no order", attr.Name)
		}
	case Complex:
		return lit, "", errorf("attribute %q is complex: name a sub-attribute", attr.Name)
	case String, Reference:
	}
	switch v := v.(type) {
	case string:
		lit.text = v
	case json.Number:
		lit.text, bent = v.String(), "number for a string in a filter"
	case bool:
		lit.text, bent = strconv.FormatBool(v), "boolean for a string in a filter"
	}
	if !attr.CaseExact {
		lit.key, lit.text = foldKey(lit.text), foldText(lit.text)
	}
	return lit, bent, nil
}

func (l literalValue) boolean(v any) (literalValue, string, error) {
	if l.op != Eq && l.op != Ne {
		return l, "", errorf("boolean attribute %q has no order", l.attr.Name)
	}
	if b, ok := v.(bool); ok {
		l.bool = b
		return l, "", nil
	}
	if s, ok := v.(string); ok {
		if b, ok := ParseBool(s); ok {
			l.bool = b
			return l, "string for a boolean in a filter", nil
		}
	}
	return l, "", errorf("attribute %q is a boolean", l.attr.Name)
}

// ParseBool reads the booleans that identity providers send as strings: true
// and false in any case, and nothing else.
func ParseBool(s string) (value, ok bool) {
	switch foldASCII(s) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

func (l literalValue) number(v any) (literalValue, string, error) {
	if l.op == Co || l.op == Sw || l.op == Ew {
		return l, "", errorf("attribute %q is a number and has no text", l.attr.Name)
	}
	n, ok := v.(json.Number)
	if !ok {
		return l, "", errorf("attribute %q is a number", l.attr.Name)
	}
	f, err := n.Float64()
	if err != nil {
		return l, "", errorf("number %s is out of range", clip(n.String()))
	}
	l.num = f
	return l, "", nil
}

// matches compares one value of the document with the literal.
func (l literalValue) matches(v any) bool {
	if l.null {
		return l.op == Ne
	}
	switch v := v.(type) {
	case bool:
		return l.attr.Type == Boolean && (v == l.bool) == (l.op == Eq)
	case string:
		return l.matchesString(v)
	}
	if f, ok := float(v); ok && (l.attr.Type == Integer || l.attr.Type == Decimal) {
		return ordered(l.op, cmp.Compare(f, l.num))
	}
	return l.op == Ne
}

func (l literalValue) matchesString(v string) bool {
	if l.attr.Type == DateTime && !l.time.IsZero() {
		t, ok := parseTime(v)
		return ok && ordered(l.op, t.Compare(l.time))
	}
	if !l.attr.CaseExact && l.attr.Type != DateTime {
		if l.op == Eq || l.op == Ne {
			return (foldKey(v) == l.key) == (l.op == Eq)
		}
		v = foldText(v)
	}
	switch l.op {
	case Co:
		return strings.Contains(v, l.text)
	case Sw:
		return strings.HasPrefix(v, l.text)
	case Ew:
		return strings.HasSuffix(v, l.text)
	case Eq, Ne, Gt, Ge, Lt, Le:
	}
	return ordered(l.op, strings.Compare(v, l.text))
}

func ordered(op Op, c int) bool {
	switch op {
	case Eq:
		return c == 0
	case Ne:
		return c != 0
	case Gt:
		return c > 0
	case Ge:
		return c >= 0
	case Lt:
		return c < 0
	case Le:
		return c <= 0
	case Co, Sw, Ew:
	}
	return false
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case float64:
		return v, true
	case int64:
		return float64(v), true
	}
	return 0, false
}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil && !t.IsZero() {
			return t, true
		}
	}
	return time.Time{}, false
}

// foldKey returns the form in which two strings that are not case-exact are
// equal. It is the directory's key, so that a filter finds what the directory
// calls taken.
func foldKey(s string) string {
	if isPlain(s) {
		return foldASCII(s)
	}
	if key, err := directory.KeyOf(s); err == nil {
		return string(key)
	}
	return foldText(s)
}

// foldText folds without touching white space, so that parts of a text fold
// as the whole does.
func foldText(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
		}
	}
	return foldASCII(s)
}

// isPlain tells whether s has only visible ASCII characters, whose key is
// their lower case.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// Fold returns the form by which strings that are not case-exact are ordered.
func Fold(s string) string { return foldText(s) }
