package cache

import (
	"errors"
	"time"

	"github.com/usherd/usherd/directory"
)

// Why there is no answer.
var (
	// ErrStale: the view is older than MaxStaleness.
	ErrStale = errors.New("what is known is older than allowed")
	// ErrNotReached: this replica has not seen the revision yet.
	ErrNotReached = errors.New("revision is not reached yet")
	// ErrNoView: nothing is loaded yet.
	ErrNoView = errors.New("nothing is loaded yet")
	// ErrLoad: a subject could not be read from the store.
	ErrLoad = errors.New("subject could not be read")
)

// retryAfter is what callers are told: a few polls of the head.
const retryAfter = time.Second

// An UnavailableError says that there is no answer now and that asking again
// may give one. It wraps one of the sentinels of this package. It is neither a
// deny nor an allow.
type UnavailableError struct {
	Err   error // a sentinel of this package
	Cause error // for the log, may be nil
}

func unavailable(err, cause error) error { return &UnavailableError{Err: err, Cause: cause} }

func (e *UnavailableError) Error() string {
	if e.Cause == nil {
		return e.Err.Error()
	}
	return e.Err.Error() + ": " + e.Cause.Error()
}

// Unwrap returns the sentinel. The cause is not unwrapped: what it says of
// histories and deadlines concerns this package alone.
func (e *UnavailableError) Unwrap() error { return e.Err }

// RetryAfter is how long the caller should wait.
func (e *UnavailableError) RetryAfter() time.Duration { return retryAfter }

// A LostError says that a required stamp belongs to a history that the store
// no longer has: after a restore, or a failover with loss. It wraps
// [directory.ErrHistoryLost].
type LostError struct {
	Wanted directory.Stamp
	Head   directory.Stamp
}

func (e *LostError) Error() string {
	return "revision " + e.Wanted.String() + " belongs to a lost history; the head is " + e.Head.String()
}

// Unwrap returns [directory.ErrHistoryLost].
func (e *LostError) Unwrap() error { return directory.ErrHistoryLost }
