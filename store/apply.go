package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// Apply performs changes as one revision. See [directory.Writer].
func (s *Store) Apply(ctx context.Context, by directory.Actor, changes ...directory.Change) (directory.Applied, error) {
	j, err := newJob(by, changes)
	if err != nil {
		return directory.Applied{}, err
	}
	applied, err := s.w.apply(ctx, j)
	return applied, s.full(err)
}

// Rehearse performs changes and takes them back. See [directory.Rehearser].
func (s *Store) Rehearse(ctx context.Context, by directory.Actor, changes ...directory.Change) (json.RawMessage, error) {
	j, err := newJob(by, changes)
	if err != nil {
		return nil, err
	}
	j.rehearsed = new([]effect)
	if _, err := s.w.apply(ctx, j); err != nil {
		return nil, s.full(err)
	}
	text, err := json.Marshal(append([]effect{}, *j.rehearsed...))
	if err != nil {
		return nil, fmt.Errorf("encoding what changes would do: %w", err)
	}
	return text, nil
}

// newJob prepares changes, conditions first.
func newJob(by directory.Actor, changes []directory.Change) (*job, error) {
	if err := checkText("actor", by.Name+string(by.Source), maxString); err != nil {
		return nil, err
	}
	j := &job{by: by, answer: make(chan answer, 1)}
	rows := 0
	var conditions []op // on what was before the changes beside them
	for _, c := range changes {
		if err := mayAsk(by, c); err != nil {
			return nil, err
		}
		o, err := prepare(c)
		if err != nil {
			return nil, err
		}
		switch o := o.(type) {
		case requireVersion, requirePolicy, requireLease:
			conditions = append(conditions, o)
			continue
		case *changeMembers:
			rows += len(o.values)
		}
		j.ops = append(j.ops, o)
	}
	j.ops = append(conditions, j.ops...)
	j.staged = rows > stagedRows
	return j, nil
}

// An op is a change that is checked as far as that needs no store, in the form
// in which it is kept. It shares no memory with its change.
type op interface {
	run(ctx context.Context, e *edit) error
}

// prepare checks a change and returns its op.
func prepare(c directory.Change) (op, error) {
	switch c := c.(type) {
	case directory.PutSource:
		return preparePutSource(c)
	case directory.SetSourceState:
		return prepareSetSourceState(c)
	case directory.RemoveSource:
		return removeSource{c.Source, c.KeepPeople}, nil
	case directory.CreateUser:
		return prepareCreateUser(c)
	case directory.ReplaceUser:
		return prepareReplaceUser(c)
	case directory.DeleteUser:
		return deleteUser{c.ID, c.Source}, nil
	case directory.LinkUser:
		return prepareLinkUser(c)
	case directory.DetachUser:
		return prepareDetachUser(c)
	case directory.RestoreUser:
		return restoreUser{string(c.User)}, nil
	case directory.EraseUser:
		return eraseUser{string(c.User)}, nil
	case directory.SetPresence:
		return prepareSetPresence(c)
	case directory.SetBlock:
		return prepareSetBlock(c)
	case directory.CreateGroup:
		return prepareCreateGroup(c)
	case directory.UpdateGroup:
		return prepareUpdateGroup(c)
	case directory.DeleteGroup:
		return deleteGroup{c.ID, c.Source}, nil
	case directory.SetGroupStatus:
		return prepareSetGroupStatus(c)
	case directory.SetGroupScope:
		return setGroupScope{c.Group, c.Project}, nil
	case directory.SetGroupDescription:
		return prepareSetGroupDescription(c)
	case directory.AddMembers:
		return prepareMembers(addMembers, c.Group, c.Source, c.Values, c.Via)
	case directory.RemoveMembers:
		return prepareMembers(removeMembers, c.Group, c.Source, c.Values, c.Via)
	case directory.ReplaceMembers:
		return prepareMembers(replaceMembers, c.Group, c.Source, c.Values, c.Via)
	case directory.PutGrant:
		return preparePutGrant(c)
	case directory.EndGrant:
		return prepareEndGrant(c)
	case directory.SetOverride:
		return prepareSetOverride(c)
	case directory.EndOverride:
		return endOverride{c.User, c.Project}, nil
	case directory.SetPolicy:
		return prepareSetPolicy(c)
	case directory.ConfirmMapping:
		return confirmMapping{c.Mapping, c.Group}, nil
	case directory.CreateToken:
		return prepareCreateToken(c)
	case directory.RevokeToken:
		return revokeToken{c.ID}, nil
	case directory.LimitToken:
		return limitToken{c.ID, ms(c.Expires)}, nil
	case directory.RequireVersion:
		return requireVersion{c.ID, c.Version}, nil
	case directory.RequirePolicy:
		return requirePolicy{c.Revision}, nil
	case directory.RequireLease:
		return requireLease{c.Name, c.Epoch}, nil
	case directory.SetCursor:
		return prepareSetCursor(c)
	case directory.Note:
		return prepareNote(c)
	}
	return nil, fmt.Errorf("change of type %T: %w", c, directory.ErrInvalid)
}

// edit performs one job inside tx. wrote says that there is something to
// commit. A *brokenError means that the counter was not to be had.
func (w *writer) edit(ctx context.Context, tx session, j *job) (a directory.Applied, wrote bool, err error) {
	e := newEdit(tx, w.d, j.by, w.now())
	if j.staged {
		if err := e.stage(ctx, j.ops); err != nil {
			return a, false, err
		}
	}
	if err := e.begin(ctx); err != nil {
		return a, false, err
	}
	for _, o := range j.ops {
		if err := o.run(ctx, e); err != nil {
			return a, false, err
		}
	}
	if j.staged {
		if err := e.unstage(ctx); err != nil {
			return a, false, err
		}
	}
	a, wrote, err = e.finish(ctx)
	if j.rehearsed != nil {
		*j.rehearsed, wrote = e.effects, false
	}
	return a, wrote, err
}
