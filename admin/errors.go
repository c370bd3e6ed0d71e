package admin

import (
	"errors"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// What callers ask about, besides the sentinels of package directory.
var (
	// ErrPolicy: a policy or a list of grants can't be read or is not valid.
	ErrPolicy = errors.New("policy is invalid")
	// ErrTests: a test of the policy fails.
	ErrTests = errors.New("policy tests fail")
	// ErrAssertions: an assertion of a draft would not hold.
	ErrAssertions = errors.New("assertions fail")
	// ErrStale: what was previewed is no longer what would happen.
	ErrStale = errors.New("plan is stale")
	// ErrUnavailable: this needs the running daemon.
	ErrUnavailable = errors.New("not available")
	// ErrForbidden: the asker may not do this.
	ErrForbidden = errors.New("not allowed")

	errNoVersion = errors.New("If-Match is needed: the ETag that you saw, or * to replace whatever is there")
	errKeyReused = errors.New("this Idempotency-Key came with another request before; take a new one")
	errInFlight  = errors.New("the request of this Idempotency-Key is still being performed; ask again later")
	errTooMany   = errors.New("too many requests; slow down")
)

// A Fault is one thing wrong, and where: in a text, in the body of a request, or
// in its query.
type Fault struct {
	Pointer   *string `json:"pointer,omitempty"`   // JSON pointer into the body; empty is all of it
	Parameter string  `json:"parameter,omitempty"` // of the query
	File      string  `json:"file,omitempty"`
	Line      int     `json:"line,omitempty"`   // from 1
	Column    int     `json:"column,omitempty"` // from 1
	Detail    string  `json:"detail"`
}

// String is file:line:column: detail.
func (f Fault) String() string {
	if f.Line == 0 {
		return f.Detail
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Detail)
}

// A FaultsError lists everything wrong at once. It wraps Kind.
type FaultsError struct {
	Kind   error // ErrPolicy or ErrTests
	Faults []Fault
}

func (e *FaultsError) Error() string {
	msg := e.Kind.Error()
	for _, f := range e.Faults {
		msg += "\n" + f.String()
	}
	return msg
}

// Unwrap returns the kind.
func (e *FaultsError) Unwrap() error { return e.Kind }

// invalid is an error for the asker to fix.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{directory.ErrInvalid}, args...)...)
}

func notFound(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{directory.ErrNotFound}, args...)...)
}
