package directory

import "time"

// A GrantOrigin says what made a grant.
type GrantOrigin string

// The origins of a stored grant. What a mapping gives is computed from the
// mapping and never stored as a grant.
const (
	ByHand     GrantOrigin = "manual"   // console, API or command line
	ByOverride GrantOrigin = "override" // brought by an override, ends with it
)

// A Grant gives one user or one group one privilege or one Role, in one scope.
// Exactly one of User and Group, and exactly one of Role and Privilege.Kind is
// set.
type Grant struct {
	ID        string      `json:"id"`
	User      UserID      `json:"user,omitempty"`
	Group     GroupID     `json:"group,omitempty"`
	Project   ProjectKey  `json:"project,omitempty"`
	Role      RoleName    `json:"role,omitempty"`
	Privilege Privilege   `json:"privilege,omitzero"`
	Origin    GrantOrigin `json:"origin"`
	By        string      `json:"by,omitempty"` // the actor, for people
	Created   time.Time   `json:"created"`
}

// An Override replaces what a user has in exactly one scope: see rule 9 of the
// decision. Group is set if the edit made a user group.
type Override struct {
	User    UserID     `json:"user"`
	Project ProjectKey `json:"project,omitempty"`
	Group   GroupID    `json:"group,omitempty"`
	By      string     `json:"by,omitempty"`
	Reason  string     `json:"reason,omitempty"`
	Created time.Time  `json:"created"`
}
