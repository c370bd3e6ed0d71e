package directory

import (
	"encoding/json"
	"time"
)

// A UserType tells people from machine accounts.
type UserType string

// The types of user.
const (
	Standard UserType = "standard"
	Service  UserType = "service"
)

// An Email is one e-mail address (RFC 7643, section 4.1.2).
type Email struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

// A Profile is what a source says of a person. Attributes is the whole RFC
// 7643 User as the source sent it, in canonical attribute names, without id,
// meta, groups and password; the other fields repeat what is looked up or
// decided by and win over it.
type Profile struct {
	UserName    string          `json:"userName"`
	ExternalID  string          `json:"externalId,omitempty"` // LDAP: the stable id
	DN          string          `json:"dn,omitempty"`         // LDAP only
	DisplayName string          `json:"displayName,omitempty"`
	Type        UserType        `json:"type,omitempty"` // empty means Standard
	Active      bool            `json:"active"`
	Emails      []Email         `json:"emails,omitempty"`
	Attributes  json.RawMessage `json:"attributes,omitempty"`
}

// A Presence says whether a source still has an identity.
type Presence string

// The presences of an identity.
const (
	Present Presence = "present"
	Gone    Presence = "gone"    // missing from a complete read; inactive, may come back
	Deleted Presence = "deleted" // the source deleted it; says inactive until revived or detached
)

// An Identity is what one source says of a user.
type Identity struct {
	ID       UserID     `json:"id"` // the SCIM id
	User     UserID     `json:"user"`
	Source   SourceName `json:"source"`
	Presence Presence   `json:"presence"`
	Profile
	GoneSince time.Time `json:"goneSince,omitzero"`
	Created   time.Time `json:"created"`
	Modified  time.Time `json:"modified"`
	Version   int64     `json:"version"` // from 1, grows with every change of the identity
}

// A User is a person or machine account with what is ours on it.
type User struct {
	ID           UserID     `json:"id"`
	Type         UserType   `json:"type"`
	Blocked      bool       `json:"blocked"`
	BlockReason  string     `json:"blockReason,omitempty"`
	Identities   []Identity `json:"identities"`
	LastLogin    time.Time  `json:"lastLogin,omitzero"`
	Created      time.Time  `json:"created"`
	DeletedSince time.Time  `json:"deletedSince,omitzero"`
	// Detached are the sources of which an identity was taken away by hand: no rule
	// links another one of theirs to u, until one joins u by [LinkUser].
	Detached []SourceName `json:"detached,omitempty"`
}

// RestoreFor is how long after its deletion an administrator may restore a user.
const RestoreFor = 30 * 24 * time.Hour

// Shown returns the identity whose attributes are shown for u: the first in the
// order of the sources that is not deleted, else the first. It is nil if there
// is none.
func (u *User) Shown() *Identity {
	for i := range u.Identities {
		if u.Identities[i].Presence != Deleted {
			return &u.Identities[i]
		}
	}
	if len(u.Identities) > 0 {
		return &u.Identities[0]
	}
	return nil
}
