package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/usherd/usherd/directory"
)

const (
	maxID     = 1024    // bytes of an external id or a member value: an index holds it
	maxDN     = 2048    // bytes of a DN
	maxString = 1 << 16 // bytes of any other string
	listRows  = 5000    // rows in one JSON parameter
)

// checkText refuses what one of the engines can't keep, or not in an index.
func checkText(what, value string, limit int) error {
	switch {
	case len(value) > limit:
		return fmt.Errorf("%s is longer than %d bytes: %w", what, limit, directory.ErrInvalid)
	case !utf8.ValidString(value):
		return fmt.Errorf("%s is not valid UTF-8: %w", what, directory.ErrInvalid)
	case strings.ContainsRune(value, 0):
		return fmt.Errorf("%s holds a NUL: %w", what, directory.ErrInvalid)
	}
	return nil
}

// compact returns JSON without white space, and nothing for nothing.
func compact(what string, raw json.RawMessage) (string, error) {
	if len(raw) == 0 {
		return "", nil
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil || !utf8.Valid(raw) {
		return "", fmt.Errorf("%s is not JSON: %w", what, directory.ErrInvalid)
	}
	return out.String(), nil
}

// sameJSON reports whether two texts mean the same value.
func sameJSON(a, b string) bool {
	if a == b {
		return true
	}
	x, err1 := decodeJSON(a)
	y, err2 := decodeJSON(b)
	return err1 == nil && err2 == nil && reflect.DeepEqual(x, y)
}

// decodeJSON keeps numbers as they are written.
func decodeJSON(text string) (v any, err error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

// list encodes strings as the one-column table that edit.column reads.
func list(values []string) string {
	table := make([][1]string, len(values))
	for i, v := range values {
		table[i][0] = v
	}
	return encodeTable(table)
}

// encodeTable encodes arrays of strings and numbers, which JSON always can.
func encodeTable(table any) string {
	b, _ := json.Marshal(table) // strings and numbers always are JSON
	return string(b)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// keyOrNone is for names that need not be searchable, such as display names:
// one that has no canonical key is kept without.
func keyOrNone(name string) string {
	key, err := directory.KeyOf(name)
	if err != nil {
		return ""
	}
	return string(key)
}
