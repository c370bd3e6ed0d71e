package store

import (
	"fmt"

	"github.com/usherd/usherd/directory"
)

// A reach is what a change names, before anything is looked up.
type reach struct {
	source directory.SourceName // in whose name it is asked for
	ours   bool                 // no source may ask for it
	ids    []string             // ids, keys and names of what is looked up
}

// reachOf returns the reach of a change. One with neither a source nor ours is
// a condition, which anybody may set.
func reachOf(c directory.Change) reach {
	switch c := c.(type) {
	case directory.PutSource:
		return reach{ours: true, ids: []string{string(c.Source.Name)}}
	case directory.SetSourceState:
		return reach{ours: true, ids: []string{string(c.Source)}}
	case directory.RemoveSource:
		return reach{ours: true, ids: []string{string(c.Source)}}
	case directory.CreateUser:
		return reach{source: c.Source, ids: []string{string(c.ID)}}
	case directory.ReplaceUser:
		return reach{source: c.Source, ids: []string{string(c.ID)}}
	case directory.DeleteUser:
		return reach{source: c.Source, ids: []string{string(c.ID)}}
	case directory.LinkUser:
		return reach{ours: true, ids: []string{string(c.Source), string(c.User)}}
	case directory.DetachUser:
		return reach{ours: true, ids: []string{string(c.Source)}}
	case directory.RestoreUser:
		return reach{ours: true, ids: []string{string(c.User)}}
	case directory.EraseUser:
		return reach{ours: true, ids: []string{string(c.User)}}
	case directory.SetPresence:
		return reach{source: c.Source, ids: []string{string(c.ID)}}
	case directory.SetBlock:
		return reach{ours: true, ids: []string{string(c.User)}}
	case directory.CreateGroup:
		return reach{source: c.Source, ids: []string{string(c.ID), string(c.Project)}}
	case directory.UpdateGroup:
		return reach{source: c.Source, ids: []string{string(c.ID)}}
	case directory.DeleteGroup:
		return reach{source: c.Source, ids: []string{string(c.ID)}}
	case directory.SetGroupStatus:
		return reach{ours: true, ids: []string{string(c.Group)}}
	case directory.SetGroupScope:
		return reach{ours: true, ids: []string{string(c.Group), string(c.Project)}}
	case directory.SetGroupDescription:
		return reach{ours: true, ids: []string{string(c.Group)}}
	case directory.AddMembers:
		return reach{source: c.Source, ids: []string{string(c.Group)}}
	case directory.RemoveMembers:
		return reach{source: c.Source, ids: []string{string(c.Group)}}
	case directory.ReplaceMembers:
		return reach{source: c.Source, ids: []string{string(c.Group)}}
	case directory.PutGrant:
		return reach{ours: true, ids: grantIDs(c.Grant)}
	case directory.EndGrant:
		return reach{ours: true, ids: grantIDs(c.Grant)}
	case directory.SetOverride:
		return reach{ours: true, ids: []string{string(c.User), string(c.Project), string(c.Group)}}
	case directory.EndOverride:
		return reach{ours: true, ids: []string{string(c.User), string(c.Project)}}
	case directory.SetPolicy:
		return reach{ours: true}
	case directory.ConfirmMapping:
		return reach{ours: true, ids: []string{c.Mapping, string(c.Group)}}
	case directory.CreateToken:
		return reach{ours: true, ids: []string{c.Token.ID, string(c.Token.Source)}}
	case directory.RevokeToken:
		return reach{ours: true, ids: []string{c.ID}}
	case directory.LimitToken:
		return reach{ours: true, ids: []string{c.ID}}
	case directory.RequireVersion:
		return reach{ids: []string{c.ID}}
	case directory.RequirePolicy:
		return reach{}
	case directory.RequireLease:
		return reach{ids: []string{c.Name}}
	case directory.SetCursor:
		return reach{source: c.Source}
	case directory.Note:
		return reach{ours: true, ids: []string{c.Action, c.Target}}
	}
	return reach{ours: true}
}

func grantIDs(g directory.Grant) []string {
	return []string{g.ID, string(g.User), string(g.Group), string(g.Project)}
}

// mayAsk keeps a source to what it owns, and refuses names that one of the
// engines can't even be asked for.
func mayAsk(by directory.Actor, c directory.Change) error {
	r := reachOf(c)
	for _, id := range append(r.ids, string(r.source)) {
		if err := checkText("id", id, maxID); err != nil {
			return err
		}
	}
	switch {
	case by.Source == "":
		return nil
	case r.ours:
		return fmt.Errorf("source %s asks for %T, which is ours: %w", by.Source, c, directory.ErrNotOwner)
	case r.source != "" && r.source != by.Source:
		return fmt.Errorf("source %s asks for a change of source %s: %w", by.Source, r.source, directory.ErrNotFound)
	}
	return nil
}
