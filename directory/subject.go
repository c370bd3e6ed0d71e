package directory

import (
	"encoding/binary"
	"fmt"
)

// A KeyKind is one way to ask for a subject.
type KeyKind uint8

// The kinds of key.
const (
	KeyID       KeyKind = iota + 1 // an identity's or user's id
	KeyUserName                    // canonical userName
	KeyEmail                       // canonical e-mail address
	KeyExternal                    // source and externalId
)

// A SubjectKey is one key under which a subject can be asked for. Value is in
// canonical form: a lower-case id, a [NameKey], or an externalId as it is.
type SubjectKey struct {
	Kind   KeyKind    `json:"k"`
	Source SourceName `json:"s,omitempty"`
	Value  string     `json:"v"`
}

// Encode returns the typed, length-prefixed form of k. Different keys have
// different encodings.
func (k SubjectKey) Encode() []byte {
	b := make([]byte, 0, 3+len(k.Source)+len(k.Value)+8)
	b = append(b, byte(k.Kind))
	b = binary.AppendUvarint(b, uint64(len(k.Source)))
	b = append(b, k.Source...)
	b = binary.AppendUvarint(b, uint64(len(k.Value)))
	return append(b, k.Value...)
}

// String returns the form for people; it may hold personal data.
func (k SubjectKey) String() string { return fmt.Sprintf("%d:%s/%s", k.Kind, k.Source, k.Value) }

// A Found says what a key led to.
type Found uint8

// The outcomes of a look-up. Unknown is the zero value and denies.
const (
	Unknown   Found = iota // nobody living
	Ambiguous              // more than one living user
	One
)

// A Membership is a direct membership of a cached subject: the group's number,
// and whether the membership is local (made here, so that it can be removed
// here).
type Membership struct {
	Group GroupNum `json:"g"`
	Local bool     `json:"l,omitempty"`
}

// A Subject is all that a decision needs to know of one person, independent of
// policy and of everything about groups. It was read at one revision, At.
type Subject struct {
	At          Stamp        `json:"at"`
	Found       Found        `json:"found"`
	ID          UserID       `json:"id,omitempty"`
	Type        UserType     `json:"type,omitempty"`
	Blocked     bool         `json:"blocked,omitempty"`
	Inactive    bool         `json:"inactive,omitempty"`    // some identity is inactive, gone or deleted
	Sources     []SourceName `json:"sources,omitempty"`     // of the identities that are not deleted
	Memberships []Membership `json:"memberships,omitempty"` // ascending by group
	Grants      []Grant      `json:"grants,omitempty"`      // own grants
	Overrides   []ProjectKey `json:"overrides,omitempty"`   // scopes with an override; "" is the organization
}

// People selects users by what they have at the revision that is asked about.
// The parts add up: whoever is in one of them is selected.
type People struct {
	IDs        []UserID     // these users, by a user's id only
	Groups     []GroupNum   // direct members of these groups
	Sources    []SourceName // who has an identity of these sources, deleted or not
	Granted    bool         // who has an own grant
	Overridden bool         // who has an override
	Everyone   bool

	After UserID // leaves out who comes up to this one, and it
	Limit int    // at most so many; 0 means all
}
