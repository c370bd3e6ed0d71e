package authz

import (
	"fmt"

	"github.com/usherd/usherd/directory"
)

// A Code is the reason of a decision. The codes are stable, and their order is
// their precedence: of several reasons to deny the first one is given.
type Code uint8

// The codes. Undecided is the zero value and denies.
const (
	Undecided Code = iota
	UnknownSubjectType
	AmbiguousSubject
	UnknownSubject
	BlockedUser
	InactiveUser
	UnknownType
	UnknownResource
	UnknownAction
	UnknownProject
	AmbiguousProject
	ProjectRequired
	MissingAccess
	LevelTooLow
	BlockedGroup
	OtherProject
	HiddenByOverride
	SuspendedMapping
	NoGrant
	Granted
)

var codeNames = [...]string{
	"undecided", "unknown_subject_type", "ambiguous_subject", "unknown_subject", "blocked_user", "inactive_user",
	"unknown_type", "unknown_resource", "unknown_action", "unknown_project", "ambiguous_project", "project_required",
	"missing_access", "level_too_low", "blocked_group", "other_project", "hidden_by_override", "suspended_mapping",
	"no_grant", "granted",
}

// String returns the stable name of the code, e.g. "no_grant".
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("Code(%d)", uint8(c))
}

// MarshalText writes the stable name.
func (c Code) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the stable name.
func (c *Code) UnmarshalText(text []byte) error {
	for i, name := range codeNames {
		if name == string(text) {
			*c = Code(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a reason code: %w", text, directory.ErrInvalid)
}

// A Decision is the answer for one subject, action and resource. The zero
// Decision denies.
type Decision struct {
	Allow bool
	Code  Code
}

// decided makes the decision that belongs to a code.
func decided(c Code) Decision { return Decision{Allow: c == Granted, Code: c} }
