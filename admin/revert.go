package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// errIrreversible says that what a job did can't be taken back.
var errIrreversible = errors.New("can't be reverted")

// A revertStep takes back one thing that a job did to one user or group.
type revertStep struct {
	name string // of the user or group, for people
	note string // what it does, in a few words
	do   func(context.Context, *Service, directory.Actor) (Outcome, error)
}

// StartRevert takes back, as a job, what a job that is over did. Each thing is
// taken back by itself, by the rights of the actor, unless it changed since.
func (s *Service) StartRevert(ctx context.Context, by directory.Actor, id string) (Job, error) {
	steps, err := s.revertOf(ctx, by, id)
	if err != nil {
		return Job{}, err
	}
	return s.startJob(ctx, by, "revert", id, len(steps), func(ctx context.Context, by directory.Actor, each func(BulkItem)) (BulkResult, error) {
		return s.runRevert(ctx, by, steps, each)
	})
}

// PreviewRevert says what [Service.StartRevert] would lead to.
func (s *Service) PreviewRevert(ctx context.Context, by directory.Actor, id string) (BulkPreview, error) {
	steps, err := s.revertOf(ctx, by, id)
	if err != nil {
		return BulkPreview{}, err
	}
	return s.previewMany(ctx, func(ctx context.Context, quick *Service) (BulkResult, error) {
		return quick.runRevert(ctx, by, steps, nil)
	})
}

func (s *Service) runRevert(ctx context.Context, by directory.Actor, steps []revertStep, each func(BulkItem)) (BulkResult, error) {
	out := BulkResult{Items: make([]BulkItem, 0, len(steps))}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		done, err := step.do(context.WithoutCancel(ctx), s, by)
		out.add(BulkItem{Name: step.name, Note: step.note}, done, err, each)
	}
	return out, nil
}

// revertOf works out how to take back what a job did, the newest first.
func (s *Service) revertOf(ctx context.Context, by directory.Actor, id string) ([]revertStep, error) {
	job, _, err := s.findJob(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case !job.over():
		return nil, fmt.Errorf("%w: the job is not over; cancel it first", directory.ErrInUse)
	case job.Actor.Request == "":
		return nil, fmt.Errorf("%w: the audit trail does not say what this job did", errIrreversible)
	}
	if _, err := s.authority(ctx, by); err != nil {
		return nil, err
	}
	w := &reverting{
		service: s, job: job.Actor,
		steps: map[string]revertStep{}, last: map[string]directory.Revision{}, newest: map[string]directory.Revision{},
	}
	if w.at, err = s.Store.RevisionAt(ctx, job.Created.Add(-time.Millisecond)); err != nil {
		return nil, fmt.Errorf("finding the revision: %w", err)
	}
	if err := w.read(ctx, directory.Actor{}); err != nil {
		return nil, err
	}
	if len(w.order) == 0 {
		return nil, fmt.Errorf("%w: the job changed nothing", errIrreversible)
	}
	steps := make([]revertStep, 0, len(w.order))
	for _, aspect := range slices.Backward(w.order) {
		steps = append(steps, w.step(aspect))
	}
	return steps, s.nameSteps(ctx, steps)
}

// nameSteps calls users and groups by the names that people use, where an id
// stands.
func (s *Service) nameSteps(ctx context.Context, steps []revertStep) error {
	ids := make([]directory.UserID, len(steps))
	for i, step := range steps {
		ids[i] = directory.UserID(step.name)
	}
	rows, err := s.Store.PersonRows(ctx, ids...)
	if err != nil {
		return fmt.Errorf("reading names: %w", err)
	}
	view, err := s.present(ctx)
	if err != nil {
		return err
	}
	names := make(map[string]string, len(rows))
	for _, row := range rows {
		for _, i := range row.Identities {
			names[string(i.ID)] = i.UserName
		}
	}
	for g := range view.Groups() {
		names[string(g.ID)] = string(g.Source) + "/" + g.Name
	}
	for i := range steps {
		steps[i].name = cmp.Or(names[steps[i].name], steps[i].name)
	}
	return nil
}

// reverting is the audit trail since a job began, by what each change is about.
type reverting struct {
	service *Service
	job     directory.Actor    // who ran the job, and its request
	at      directory.Revision // how far it is read
	before  directory.Facts    // as the job found them
	first   directory.Revision
	order   []string                      // what the job changed, in its order
	steps   map[string]revertStep         // how to take that back
	last    map[string]directory.Revision // when the job changed it
	newest  map[string]directory.Revision // when anybody did
}

// sameRequest tells whether one request made both. Clients choose what their
// requests are called, so that a name alone shows nothing.
func sameRequest(a, b directory.Actor) bool {
	return a.Request != "" && a.Request == b.Request && a.Kind == b.Kind && a.Name == b.Name && a.Token == b.Token
}

