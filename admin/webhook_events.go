package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/webhook"
)

// maxTold is how many people one stretch of the feed tells of, one by one, for
// each type of event; the rest is one event with a number.
const maxTold = 1000

// stretchRead is how many revisions are compared at once.
const stretchRead = 100

// Events makes the events of webhooks from the change feed, from held plans and
// from the ends of tokens. It implements [webhook.Source], for one caller at a
// time.
type Events struct {
	Service *Service

	view *authz.Snapshot // of the place up to which it looked
}

// A place is how far Events has looked.
type place struct {
	Stamp  string            `json:"stamp"`
	Holds  map[string]string `json:"holds,omitempty"`  // hash of the plan that was told of, by source
	Tokens map[string]int    `json:"tokens,omitempty"` // days of the warning that was told of, by id
}

// EventThing is what an event names: an id, and what people call it.
type EventThing struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Source string `json:"source,omitempty"`
}

// EventPermission is the data of permission.gained and permission.lost.
type EventPermission struct {
	User        EventThing      `json:"user,omitzero"`
	Permissions []authz.Holding `json:"permissions,omitempty"`
	Revision    int64           `json:"revision"`
	People      int             `json:"people,omitempty"` // instead of a user: how many more there are
}

// EventUser is the data of user.deactivated.
type EventUser struct {
	User     EventThing `json:"user"`
	Reason   string     `json:"reason"` // blocked, inactive or deleted
	Revision int64      `json:"revision"`
}

// Events implements [webhook.Source].
func (e *Events) Events(ctx context.Context, after json.RawMessage) ([]webhook.Event, json.RawMessage, error) {
	var at place
	if len(after) > 0 {
		if err := json.Unmarshal(after, &at); err != nil {
			return nil, nil, fmt.Errorf("reading the place in the feed: %w", err)
		}
	}
	out, err := e.changed(ctx, &at)
	if err != nil {
		return nil, nil, err
	}
	held, err := e.held(ctx, &at)
	if err != nil {
		return nil, nil, err
	}
	ending, err := e.ending(ctx, &at)
	if err != nil {
		return nil, nil, err
	}
	text, err := json.Marshal(at)
	return slices.Concat(out, held, ending), text, err
}

// begin makes e stand at a place, or at the present if the place is empty, too
// old, or of another history.
func (e *Events) begin(ctx context.Context, at *place) error {
	s := e.Service
	if stamp, err := directory.ParseStamp(at.Stamp); err == nil {
		if e.view != nil && e.view.At() == stamp {
			return nil
		}
		head, err := s.Store.Head(ctx, stamp)
		if err != nil {
			return fmt.Errorf("reading the revision: %w", err)
		}
		if head.Known {
			facts, err := s.Store.Facts(ctx, stamp.Revision)
			if err == nil {
				e.view = authz.Compile(facts)
				return nil
			}
			if !errors.Is(err, directory.ErrHistoryExpired) {
				return fmt.Errorf("reading facts: %w", err)
			}
		}
	}
	facts, err := s.Store.Facts(ctx, 0)
	if err != nil {
		return fmt.Errorf("reading facts: %w", err)
	}
	e.view = authz.Compile(facts)
	at.Stamp = e.view.At().String()
	return nil
}

// changed compares the directory before and after the next revisions.
func (e *Events) changed(ctx context.Context, at *place) ([]webhook.Event, error) {
	if err := e.begin(ctx, at); err != nil {
		return nil, err
	}
	st, err := e.Service.Store.Stretch(ctx, e.view.At(), stretchRead)
	if errors.Is(err, directory.ErrHistoryLost) {
		at.Stamp, e.view = "", nil
		return nil, e.begin(ctx, at)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the feed: %w", err)
	}
	if len(st.Records) == 0 {
		return nil, nil
	}
	next := e.view.Update(st)
	d := &eventDiff{Events: e, now: next, time: st.Records[len(st.Records)-1].Time}
	d.groups(&st)
	if err := d.people(ctx, &st); err != nil {
		return nil, err
	}
	e.view, at.Stamp = next, next.At().String()
	return d.out, nil
}

// An eventDiff makes the events between two views.
type eventDiff struct {
	*Events
	now  *authz.Snapshot
	time time.Time
	out  []webhook.Event

	told, more map[string]int
}

func (d *eventDiff) add(typ, key string, data any) {
	d.out = append(d.out, webhook.Event{Type: typ, Key: d.now.At().String() + "/" + key, Time: d.time, Data: data})
}

// groups tells of groups that were blocked.
func (d *eventDiff) groups(st *directory.Stretch) {
	for _, g := range st.Groups {
		was, known := d.view.Group(g.Num)
		if g.Blocked && (!known || !was.Blocked) {
			d.add(webhook.GroupBlocked, string(g.ID), map[string]any{
				"group": EventThing{string(g.ID), g.Name, string(g.Source)}, "revision": d.now.At().Revision,
			})
		}
	}
}

