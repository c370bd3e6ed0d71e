package directory

import (
	"encoding/json"
	"time"
)

// A Change is one alteration of a fact, or a condition under which the changes
// beside it are performed. The set of changes is closed.
//
//sumtype:decl
type Change interface{ change() }

// Sources.
type (
	// PutSource creates a source or alters its kind's settings and rank.
	PutSource struct{ Source Source }

	// SetSourceState pauses, disables or activates a source.
	SetSourceState struct {
		Source SourceName
		State  SourceState
	}

	// RemoveSource ends a disabled source. Its people are deleted, or stay as
	// local users if KeepPeople is set; its groups are deleted, or become local.
	// Memberships that an override hides then end, as local ones do when it is
	// set.
	RemoveSource struct {
		Source     SourceName
		KeepPeople bool
	}
)

// Users. ID is always the identity's id, which the caller makes by [NewID] for
// a new one.
type (
	// CreateUser makes a user with its first identity. A userName that a living
	// user of any source has, and an externalId that the source has given
	// already, are a [*TakenError].
	//
	// One whose externalId a deleted identity of a living user remembers is no
	// new one: that identity is revived under its own id, and ID is not used.
	// Else, with User set, the identity joins that living user: the caller has
	// found that linking allows it. Without User, it joins the user whom
	// [LinkUser] named for it. A user has one identity of a source at most;
	// another one, deleted or not, or had one that was detached, is a
	// [*TakenError] about "identity".
	CreateUser struct {
		ID      UserID
		Source  SourceName
		Profile Profile
		User    UserID
	}

	// ReplaceUser gives an identity a new profile, and makes it present if it
	// was gone. IfVersion 0 means any version, else another version is
	// [ErrVersion].
	ReplaceUser struct {
		ID        UserID
		Source    SourceName
		IfVersion int64
		Profile   Profile
	}

	// DeleteUser deletes an identity: its userName and externalId are free. A
	// user all of whose identities are deleted is deleted: memberships,
	// grants and overrides end.
	DeleteUser struct {
		ID     UserID
		Source SourceName
	}

	// LinkUser says by hand that the identity which a source delivers next with
	// this externalId, or this userName, joins User. An empty User takes that
	// back. It ends with the user and with the source, and when it is used.
	LinkUser struct {
		Source SourceName
		Value  string
		User   UserID
	}

	// DetachUser takes an identity away from its user, for good: it says nothing
	// any more, and its id names nobody. Value is its id or its externalId. The
	// only identity of a user that is not deleted is [ErrInUse]. Another one
	// of Source joins that user by [LinkUser] alone from then on.
	DetachUser struct {
		Source SourceName
		Value  string
	}

	// RestoreUser brings a user back who was deleted within [RestoreFor], with
	// the identities that were deleted last, as they were. Memberships, grants
	// and overrides have ended and stay so. A name that is taken meanwhile is a
	// [*TakenError]; one deleted longer ago, or erased, is [ErrNotFound]. An
	// identity of a source that is gone comes back as a local one; one that was
	// gone from an LDAP source is gone still, until a read has it again.
	RestoreUser struct{ User UserID }

	// EraseUser takes the personal data of a deleted user out of all rows, past
	// ones included. Ids stay. One who is not deleted is [ErrInUse].
	EraseUser struct{ User UserID }

	// SetPresence marks an identity as gone from a complete read, or as back.
	SetPresence struct {
		ID       UserID
		Source   SourceName
		Presence Presence // Present or Gone
	}

	// SetBlock sets or clears our own switch on a user.
	SetBlock struct {
		User    UserID
		Blocked bool
		Reason  string
	}
)

// Groups.
type (
	// CreateGroup makes a group. Its name is unique within a SCIM source and
	// among local groups of one project; a taken name or externalId is a
	// [*TakenError].
	CreateGroup struct {
		ID          GroupID
		Source      SourceName
		Name        string
		ExternalID  string
		DN          string
		Project     ProjectKey
		Description string
		Attributes  json.RawMessage
	}

	// UpdateGroup alters what the source owns. A nil field stays.
	UpdateGroup struct {
		ID         GroupID
		Source     SourceName
		IfVersion  int64 // 0 means any
		Name       *string
		ExternalID *string
		DN         *string
		Attributes json.RawMessage
	}

	// DeleteGroup ends a group with its memberships and grants.
	DeleteGroup struct {
		ID     GroupID
		Source SourceName
	}

	// SetGroupStatus blocks or unblocks a group of any source.
	SetGroupStatus struct {
		Group  GroupID
		Status GroupStatus
	}

	// SetGroupScope limits a group of any source to a project; the empty key
	// makes it organization-wide again.
	SetGroupScope struct {
		Group   GroupID
		Project ProjectKey
	}

	// SetGroupDescription sets our description of a group.
	SetGroupDescription struct {
		Group       GroupID
		Description string
	}
)

// Members. A value is the id of an identity or group of the same source (of
// any source if the group is local), else an externalId of the same source,
// else it is kept as pending. None of these reads the member list; what is
// already so alters nothing. An empty Via means ViaMember.
type (
	// AddMembers adds direct members.
	AddMembers struct {
		Group  GroupID
		Source SourceName
		Values []string
		Via    Via
	}

	// RemoveMembers takes direct members away, pending ones by what was sent.
	RemoveMembers struct {
		Group  GroupID
		Source SourceName
		Values []string
		Via    Via
	}

	// ReplaceMembers makes Values the whole list of direct members via Via. An
	// empty list empties the group.
	ReplaceMembers struct {
		Group  GroupID
		Source SourceName
		Values []string
		Via    Via
	}
)

