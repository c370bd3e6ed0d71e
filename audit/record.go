package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
)

// A Hash is a link of the chain: a SHA-256. The zero Hash stands before the
// first record.
type Hash [sha256.Size]byte

// String returns 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads what [Hash.String] writes and nothing else.
func ParseHash(text string) (Hash, error) {
	var h Hash
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != text {
		return Hash{}, errors.New("audit: a hash is 64 lower-case hexadecimal digits")
	}
	copy(h[:], b)
	return h, nil
}

// A Record tells of one change. Actor and Changes are covered byte for byte as
// they are kept; Hash is not part of what it covers.
type Record struct {
	Seq     int64  // from 1, without gaps
	Time    int64  // milliseconds since 1970
	Actor   string // JSON: who
	Changes string // JSON: what
	Hash    Hash
}

// A Point is a place in the chain: the number and hash of a record. The zero
// Point stands before the first one.
type Point struct {
	Seq  int64
	Hash Hash
}

// String returns "number:hash".
func (p Point) String() string { return fmt.Sprintf("%d:%v", p.Seq, p.Hash) }

// Point returns the place of r.
func (r Record) Point() Point { return Point{r.Seq, r.Hash} }

// The tags of the fields. They are never given another meaning; another layout
// gets another label.
const (
	label = "usherd/audit/1"

	tagLabel byte = iota
	tagPrevious
	tagSeq
	tagPayload
	tagTime
	tagActor
	tagChanges
)

// Sum returns the hash that r has after a record with the hash previous.
func (r Record) Sum(previous Hash) Hash {
	payload := int64(len(r.Actor)+len(r.Changes)) + 3*headLen + 8
	w := sha256.New()
	field(w, tagLabel, label)
	field(w, tagPrevious, string(previous[:]))
	number(w, tagSeq, r.Seq)
	head(w, tagPayload, payload)
	number(w, tagTime, r.Time)
	field(w, tagActor, r.Actor)
	field(w, tagChanges, r.Changes)
	var h Hash
	w.Sum(h[:0])
	return h
}

// headLen is the length of a field's tag and length.
const headLen = 9

func head(w hash.Hash, tag byte, length int64) {
	b := binary.BigEndian.AppendUint64([]byte{tag}, uint64(length))
	w.Write(b) // a hash never fails
}

func field(w hash.Hash, tag byte, value string) {
	head(w, tag, int64(len(value)))
	w.Write([]byte(value)) // a hash never fails
}

func number(w hash.Hash, tag byte, n int64) {
	head(w, tag, 8)
	w.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) // a hash never fails
}