// people tells of those who differ: whom the feed names, and whom changes of
// groups and policy touch.
func (d *eventDiff) people(ctx context.Context, st *directory.Stretch) error {
	d.told, d.more = map[string]int{}, map[string]int{}
	var ids []directory.UserID
	for _, r := range st.Records {
		for _, key := range r.Keys {
			if key.Kind == directory.KeyID {
				ids = append(ids, directory.UserID(key.Value))
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	c := authz.Compare(d.view, d.now)
	for some := range slices.Chunk(ids, maxPage) {
		if err := d.named(ctx, c, some); err != nil {
			return err
		}
	}
	who := c.People()
	if selectsAnybody(who) {
		err := d.Service.pages(ctx, who, d.now.At(), peoplePage, func(sub *directory.Subject) bool {
			if _, found := slices.BinarySearch(ids, sub.ID); !found {
				d.shifted(ctx, c, sub, sub)
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	for _, typ := range []string{webhook.PermissionGained, webhook.PermissionLost} {
		if n := d.more[typ]; n > 0 {
			d.add(typ, "more", EventPermission{Revision: int64(d.now.At().Revision), People: n})
		}
	}
	return nil
}

// named compares people whom the feed names, as before and as after.
func (d *eventDiff) named(ctx context.Context, c *authz.Comparison, ids []directory.UserID) error {
	was, err := d.Service.Store.Subjects(ctx, directory.People{IDs: ids}, d.view.At())
	if err != nil {
		return fmt.Errorf("reading people: %w", err)
	}
	is, err := d.Service.Store.Subjects(ctx, directory.People{IDs: ids}, d.now.At())
	if err != nil {
		return fmt.Errorf("reading people: %w", err)
	}
	pair := future{old: was}
	pair.People = is
	pair.altered(func(before, after *directory.Subject) {
		d.deactivated(ctx, before, after)
		d.shifted(ctx, c, before, after)
	})
	return nil
}

// deactivated tells of somebody who was active.
func (d *eventDiff) deactivated(ctx context.Context, before, after *directory.Subject) {
	if before.Found != directory.One || before.Blocked || before.Inactive {
		return
	}
	reason := ""
	switch {
	case after.Found != directory.One:
		reason = "deleted"
	case after.Blocked:
		reason = "blocked"
	case after.Inactive:
		reason = "inactive"
	default:
		return
	}
	d.add(webhook.UserDeactivated, string(before.ID), EventUser{d.called(ctx, before.ID), reason, int64(d.now.At().Revision)})
}

// shifted tells of what somebody gains and loses.
func (d *eventDiff) shifted(ctx context.Context, c *authz.Comparison, before, after *directory.Subject) {
	id := after.ID
	if id == "" {
		id = before.ID
	}
	shift := c.Weigh(before, after)
	for typ, list := range map[string][]authz.Holding{webhook.PermissionGained: shift.Gains, webhook.PermissionLost: shift.Loses} {
		if len(list) == 0 {
			continue
		}
		if d.told[typ]++; d.told[typ] > maxTold {
			d.more[typ]++
			continue
		}
		d.add(typ, string(id), EventPermission{User: d.called(ctx, id), Permissions: list, Revision: int64(d.now.At().Revision)})
	}
}

// called is a user as events name them: by userName.
func (e *Events) called(ctx context.Context, id directory.UserID) EventThing {
	thing := EventThing{ID: string(id)}
	if u, err := e.Service.Store.User(ctx, id); err == nil {
		_, thing.Name = nameOf(u)
	}
	return thing
}

// held tells of plans that wait.
func (e *Events) held(ctx context.Context, at *place) (out []webhook.Event, err error) {
	holds, err := e.Service.Store.Holds(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading holds: %w", err)
	}
	told := map[string]string{}
	for _, h := range holds {
		told[string(h.Source)] = h.Hash
		if at.Holds[string(h.Source)] != h.Hash {
			out = append(out, webhook.Event{
				Type: webhook.PlanHeld, Key: string(h.Source) + "/" + h.Hash, Time: h.Created,
				Data: map[string]any{"source": h.Source, "hash": h.Hash, "reasons": h.Reasons},
			})
		}
	}
	at.Holds = told
	return out, nil
}

// tokenDays are how many days before its end a token is told of.
var tokenDays = []int{1, 7, 30}

// ending tells of tokens that end soon.
func (e *Events) ending(ctx context.Context, at *place) (out []webhook.Event, err error) {
	tokens, err := e.Service.Store.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading tokens: %w", err)
	}
	told, now := map[string]int{}, e.Service.Now()
	for _, t := range tokens {
		left := t.Expires.Sub(now)
		i := slices.IndexFunc(tokenDays, func(days int) bool { return left <= time.Duration(days)*24*time.Hour })
		if i < 0 || left <= 0 || !t.Revoked.IsZero() {
			continue
		}
		told[t.ID] = tokenDays[i]
		if at.Tokens[t.ID] != tokenDays[i] {
			out = append(out, webhook.Event{
				Type: webhook.TokenExpiring, Key: fmt.Sprintf("%s/%d", t.ID, tokenDays[i]), Time: now,
				Data: map[string]any{"token": EventThing{t.ID, t.Name, string(t.Source)}, "kind": t.Kind, "expires": t.Expires, "days": tokenDays[i]},
			})
		}
	}
	at.Tokens = told
	return out, nil
}
