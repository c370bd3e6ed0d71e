package directory

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// A UserID names a user or one of a user's identities for life. It is a UUIDv7
// in canonical lower-case form. The first identity of a user has the user's id.
type UserID string

// A GroupID names a group for life: a UUIDv7 in canonical lower-case form.
type GroupID string

// A GroupNum is the number that the store gives a group once, from 1 up, never
// used again. Cached subjects hold numbers, not ids.
type GroupNum uint32

// A ProjectKey names a project. The empty key means the whole organization.
type ProjectKey string

// NewID returns a new id: a UUIDv7 in canonical form.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// IsID reports whether s has the canonical or upper-case form of a UUID with
// hyphens. Such a string is only ever one of our ids, never a userName.
func IsID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }

// A Revision counts the committed changes of facts. The empty store has 0.
type Revision int64

// A Fingerprint is the first 8 bytes of the chained hash over every change up
// to a revision, as a big-endian number.
type Fingerprint uint64

// FingerprintOf returns the fingerprint of a chain hash.
func FingerprintOf(chain [32]byte) Fingerprint {
	return Fingerprint(binary.BigEndian.Uint64(chain[:8]))
}

// String returns 16 hexadecimal digits.
func (f Fingerprint) String() string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(f))
	return hex.EncodeToString(b[:])
}

// A Stamp is one point of one history.
type Stamp struct {
	Revision    Revision
	Fingerprint Fingerprint
}

// String returns the form of the Usherd-Revision header: the revision in
// decimal, a hyphen and the fingerprint in 16 hexadecimal digits.
func (s Stamp) String() string {
	return strconv.FormatInt(int64(s.Revision), 10) + "-" + s.Fingerprint.String()
}

// ParseStamp reads the form that [Stamp.String] writes and nothing else.
func ParseStamp(text string) (Stamp, error) {
	rev, fp, ok := strings.Cut(text, "-")
	n, err := strconv.ParseInt(rev, 10, 64)
	if !ok || err != nil || n < 0 || len(fp) != 16 {
		return Stamp{}, fmt.Errorf("stamp must be <revision>-<16 hex digits>: %w", ErrInvalid)
	}
	f, err := strconv.ParseUint(fp, 16, 64)
	s := Stamp{Revision(n), Fingerprint(f)}
	if err != nil || s.String() != text {
		return Stamp{}, fmt.Errorf("stamp must be <revision>-<16 hex digits>: %w", ErrInvalid)
	}
	return s, nil
}
