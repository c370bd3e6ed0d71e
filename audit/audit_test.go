package audit_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/usherd/usherd/audit"
)

// chain returns n records that follow each other from the first.
func chain(n int) []audit.Record {
	var records []audit.Record
	var at audit.Hash
	for i := range n {
		r := audit.Record{Seq: int64(i + 1), Time: int64(1000 * i), Actor: fmt.Sprintf(`{"name":"a%d"}`, i), Changes: `[{"type":"t"}]`}
		r.Hash = r.Sum(at)
		at = r.Hash
		records = append(records, r)
	}
	return records
}

func all(records []audit.Record) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestVerify(t *testing.T) {
	whole := chain(5)
	for _, tt := range []struct {
		name   string
		alter  func([]audit.Record) []audit.Record
		broken int64 // 0: holds
	}{
		{"what was written holds", func(r []audit.Record) []audit.Record { return r }, 0},
		{"no records hold", func([]audit.Record) []audit.Record { return nil }, 0},
		{"an edited change shows", func(r []audit.Record) []audit.Record { r[2].Changes = "[]"; return r }, 3},
		{"an edited actor shows", func(r []audit.Record) []audit.Record { r[2].Actor = "{}"; return r }, 3},
		{"an edited time shows", func(r []audit.Record) []audit.Record { r[2].Time++; return r }, 3},
		{"a removed record shows", func(r []audit.Record) []audit.Record { return slices.Delete(r, 1, 2) }, 2},
		{"a removed and renumbered record shows", func(r []audit.Record) []audit.Record {
			r = slices.Delete(r, 1, 2)
			for i := range r {
				r[i].Seq = int64(i + 1)
			}
			return r
		}, 2},
		{"a missing beginning shows", func(r []audit.Record) []audit.Record { return r[1:] }, 1},
		{"swapped records show", func(r []audit.Record) []audit.Record { r[1], r[2] = r[2], r[1]; return r }, 2},
		{"a repeated record shows", func(r []audit.Record) []audit.Record { return slices.Insert(r, 2, r[1]) }, 3},
		{"an edit with a hash of its own shows at the next", func(r []audit.Record) []audit.Record {
			r[2].Changes = "[]"
			r[2].Hash = r[2].Sum(r[1].Hash)
			return r
		}, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			records := tt.alter(slices.Clone(whole))
			at, err := audit.Verify(audit.Point{}, all(records))
			if tt.broken == 0 {
				if err != nil || at.Seq != int64(len(records)) {
					t.Fatalf("Verify = %v, %v; want record %d", at, err, len(records))
				}
				return
			}
			breach, ok := errors.AsType[*audit.BreakError](err)
			if !ok || breach.Seq != tt.broken || !errors.Is(err, audit.ErrBroken) {
				t.Errorf("Verify = %v, %v; want a break at %d", at, err, tt.broken)
			}
			if at.Seq != tt.broken-1 {
				t.Errorf("Verify holds up to %d, want %d", at.Seq, tt.broken-1)
			}
		})
	}
}

func TestVerifyGoesOnFromATrustedPoint(t *testing.T) {
	whole := chain(6)
	at, err := audit.Verify(whole[3].Point(), all(whole[4:]))
	if err != nil || at != whole[5].Point() {
		t.Errorf("Verify after record 4 = %v, %v; want %v", at, err, whole[5].Point())
	}
	other := whole[3].Point()
	other.Hash[31] ^= 1
	if _, err := audit.Verify(other, all(whole[4:])); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("Verify after another point = %v, want ErrBroken", err)
	}
}

func TestVerifyHandsOnAReadingError(t *testing.T) {
	lost := errors.New("lost")
	_, err := audit.Verify(audit.Point{}, func(yield func(audit.Record, error) bool) { yield(audit.Record{}, lost) })
	if !errors.Is(err, lost) || errors.Is(err, audit.ErrBroken) {
		t.Errorf("Verify = %v, want the reading error alone", err)
	}
}

// TestAnyChangedByteShows alters one byte anywhere in one record.
func TestAnyChangedByteShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := chain(rapid.IntRange(1, 5).Draw(t, "records"))
		r := &records[rapid.IntRange(0, len(records)-1).Draw(t, "record")]
		flip := byte(1) << rapid.IntRange(0, 7).Draw(t, "bit")
		inText := func(s *string) {
			b := []byte(*s)
			b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= flip
			*s = string(b)
		}
		switch rapid.IntRange(0, 4).Draw(t, "field") {
		case 0:
			r.Seq ^= int64(flip)
		case 1:
			r.Time ^= int64(flip)
		case 2:
			inText(&r.Actor)
		case 3:
			inText(&r.Changes)
		case 4:
			r.Hash[rapid.IntRange(0, 31).Draw(t, "byte")] ^= flip
		}
		if _, err := audit.Verify(audit.Point{}, all(records)); !errors.Is(err, audit.ErrBroken) {
			t.Errorf("Verify after one changed bit = %v, want ErrBroken", err)
		}
	})
}

// TestFieldsDoNotRunTogether moves bytes from one field to its neighbour.
func TestFieldsDoNotRunTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(1, 20, 40).Draw(t, "text")
		i, j := rapid.IntRange(0, len(text)).Draw(t, "cut"), rapid.IntRange(0, len(text)).Draw(t, "other cut")
		a := audit.Record{Seq: 1, Actor: text[:i], Changes: text[i:]}
		b := audit.Record{Seq: 1, Actor: text[:j], Changes: text[j:]}
		if (a.Sum(audit.Hash{}) == b.Sum(audit.Hash{})) != (i == j) {
			t.Errorf("Sum of %q|%q and %q|%q must differ", a.Actor, a.Changes, b.Actor, b.Changes)
		}
	})
}

func TestSumIsFixed(t *testing.T) {
	r := audit.Record{Seq: 7, Time: 1700000000000, Actor: `{"kind":"system"}`, Changes: `[]`}
	const want = "383a2b927d3ac7fac00fb22c8f8e371fcfff6c98e22e96a7acc244b90ce5b188"
	if got := r.Sum(audit.Hash{1}).String(); got != want {
		t.Errorf("Sum = %s, want %s: kept chains would no longer verify", got, want)
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(strings.Repeat("0a", 32))
	f.Add("")
	f.Add(strings.Repeat("0A", 32))
	f.Fuzz(func(t *testing.T, text string) {
		h, err := audit.ParseHash(text)
		if err == nil && h.String() != text {
			t.Errorf("ParseHash(%q) = %v, which is written otherwise", text, h)
		}
	})
}
