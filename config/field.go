package config

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Prefix is a network, or one address as the network that holds only it.
type Prefix struct{ netip.Prefix }

// ParsePrefix reads 10.0.0.0/8 or 10.1.2.3.
func ParsePrefix(s string) (Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return Prefix{netip.PrefixFrom(addr, addr.BitLen())}, nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return Prefix{}, fmt.Errorf("%q is not an address or network such as 10.0.0.0/8", clip(s))
	}
	if p != p.Masked() {
		return Prefix{}, fmt.Errorf("%s has bits set beyond its length; the network is %s", s, p.Masked())
	}
	return Prefix{p}, nil
}

// field is one key of a block, as its tags describe it.
type field struct {
	index     int
	key       string
	typ       reflect.Type
	doc       string
	def       string
	min, max  string
	sep       string
	enum      []string
	path      bool
	restart   bool
	shorthand string
}

// fieldsOf returns the keys of the block t, in order.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, ok := f.Tag.Lookup("yaml")
		if !ok {
			continue
		}
		out := field{
			index: i, key: key, typ: f.Type,
			doc: f.Tag.Get("doc"), def: f.Tag.Get("default"),
			min: f.Tag.Get("min"), max: f.Tag.Get("max"),
			sep:  f.Tag.Get("sep"),
			path: f.Tag.Get("path") == "true", restart: f.Tag.Get("restart") == "true",
			shorthand: f.Tag.Get("shorthand"),
		}
		if out.sep == "" {
			out.sep = ","
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			out.enum = strings.Split(enum, "|")
		}
		fields = append(fields, out)
	}
	return fields
}

func keysOf(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

// isBlock reports whether t is a mapping with keys of its own: a struct of this
// package that is not a value.
func isBlock(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[Secret](), reflect.TypeFor[Prefix]():
		return false
	}
	return t.Kind() == reflect.Struct
}

// setText gives v, a single value, what text says. Its errors repeat text only
// where it cannot be a secret.
func (f field) setText(v reflect.Value, text string) error {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("control characters and invalid UTF-8 are not allowed")
	}
	switch p := v.Addr().Interface().(type) {
	case *string:
		return f.setString(p, text)
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("want true or false, got %q", clip(text))
		}
		*p = text == "true"
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("want a whole number, got %q", clip(text))
		}
		*p = n
		return f.within(int64(n), func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	case *Duration:
		d, err := ParseDuration(text)
		if err != nil {
			return err
		}
		*p = d
		return f.within(int64(d), func(s string) (int64, error) { d, err := ParseDuration(s); return int64(d), err })
	case *Prefix:
		var err error
		*p, err = ParsePrefix(text)
		return err
	case *Secret:
		var err error
		*p, err = parseSecretRef(text)
		return err
	default:
		panic(fmt.Sprintf("config: no way to read a %s", v.Type()))
	}
	return nil
}

func (f field) setString(p *string, text string) error {
	switch {
	case text == "":
		return errors.New("empty; remove the key to get the default")
	case strings.TrimSpace(text) != text:
		return errors.New("white space at the beginning or end")
	case len(f.enum) == 1 && text != f.enum[0]:
		return fmt.Errorf("want %s, got %q", f.enum[0], clip(text))
	case f.enum != nil && !slices.Contains(f.enum, text):
		hint := didYouMean(text, f.enum)
		if hint != "" {
			hint = "; " + hint
		}
		return fmt.Errorf("%q is not one of %s%s", clip(text), strings.Join(f.enum, ", "), hint)
	}
	*p = text
	return nil
}

// within checks the bounds of the tags.
func (f field) within(n int64, parse func(string) (int64, error)) error {
	if f.min != "" {
		if least, err := parse(f.min); err != nil {
			return fmt.Errorf("config: tag min of %s: %w", f.key, err)
		} else if n < least {
			return fmt.Errorf("below the least allowed, %s", f.min)
		}
	}
	if f.max != "" {
		if most, err := parse(f.max); err != nil {
			return fmt.Errorf("config: tag max of %s: %w", f.key, err)
		} else if n > most {
			return fmt.Errorf("above the most allowed, %s", f.max)
		}
	}
	return nil
}

// text writes the single value v as setText reads it. A secret is where it is.
func text(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case int:
		return strconv.Itoa(x)
	case Duration:
		return x.String()
	case Prefix:
		return x.String()
	case Secret:
		return x.Ref()
	}
	panic(fmt.Sprintf("config: no way to write a %s", v.Type()))
}
