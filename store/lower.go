package store

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/usherd/usherd/directory"
)

// A column is how an attribute is kept. An empty text means that the attribute
// is absent; no other column has an absent value.
type column struct {
	kind columnKind
	expr string // of the row t, or of the row m of many

	// many, if set, is "key IN (SELECT … WHERE …": the attribute has several
	// values, and a condition on m.value follows with AND and a parenthesis.
	many string

	index narrowing // what equality with a value is found by
}

type columnKind uint8

const (
	exact  columnKind = iota + 1 // text, compared as it is
	folded                       // text, kept as the canonical key
	flags                        // 0 or 1
	moment                       // milliseconds
)

// A lowering turns a condition into SQL. Values travel as parameters.
type lowering struct {
	d       dialect
	columns map[directory.Attribute]column
	args    []any
}

// Conditions that need no column.
const (
	always = "1 = 1"
	never  = "1 = 0"
)

// param adds an argument and returns its placeholder.
func (l *lowering) param(v any) string {
	l.args = append(l.args, v)
	return "$" + strconv.Itoa(len(l.args))
}

// expr returns the condition as SQL. No column is NULL, so NOT means not.
func (l *lowering) expr(e directory.Expr) (string, error) {
	switch e := e.(type) {
	case nil:
		return always, nil
	case directory.And:
		return l.join(e, " AND ", always)
	case directory.Or:
		return l.join(e, " OR ", never)
	case directory.Not:
		term, err := l.expr(e.Term)
		return "NOT (" + term + ")", err
	case directory.Compare:
		return l.compare(e)
	}
	return "", fmt.Errorf("condition of type %T: %w", e, directory.ErrInvalid)
}

func (l *lowering) join(terms []directory.Expr, with, empty string) (string, error) {
	if len(terms) == 0 {
		return empty, nil
	}
	parts := make([]string, len(terms))
	for i, t := range terms {
		part, err := l.expr(t)
		if err != nil {
			return "", err
		}
		parts[i] = "(" + part + ")"
	}
	return strings.Join(parts, with), nil
}

// compare lowers one comparison. Of several values one is enough; "ne" holds
// also if there is none.
func (l *lowering) compare(c directory.Compare) (string, error) {
	col, known := l.columns[c.Attr]
	if !known {
		return "", fmt.Errorf("attribute %q can't be searched here: %w", c.Attr, directory.ErrInvalid)
	}
	cond, err := l.value(col, c)
	if err != nil || col.many == "" {
		return cond, err
	}
	any := col.many + " AND (" + cond + "))"
	if c.Op == directory.Ne {
		return any + " OR NOT " + col.many + ")", nil
	}
	return any, nil
}

func (l *lowering) value(col column, c directory.Compare) (string, error) {
	switch col.kind {
	case flags:
		return l.flag(col, c)
	case moment:
		return l.moment(col, c)
	}
	if c.Op == directory.Pr {
		return col.expr + " <> ''", nil
	}
	v, ok := c.Value.(string)
	if !ok {
		return "", mismatch(c, "a string")
	}
	if !storable(v) {
		return "", fmt.Errorf("the value compared with %s is not valid text: %w", c.Attr, directory.ErrInvalid)
	}
	if col.kind == folded && v != "" {
		key, err := directory.KeyOf(v)
		if err != nil { // nothing has or holds such a name
			return constant(c.Op == directory.Ne), known(c)
		}
		v = string(key)
	}
	return l.text(col.expr, c, v)
}

// text compares a text column. An absent value compares with nothing, but
// differs from everything.
func (l *lowering) text(col string, c directory.Compare, v string) (string, error) {
	if v == "" {
		return emptyText(col, c)
	}
	n := strconv.Itoa(utf8.RuneCountInString(v))
	switch c.Op {
	case directory.Eq:
		return col + " = " + l.param(v), nil
	case directory.Ne:
		return col + " <> " + l.param(v), nil
	case directory.Gt:
		return col + " > " + l.param(v), nil
	case directory.Ge:
		return col + " >= " + l.param(v), nil
	case directory.Lt:
		return col + " < " + l.param(v) + " AND " + col + " <> ''", nil
	case directory.Le:
		return col + " <= " + l.param(v) + " AND " + col + " <> ''", nil
	case directory.Sw: // the first half lets an index begin at the right place
		p := l.param(v)
		return col + " >= " + p + " AND substr(" + col + ", 1, " + n + ") = " + p, nil
	case directory.Ew:
		return "length(" + col + ") >= " + n + " AND substr(" + col + ", length(" + col + ") - " + n + " + 1) = " + l.param(v), nil
	case directory.Co:
		return l.d.find + "(" + col + ", " + l.param(v) + ") > 0", nil
	}
	return "", unknownOp(c)
}

// emptyText compares with the empty text, which no present value is and every
// present value begins with, ends with, contains and follows.
func emptyText(col string, c directory.Compare) (string, error) {
	switch c.Op {
	case directory.Eq, directory.Lt, directory.Le:
		return never, nil
	case directory.Ne:
		return always, nil
	case directory.Gt, directory.Ge, directory.Sw, directory.Ew, directory.Co:
		return col + " <> ''", nil
	}
	return "", unknownOp(c)
}

func (l *lowering) flag(col column, c directory.Compare) (string, error) {
	if c.Op == directory.Pr {
		return always, nil
	}
	v, ok := c.Value.(bool)
	if !ok {
		return "", mismatch(c, "true or false")
	}
	switch c.Op {
	case directory.Eq, directory.Ne:
		if v == (c.Op == directory.Eq) {
			return col.expr + " <> 0", nil
		}
		return col.expr + " = 0", nil
	}
	return "", unknownOp(c)
}

// moment compares a time. Kept times are whole milliseconds; a value between
// two of them equals none.
func (l *lowering) moment(col column, c directory.Compare) (string, error) {
	if c.Op == directory.Pr {
		return always, nil
	}
	v, ok := c.Value.(time.Time)
	if !ok {
		return "", mismatch(c, "a time")
	}
	n := int64(math.MinInt64)
	if !v.IsZero() {
		n = v.UnixMilli()
	}
	between := !v.IsZero() && !time.UnixMilli(n).Equal(v)
	switch c.Op {
	case directory.Eq:
		if between {
			return never, nil
		}
		return col.expr + " = " + l.param(n), nil
	case directory.Ne:
		if between {
			return always, nil
		}
		return col.expr + " <> " + l.param(n), nil
	case directory.Gt:
		return col.expr + " > " + l.param(n), nil
	case directory.Le:
		return col.expr + " <= " + l.param(n), nil
	case directory.Ge:
		if between {
			n++
		}
		return col.expr + " >= " + l.param(n), nil
	case directory.Lt:
		if between {
			n++
		}
		return col.expr + " < " + l.param(n), nil
	}
	return "", unknownOp(c)
}

// known returns an error if the operator is none.
func known(c directory.Compare) error {
	_, err := emptyText("", c)
	return err
}

func constant(holds bool) string {
	if holds {
		return always
	}
	return never
}

func mismatch(c directory.Compare, want string) error {
	return fmt.Errorf("%s is compared with %T, want %s: %w", c.Attr, c.Value, want, directory.ErrInvalid)
}

func unknownOp(c directory.Compare) error {
	return fmt.Errorf("operator %q does not apply to %s: %w", c.Op, c.Attr, directory.ErrInvalid)
}

// storable reports whether both engines can hold a text.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