// read goes through the trail from where it stands to now, but for what a
// request did: the revert, which takes back one thing after the other.
func (w *reverting) read(ctx context.Context, except directory.Actor) error {
	for {
		records, err := w.service.Store.Audit(ctx, w.at, maxPage)
		if err != nil {
			return fmt.Errorf("reading audit records: %w", err)
		}
		for _, r := range records {
			w.at = r.Revision
			mine := sameRequest(r.Actor, w.job)
			if !mine && (w.first == 0 || sameRequest(r.Actor, except)) {
				continue
			}
			if err := w.take(ctx, r, mine); err != nil {
				return err
			}
		}
		if len(records) < maxPage {
			return nil
		}
	}
}

// take notes what one record changed.
func (w *reverting) take(ctx context.Context, r directory.AuditRecord, mine bool) (err error) {
	if w.first == 0 {
		w.first = r.Revision
		if w.before, err = w.service.Store.Facts(ctx, max(1, r.Revision-1)); err != nil {
			return fmt.Errorf("reading what was before the job: %w", err)
		}
	}
	changes, err := auditedChanges(r)
	if err != nil {
		return err
	}
	ended := slices.IndexFunc(changes, func(c AuditedChange) bool { return c.Type == "user.deleted" || c.Type == "group.deleted" })
	if ended >= 0 && mine {
		changes = changes[ended : ended+1] // the rest ended with it
	}
	for _, c := range changes {
		for aspect, step := range w.inverses(c) {
			w.newest[aspect] = r.Revision
			if !mine {
				continue
			}
			w.last[aspect] = r.Revision
			if _, known := w.steps[aspect]; !known {
				w.steps[aspect] = step
				w.order = append(w.order, aspect)
			}
		}
	}
	return nil
}

// step is how to take back what the job did, or why that is not done. It looks
// again when its turn comes: a revert may wait for other jobs, and for itself.
func (w *reverting) step(aspect string) revertStep {
	step := w.steps[aspect]
	do := step.do
	step.do = func(ctx context.Context, s *Service, by directory.Actor) (Outcome, error) {
		if err := w.read(ctx, by); err != nil {
			return Outcome{}, err
		}
		if since := w.newest[aspect]; since > w.last[aspect] {
			return Outcome{}, fmt.Errorf("%w: it changed again at revision %d", errIrreversible, since)
		}
		return do(ctx, s, by)
	}
	return step
}

func refusing(err error) func(context.Context, *Service, directory.Actor) (Outcome, error) {
	return func(context.Context, *Service, directory.Actor) (Outcome, error) { return Outcome{}, err }
}

// inverses are the ways to take a change back, by what it is about.
func (w *reverting) inverses(c AuditedChange) map[string]revertStep {
	one := func(aspect, note string, do func(context.Context, *Service, directory.Actor) (Outcome, error)) map[string]revertStep {
		return map[string]revertStep{aspect + "/" + c.Target: {c.Target, note, do}}
	}
	switch c.Type {
	case "user.blocked", "user.unblocked":
		if slices.Contains(c.Attributes, "reason") {
			return one("block", "leave blocked", refusing(fmt.Errorf("%w: the user was blocked before, and the reason is not kept", errIrreversible)))
		}
		block, note := c.Type == "user.unblocked", "unblock"
		if block {
			note = "block again; the reason is not kept"
		}
		return one("block", note, func(ctx context.Context, s *Service, by directory.Actor) (Outcome, error) {
			return s.SetBlock(ctx, by, c.Target, block, by.Reason)
		})
	case "user.deleted", "user.restored":
		if c.Type == "user.restored" {
			return one("life", "delete again", refusing(fmt.Errorf("%w: a restored user is deleted by hand", errIrreversible)))
		}
		return one("life", "restore; memberships and grants stay ended", func(ctx context.Context, s *Service, by directory.Actor) (Outcome, error) {
			return s.RestoreUser(ctx, by, c.Target)
		})
	case "user.created":
		return one("life", "delete", func(ctx context.Context, s *Service, by directory.Actor) (Outcome, error) {
			return s.DeleteUser(ctx, by, c.Target, 0, false)
		})
	case "group.deleted":
		return one("life", "a deleted group stays deleted", refusing(fmt.Errorf("%w: a deleted group does not come back; make it anew", errIrreversible)))
	case "group.status":
		status := directory.GroupBlocked
		if c.Value == string(directory.GroupBlocked) {
			status = directory.GroupActive
		}
		return one("status", "make it "+string(status)+" again", func(ctx context.Context, s *Service, by directory.Actor) (Outcome, error) {
			return s.SetGroupStatus(ctx, by, c.Target, status)
		})
	case "group.members":
		return inverseMembers(c)
	case "grant.put", "grant.ended":
		return w.inverseGrant(c)
	}
	return nil
}

