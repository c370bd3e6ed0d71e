package directory

import (
	"encoding/json"
	"time"
)

// A GroupStatus is ours on any group.
type GroupStatus string

// The statuses of a group.
const (
	GroupActive  GroupStatus = "active"
	GroupBlocked GroupStatus = "blocked" // gives nothing, and no path leads through it
)

// A Group is a named set of users and groups, owned by one source.
type Group struct {
	ID          GroupID         `json:"id"`
	Num         GroupNum        `json:"num"`
	Source      SourceName      `json:"source"`
	Name        string          `json:"name"`
	ExternalID  string          `json:"externalId,omitempty"` // LDAP: the stable id
	DN          string          `json:"dn,omitempty"`
	Project     ProjectKey      `json:"project,omitempty"`
	Status      GroupStatus     `json:"status"`
	Description string          `json:"description,omitempty"`
	Attributes  json.RawMessage `json:"attributes,omitempty"` // RFC 7643 Group without members, id and meta
	Members     int             `json:"memberCount"`          // known members
	Pending     int             `json:"pendingCount"`
	Created     time.Time       `json:"created"`
	Modified    time.Time       `json:"modified"`
	Version     int64           `json:"version"`
}

// A MemberKind says what a member is.
type MemberKind string

// The kinds of member.
const (
	UserMember    MemberKind = "user"
	GroupMember   MemberKind = "group"
	PendingMember MemberKind = "pending" // not known yet in this source; gives nothing
)

// Via says which attribute of the directory makes the edge, so that taking one
// away leaves the other.
type Via string

// The ways a member belongs to a group.
const (
	ViaMember       Via = "member"
	ViaPrimaryGroup Via = "primary" // Active Directory primaryGroupID
)

// A Member is one direct edge into a group.
type Member struct {
	Kind  MemberKind `json:"kind"`
	ID    string     `json:"id,omitempty"` // user or group id; empty while pending
	Value string     `json:"value"`        // as the source names it: identity or group id, or what was sent
	Via   Via        `json:"via"`
}

// A GroupRef names a group of which somebody is a direct member.
type GroupRef struct {
	ID   GroupID  `json:"id"`
	Num  GroupNum `json:"num"`
	Name string   `json:"name"`
}
