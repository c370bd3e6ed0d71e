package directory

import (
	"errors"
	"fmt"
	"strings"
)

// What callers ask about. Errors wrap one of these.
var (
	// ErrInvalid: the change can never be performed as it stands.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound: no such living thing, or not one that the actor's source owns.
	ErrNotFound = errors.New("not found")
	// ErrExists: a name or external id is taken. The error is a [*TakenError].
	ErrExists = errors.New("already exists")
	// ErrVersion: the thing has changed since the version that was required.
	ErrVersion = errors.New("has changed")
	// ErrNotOwner: a source owns the thing and only it may alter it.
	ErrNotOwner = errors.New("owned by a source")
	// ErrInUse: the thing is referred to and can't be removed.
	ErrInUse = errors.New("in use")
	// ErrPaused: the source is paused; nothing is accepted from it.
	ErrPaused = errors.New("source is paused")
	// ErrFenced: the lease that the change requires is held by another.
	ErrFenced = errors.New("lease was lost")
	// ErrFull: the disk of the store is full, and nothing can be written until
	// somebody frees space.
	ErrFull = errors.New("disk is full")
	// ErrHistoryLost: the store no longer holds the history of a stamp.
	ErrHistoryLost = errors.New("revision belongs to another history")
	// ErrHistoryExpired: the revision is older than what is kept.
	ErrHistoryExpired = errors.New("history has expired")
)

// A UseError says which items of the policy can't go because they are in use. It
// wraps [ErrInUse].
type UseError struct{ Items []UsedItem }

// A UsedItem is an item of the policy with the first of what uses it, as people
// call it; users are named by id, as the error may be logged.
type UsedItem struct {
	Section Section
	Key     string
	Uses    []string // such as "group corp/Planners has a grant of role planner"
	More    int      // uses that Uses leaves out
}

// String is one line: the item and what uses it.
func (i UsedItem) String() string {
	text := fmt.Sprintf("%s/%s: %s", i.Section, i.Key, strings.Join(i.Uses, ", "))
	if i.More > 0 {
		text += fmt.Sprintf(", and %d more", i.More)
	}
	return text
}

func (e *UseError) Error() string {
	lines := make([]string, len(e.Items))
	for i, item := range e.Items {
		lines[i] = item.String()
	}
	return ErrInUse.Error() + ": " + strings.Join(lines, "; ")
}

// Unwrap returns [ErrInUse].
func (e *UseError) Unwrap() error { return ErrInUse }

// A TakenError says that a unique attribute is taken, and by whom. It wraps
// [ErrExists].
type TakenError struct {
	Attribute string     // "userName", "externalId" or "displayName"; "identity": the user has one of this source
	Holder    string     // identity or group id of the holder in its source
	Source    SourceName // the holder's source
	Active    bool       // whether the holding identity is active
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("%s is taken by %s of source %s", e.Attribute, e.Holder, e.Source)
}

// Unwrap returns [ErrExists].
func (e *TakenError) Unwrap() error { return ErrExists }