// What is ours on anybody.
type (
	// PutGrant gives a grant. A grant of the same thing to the same holder in
	// the same scope is replaced (an integration level changes, say) or, if
	// equal, alters nothing. An empty ID is filled in.
	PutGrant struct{ Grant Grant }

	// EndGrant takes a grant back: the one of the same holder, scope and thing,
	// whatever its level. None is [ErrNotFound].
	EndGrant struct{ Grant Grant }

	// SetOverride replaces what a user has in one scope by Grants, or by a
	// membership in Group if that is set. What can be removed in that scope
	// (local memberships, own grants) is removed.
	SetOverride struct {
		User    UserID
		Project ProjectKey
		Grants  []GrantSet // their Project is that of the override
		Group   GroupID
		Reason  string
	}

	// EndOverride ends an override and takes back what it brought.
	EndOverride struct {
		User    UserID
		Project ProjectKey
	}
)

// Policy and tokens.
type (
	// SetPolicy replaces the named sections of the policy as wholes. The
	// caller has validated them. A key in use that would vanish is [ErrInUse];
	// a project or key is in use by a stored grant, a group's scope or an
	// override. Bindings of unchanged mappings stay.
	SetPolicy struct {
		Policy   Policy
		Sections []Section
		// Bound, if it is not nil, are the groups to which mappings that give
		// administration rights may be bound: others that they match wait for a
		// confirmation, because whoever looked at the change did not see them.
		Bound []Binding
	}

	// ConfirmMapping binds a mapping to a group for which it was suspended.
	ConfirmMapping struct {
		Mapping string
		Group   GroupID
	}

	// CreateToken keeps a token. Hash is what [HashToken] made of its secret.
	CreateToken struct {
		Token Token
		Hash  []byte
	}

	// RevokeToken ends a token at once.
	RevokeToken struct{ ID string }

	// LimitToken lets a token expire earlier than it would. A later time alters
	// nothing.
	LimitToken struct {
		ID      string
		Expires time.Time
	}
)

// Conditions and what travels with changes.
type (
	// RequireVersion fails with [ErrVersion] unless the identity or group of
	// that id has this version now.
	RequireVersion struct {
		ID      string
		Version int64
	}

	// RequirePolicy fails with [ErrVersion] if the policy (any section, or a
	// binding) changed after this revision.
	RequirePolicy struct{ Revision Revision }

	// RequireLease fails with [ErrFenced] unless the lease still has this
	// epoch.
	RequireLease struct {
		Name  string
		Epoch int64
	}

	// SetCursor keeps a source's place in a directory. It is no fact: alone it
	// makes no revision.
	SetCursor struct {
		Source SourceName
		Cursor json.RawMessage
	}

	// Note leaves an audit record of what alters no fact and is to be known all
	// the same: a webhook was made, a list was exported. It makes a revision that
	// touches nothing.
	Note struct {
		Action     string   // such as "webhook.created"
		Target     string   // id, key or name
		Attributes []string // names of what it concerns, never what they hold
	}
)

func (PutSource) change()           {}
func (SetSourceState) change()      {}
func (RemoveSource) change()        {}
func (CreateUser) change()          {}
func (ReplaceUser) change()         {}
func (DeleteUser) change()          {}
func (LinkUser) change()            {}
func (DetachUser) change()          {}
func (RestoreUser) change()         {}
func (EraseUser) change()           {}
func (SetPresence) change()         {}
func (SetBlock) change()            {}
func (CreateGroup) change()         {}
func (UpdateGroup) change()         {}
func (DeleteGroup) change()         {}
func (SetGroupStatus) change()      {}
func (SetGroupScope) change()       {}
func (SetGroupDescription) change() {}
func (AddMembers) change()          {}
func (RemoveMembers) change()       {}
func (ReplaceMembers) change()      {}
func (PutGrant) change()            {}
func (EndGrant) change()            {}
func (SetOverride) change()         {}
func (EndOverride) change()         {}
func (SetPolicy) change()           {}
func (ConfirmMapping) change()      {}
func (CreateToken) change()         {}
func (RevokeToken) change()         {}
func (LimitToken) change()          {}
func (RequireVersion) change()      {}
func (RequirePolicy) change()       {}
func (RequireLease) change()        {}
func (SetCursor) change()           {}
func (Note) change()                {}

// An Actor is who asks for changes; it goes into the audit record.
type Actor struct {
	Kind    string     `json:"kind"`              // "scim", "ldap", "admin", "socket" or "system"
	Name    string     `json:"name"`              // source, token name, or user id
	Source  SourceName `json:"source,omitempty"`  // set if the actor is a source: it reaches only what it owns
	Token   string     `json:"token,omitempty"`   // id of the token used
	Request string     `json:"request,omitempty"` // request or run id
	Reason  string     `json:"reason,omitempty"`
	// Address is the IP address that the request came from; empty if it came by
	// no network (the socket, a poll, the daemon itself). See [AddressOf].
	Address string `json:"address,omitempty"`
}

// Applied is what an Apply led to. If nothing was altered, Changed is false and
// Stamp is the head as it was seen.
type Applied struct {
	Stamp   Stamp
	Changed bool
	Time    time.Time
}
