package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// An Explained is an answer with everything that led to it.
type Explained struct {
	Answer
	authz.Explanation
	Asked  Question `json:"asked"`
	Moment Moment   `json:"moment"`         // when what is said held
	Next   []string `json:"next,omitempty"` // for a deny: commands, the shortest step to an allow
	Note   string   `json:"note,omitempty"` // what one has to know of the name of the user
	Text   string   `json:"text"`           // the same for people
}

// Explain answers a question, of now or of the past, and says why. A name means
// who bears it now; if nobody does, who bore it then.
func (s *Service) Explain(ctx context.Context, q Question) (Explained, error) {
	_, req, err := q.parse()
	if err != nil {
		return Explained{}, err
	}
	named, err := s.named(ctx, q.User, q.At)
	if err != nil {
		return Explained{}, err
	}
	look := named.Look
	if err := s.mayExplain(ctx, look.Subject); err != nil {
		return Explained{}, err
	}
	e := look.Snapshot.Explain(look.Subject, &req)
	who, err := s.person(ctx, look, q.User)
	if err != nil {
		return Explained{}, err
	}
	moment, err := s.moment(ctx, look.Stamp)
	if err != nil {
		return Explained{}, err
	}
	who.Past = !moment.Until.IsZero()
	if d := e.Decision; d.Code == authz.UnknownSubject && !who.Past {
		if e.Meant, err = s.meantUser(ctx, who.Handle); err != nil {
			return Explained{}, err
		}
	}
	e.About(who)
	if err := s.whoBlocked(ctx, look, &e); err != nil {
		return Explained{}, err
	}
	d := e.Decision
	out := Explained{Answer{d.Allow, d.Code, look.Stamp.Revision, look.Stamp.String()}, e, q, moment, e.Next(), named.sentence(), e.Text()}
	if named.turned != "" && look.Subject.Found != directory.One {
		out.Text = fmt.Sprintf("No - whom %q means now was not there then.\n", q.User)
	}
	if out.Note != "" {
		out.Text = out.Note + "\n\n" + out.Text
	}
	if d.Code == authz.UnknownSubject && !who.Past {
		if find := s.findCommand(ctx, q.User); find != "" {
			out.Next = append(out.Next, find)
			out.Text += "\nA directory may have them: " + find + "\n"
		}
	}
	if who.Past {
		out.Text = fmt.Sprintf("As it was at %s:\n\n%s\n(%s)\n", moment, out.Text, d.Code)
	} else {
		out.Text += fmt.Sprintf("\n(%s; %s)\n", d.Code, moment)
	}
	return out, nil
}

// person gathers what an explanation says of its subject. Names are those of
// now, whatever revision is asked about.
func (s *Service) person(ctx context.Context, look Look, asked string) (authz.Person, error) {
	who := authz.Person{Name: asked, Handle: asked}
	if look.Subject.Found != directory.One {
		if key, err := SubjectKey(asked); err == nil && key.Kind != directory.KeyUserName {
			who.Handle = key.Value // what a list of users can look for
		}
		return who, nil
	}
	u, err := s.Store.User(ctx, look.Subject.ID)
	if err != nil {
		return who, fmt.Errorf("user %s: %w", look.Subject.ID, err)
	}
	who.Name, who.Handle = nameOf(u)
	for _, id := range u.Identities {
		if look.Subject.Inactive && (!id.Active || id.Presence != directory.Present) {
			who.Inactive = append(who.Inactive, id)
		}
	}
	if look.Subject.Blocked {
		if who.Blocked, err = s.lastDone(ctx, look.Stamp.Revision, "user.blocked", string(u.ID), ""); err != nil {
			return who, err
		}
		if u.BlockReason != "" && !strings.Contains(who.Blocked, u.BlockReason) {
			who.Blocked = strings.TrimPrefix(who.Blocked+": "+u.BlockReason, ": ")
		}
	}
	if len(look.Subject.Overrides) > 0 {
		if who.Overrode, err = s.Store.Overrides(ctx, u.ID); err != nil {
			return who, fmt.Errorf("overrides of user %s: %w", u.ID, err)
		}
		for i, o := range who.Overrode {
			who.Overrode[i].By = s.whom(ctx, namedActor(o.By))
		}
	}
	return who, nil
}

