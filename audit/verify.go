package audit

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"iter"
)

// ErrBroken says that records are not the chain that was written.
var ErrBroken = errors.New("audit chain is broken")

// A BreakError says where a chain breaks first. It wraps [ErrBroken].
type BreakError struct {
	Seq    int64 // the number that was expected there
	Reason string
}

func (e *BreakError) Error() string { return fmt.Sprintf("audit record %d: %s", e.Seq, e.Reason) }

// Unwrap returns [ErrBroken].
func (e *BreakError) Unwrap() error { return ErrBroken }

// Verify checks that records continue the chain after a point, which is trusted,
// and returns the last place up to which they do. The error is a [*BreakError],
// or one that reading gave.
func Verify(after Point, records iter.Seq2[Record, error]) (Point, error) {
	at := after
	for r, err := range records {
		if err != nil {
			return at, fmt.Errorf("reading audit record %d: %w", at.Seq+1, err)
		}
		if r.Seq != at.Seq+1 {
			return at, &BreakError{at.Seq + 1, fmt.Sprintf("missing: the next one is %d", r.Seq)}
		}
		want := r.Sum(at.Hash)
		if subtle.ConstantTimeCompare(want[:], r.Hash[:]) != 1 {
			return at, &BreakError{r.Seq, "its hash does not fit its contents and the record before it"}
		}
		at = r.Point()
	}
	return at, nil
}
