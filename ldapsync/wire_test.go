package ldapsync

import (
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestTheHeadOfEveryMessageIsChecked(t *testing.T) {
	for _, c := range []struct {
		name, stream string // hex
		bad          bool
	}{
		{"a search result", "300c02010265070a010004000400", false},
		{"two of them", "300c02010265070a010004000400300c02010265070a010004000400", false},
		{"a long length", "30840000000c02010265070a010004000400", false},
		{"no SEQUENCE", "310c02010265070a010004000400", true},
		{"a second message that is none", "300c02010265070a010004000400ff", true},
		{"an indefinite length", "308002010265", true},
		{"2 GiB", "30847fffffff020102", true},
		{"a messageID that is text", "300c04010265", true},
		{"a negative messageID", "300c02018065", true},
		{"a messageID longer than the message", "3005020401020304", true},
		{"a request", "300c02010263", true},
		{"next to nothing", "3000", true},
	} {
		raw, err := hex.DecodeString(c.stream)
		if err != nil {
			t.Fatal(err)
		}
		var f framer
		if err := f.check(raw); (err != nil) != c.bad || err != nil && !errors.Is(err, errFraming) {
			t.Errorf("%s: check = %v, want an error = %v", c.name, err, c.bad)
		}
	}
}

// TestFramingDoesNotDependOnReads: how the stream is cut into reads is nothing.
func TestFramingDoesNotDependOnReads(t *testing.T) {
	message, _ := hex.DecodeString("300c02010265070a010004000400")
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		for range rapid.IntRange(1, 5).Draw(t, "messages") {
			stream = append(stream, message...)
		}
		spoiled := rapid.Bool().Draw(t, "spoiled")
		if spoiled {
			stream[rapid.IntRange(0, len(stream)/len(message)-1).Draw(t, "which")*len(message)] = 0x31
		}
		var f framer
		var err error
		for len(stream) > 0 {
			n := rapid.IntRange(1, len(stream)).Draw(t, "read")
			err = f.check(stream[:n])
			stream = stream[n:]
		}
		if (err != nil) != spoiled {
			t.Fatalf("check = %v, spoiled = %v", err, spoiled)
		}
	})
}