// nameOf is what people and what commands call a user: a display name and a
// userName, or the id if nothing else is left.
func nameOf(u directory.User) (name, handle string) {
	for _, id := range u.Identities {
		name, handle = cmp.Or(name, id.DisplayName), cmp.Or(handle, id.UserName)
	}
	if key, err := SubjectKey(handle); err != nil || key.Kind != directory.KeyUserName {
		handle = string(u.ID) // a userName that would be read as something else
	}
	return cmp.Or(name, handle), handle
}

// whoBlocked adds to the groups of paths who blocked them.
func (s *Service) whoBlocked(ctx context.Context, look Look, e *authz.Explanation) error {
	known := map[directory.GroupID]string{}
	for _, part := range e.Parts {
		for _, p := range part.Misses {
			for i := range p.Groups {
				g := &p.Groups[i]
				if !g.Blocked {
					continue
				}
				by, ok := known[g.ID]
				if !ok {
					var err error
					if by, err = s.lastDone(ctx, look.Stamp.Revision, "group.status", string(g.ID), string(directory.GroupBlocked)); err != nil {
						return err
					}
					known[g.ID] = by
				}
				g.BlockedBy = by
			}
		}
	}
	return nil
}

// lastDone says who last did something up to a revision, and when: "by Ann Archer
// on 2026-03-01: reason". It is empty if no audit record says.
func (s *Service) lastDone(ctx context.Context, upTo directory.Revision, what, target, value string) (string, error) {
	const few = 10 // it is seldom not among the first
	for search := (directory.AuditSearch{Upto: upTo, Action: what, About: []string{target}, Limit: few}); search.Upto > 0; {
		heads, err := s.Store.AuditHeads(ctx, search)
		if err != nil {
			return "", fmt.Errorf("searching audit records: %w", err)
		}
		records, err := s.auditRecords(ctx, revisionsOf(heads))
		if err != nil {
			return "", err
		}
		for _, r := range records {
			if did(r, what, target, value) {
				return s.byWhom(ctx, r), nil
			}
		}
		if len(heads) < few {
			break
		}
		search.Upto = heads[few-1].Revision - 1
	}
	return "", nil
}

// did reports whether an audit record says that something was done.
func did(r directory.AuditRecord, what, target, value string) bool {
	if !strings.Contains(string(r.Changes), target) {
		return false
	}
	var effects []struct{ Type, Target, Value string }
	if err := json.Unmarshal(r.Changes, &effects); err != nil {
		return false
	}
	for _, e := range effects {
		if e.Type == what && e.Target == target && (value == "" || e.Value == value) {
			return true
		}
	}
	return false
}

func (s *Service) byWhom(ctx context.Context, r directory.AuditRecord) string {
	text := "by " + s.whom(ctx, r.Actor) + " on " + r.Time.UTC().Format("2006-01-02")
	if r.Actor.Reason != "" {
		text += ": " + r.Actor.Reason
	}
	return text
}

func (a *API) explain(c call) (answer, error) {
	var q Question
	if err := c.body(&q); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.Explain(c.Context(), q))
}

// explainQuery is explain for links: everything is in the query.
func (a *API) explainQuery(c call) (answer, error) {
	v := c.URL.Query()
	q := Question{User: v.Get("user"), Action: v.Get("action"), Project: directory.ProjectKey(v.Get("project")), At: v.Get("at")}
	var ok bool
	if q.Resource.Type, q.Resource.ID, ok = strings.Cut(v.Get("resource"), "/"); !ok {
		return answer{}, invalid("write resource=TYPE/ID")
	}
	return outcome(a.Service.Explain(c.Context(), q))
}
