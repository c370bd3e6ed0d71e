package directory

import (
	"fmt"
	"strings"
)

// A PrivilegeKind is one of the four kinds of privilege.
type PrivilegeKind string

// The kinds of privilege.
const (
	Access           PrivilegeKind = "access"      // open a feature
	RolePrivilege    PrivilegeKind = "role"        // act inside a feature or on a thing
	OutputPrivilege  PrivilegeKind = "output"      // generate an output
	IntegrationLevel PrivilegeKind = "integration" // a level on a connection
)

// A Level orders what may be done with a connection.
type Level uint8

// The levels, each containing those before it.
const (
	NoLevel Level = iota // an assignment like any other, without effect
	Viewer
	Consumer
	Admin
)

var levelNames = [...]string{"none", "viewer", "consumer", "admin"}

// String returns none, viewer, consumer or admin.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// ParseLevel reads what [Level.String] writes.
func ParseLevel(s string) (Level, error) {
	for i, name := range levelNames {
		if s == name {
			return Level(i), nil
		}
	}
	return 0, fmt.Errorf("level %q is not one of none, viewer, consumer, admin: %w", s, ErrInvalid)
}

// MarshalText writes the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the level's name.
func (l *Level) UnmarshalText(text []byte) (err error) {
	*l, err = ParseLevel(string(text))
	return err
}

// A Privilege is one atomic right of one kind. Key is
//
//   - access: the feature's key
//   - role: "feature:action", or "type:id:action" for other resources, where
//     the type ends at the first colon, the action begins after the last, and
//     the id * covers every id
//   - output: the output's key
//   - integration: the connection's key or *; Level says how much
type Privilege struct {
	Kind  PrivilegeKind `json:"kind"`
	Key   string        `json:"key"`
	Level Level         `json:"level,omitempty"`
}

// String returns "kind key" or "integration key=level".
func (p Privilege) String() string {
	if p.Kind == IntegrationLevel {
		return string(p.Kind) + " " + p.Key + "=" + p.Level.String()
	}
	return string(p.Kind) + " " + p.Key
}

// SplitRoleKey takes the key of a role privilege apart. For "part-list:edit" it
// is "feature", "part-list", "edit"; for "record:a:b:read" it is "record",
// "a:b", "read". It is false for anything else.
func SplitRoleKey(key string) (typ, id, action string, ok bool) {
	first, last := strings.IndexByte(key, ':'), strings.LastIndexByte(key, ':')
	switch {
	case first < 1 || last == len(key)-1:
		return "", "", "", false
	case first == last:
		return "feature", key[:first], key[last+1:], true
	case last == first+1:
		return "", "", "", false
	}
	return key[:first], key[first+1 : last], key[last+1:], true
}

// RoleKey returns the one spelling of a role privilege's key: that of a feature
// has no type, so "feature:part-list:edit" is "part-list:edit".
func RoleKey(key string) string {
	if typ, id, action, ok := SplitRoleKey(key); ok && typ == "feature" {
		return id + ":" + action
	}
	return key
}
