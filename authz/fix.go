package authz

import (
	"fmt"

	"github.com/usherd/usherd/directory"
)

// A Fix is something that would change a deny, and who may do it.
type Fix struct {
	Do    string               `json:"do"`
	Right directory.Right      `json:"right,omitempty"` // that it takes; empty if it is done elsewhere
	Roles []directory.RoleName `json:"roles,omitempty"` // that hold the right
}

// fixes lists what would change a part that does not count.
func (s *Snapshot) fixes(subject *directory.Subject, project directory.ProjectKey, part Part) (out []Fix) {
	add := func(right directory.Right, format string, args ...any) {
		out = append(out, Fix{fmt.Sprintf(format, args...), right, s.holders(right)})
	}
	switch part.Code {
	case BlockedUser:
		add(directory.UsersManage, "enable the user")
	case InactiveUser:
		for _, source := range subject.Sources {
			if !s.cat.counts(source) {
				add(directory.SourcesManage, "activate the source %s", source)
			}
		}
		if subject.Inactive {
			add("", "let the source that says so activate the user again")
			add(directory.UsersManage, "detach the identity that says inactive")
		}
	case UnknownType, UnknownResource, UnknownAction, UnknownProject:
		add(directory.PolicyManage, "add it to the catalogue, if it is no mistake of who asks")
	case ProjectRequired, AmbiguousProject:
		add("", "let the application name one project")
	}
	for _, miss := range part.Misses {
		s.fixMiss(miss, project, add)
	}
	if len(part.Asked) > 0 && len(part.Misses) == 0 {
		add(directory.GrantsManage, "grant %s to the user or to a group of the user", part.Asked)
		if project != "" {
			add(directory.ProjectManage, "grant it in project %s", project)
		}
	}
	return out
}

func (s *Snapshot) fixMiss(miss Path, project directory.ProjectKey, add func(directory.Right, string, ...any)) {
	switch miss.Code {
	case LevelTooLow:
		add(directory.GrantsManage, "raise the level from %s", miss.level())
	case BlockedGroup:
		for _, g := range miss.Groups {
			if g.Blocked {
				add(directory.GroupsManage, "unblock the group %s", g)
			}
			if g.Off {
				add(directory.SourcesManage, "activate the source %s", g.Source)
			}
		}
	case OtherProject:
		if project != "" {
			add(directory.ProjectManage, "grant it in project %s too", project)
		} else {
			add(directory.GrantsManage, "grant it organization-wide")
		}
	case HiddenByOverride:
		add(directory.GrantsManage, "let the user follow the directory again, or grant it in the override")
	case SuspendedMapping:
		add(directory.PolicyManage, "confirm the mapping %s for the group %s", miss.Mapping, miss.Groups[len(miss.Groups)-1])
	}
}

// holders lists the Roles that hold a right, built-in ones first.
func (s *Snapshot) holders(right directory.Right) (out []directory.RoleName) {
	if right == "" {
		return nil
	}
	for _, roles := range [][]directory.Role{directory.BuiltinRoles(), s.cat.facts.Policy.Roles} {
		for _, r := range roles {
			for _, held := range r.Rights {
				if held == right {
					out = append(out, r.Name)
				}
			}
		}
	}
	return out
}