func inverseMembers(c AuditedChange) map[string]revertStep {
	out := map[string]revertStep{}
	for _, id := range c.Added {
		out["member/"+c.Target+"/"+id] = revertStep{id, "take out of group " + c.Target, func(ctx context.Context, s *Service, by directory.Actor) (Outcome, error) {
			return s.RemoveMembers(ctx, by, c.Target, []string{id})
		}}
	}
	for _, id := range c.Removed {
		out["member/"+c.Target+"/"+id] = revertStep{id, "put into group " + c.Target, func(ctx context.Context, s *Service, by directory.Actor) (Outcome, error) {
			return s.AddMembers(ctx, by, c.Target, []string{id})
		}}
	}
	return out
}

// inverseGrant takes a grant away, or gives again what was there before the job.
func (w *reverting) inverseGrant(c AuditedChange) map[string]revertStep {
	value, level, _ := strings.Cut(c.Value, "=")
	kind, key, _ := strings.Cut(value, " ")
	spec := GrantSpec{Project: directory.ProjectKey(c.Project)}
	_, isRole := w.before.Policy.Policy.Role(directory.RoleName(key))
	switch {
	case kind == "role" && isRole:
		spec.Roles = []directory.RoleName{directory.RoleName(key)}
	case kind == string(directory.RolePrivilege):
		spec.Role = []string{key}
	case kind == string(directory.Access):
		spec.Access = []string{key}
	case kind == string(directory.OutputPrivilege):
		spec.Output = []string{key}
	case kind == string(directory.IntegrationLevel):
		spec.Integration = map[string]string{key: level}
	default:
		return nil
	}
	step := revertStep{c.Target, "grant " + value + " again", func(ctx context.Context, s *Service, by directory.Actor) (Outcome, error) {
		return s.grantTo(ctx, by, c.Target, spec)
	}}
	if c.Type == "grant.put" {
		step = revertStep{c.Target, "take back " + value, func(ctx context.Context, s *Service, by directory.Actor) (Outcome, error) {
			before, err := s.levelBefore(ctx, w.before, c.Target, spec)
			switch {
			case err != nil:
				return Outcome{}, err
			case before != "":
				spec.Integration = map[string]string{key: before}
				return s.grantTo(ctx, by, c.Target, spec)
			}
			return s.revokeFrom(ctx, by, c.Target, spec)
		}}
	}
	return map[string]revertStep{"grant/" + c.Target + "/" + c.Project + "/" + value: step}
}

// levelBefore is the level that a user or group was given by hand on a
// connection before a job; empty if none, or if it is no connection.
func (s *Service) levelBefore(ctx context.Context, before directory.Facts, holder string, spec GrantSpec) (string, error) {
	var held []directory.Grant
	if i := slices.IndexFunc(before.Groups, func(g directory.GroupFacts) bool { return string(g.ID) == holder }); i >= 0 {
		held = before.Groups[i].Grants
	} else if len(spec.Integration) > 0 {
		subs, err := s.Store.Subjects(ctx, directory.People{IDs: []directory.UserID{directory.UserID(holder)}}, before.At)
		if err != nil {
			return "", fmt.Errorf("reading what was before the job: %w", err)
		}
		for _, sub := range subs {
			held = append(held, sub.Grants...)
		}
	}
	for _, g := range held {
		if _, same := spec.Integration[g.Privilege.Key]; same && g.Privilege.Kind == directory.IntegrationLevel && g.Project == spec.Project {
			return g.Privilege.Level.String(), nil
		}
	}
	return "", nil
}

// grantTo grants to a user or a group, by id.
func (s *Service) grantTo(ctx context.Context, by directory.Actor, id string, spec GrantSpec) (Outcome, error) {
	out, err := s.GrantToUser(ctx, by, id, spec)
	if errors.Is(err, directory.ErrNotFound) {
		return s.GrantToGroup(ctx, by, id, spec)
	}
	return out, err
}

func (s *Service) revokeFrom(ctx context.Context, by directory.Actor, id string, spec GrantSpec) (Outcome, error) {
	if _, err := s.user(ctx, id); errors.Is(err, directory.ErrNotFound) {
		return s.RevokeFromGroup(ctx, by, id, spec)
	}
	return s.RevokeFromUser(ctx, by, id, spec)
}

// add counts what came of one item.
func (b *BulkResult) add(item BulkItem, done Outcome, err error, each func(BulkItem)) {
	if err != nil {
		p := ProblemOf(err)
		item.Error, item.Code = p.Error(), p.Code()
		b.Failed++
	} else {
		item.OK, item.Changed, item.Note = true, done.Changed, cmp.Or(item.Note, done.Note)
		b.Done++
		if done.Changed {
			b.Revision, b.Stamp = done.Revision, done.Stamp
		}
	}
	b.Items = append(b.Items, item)
	if each != nil {
		each(item)
	}
}
