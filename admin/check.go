package admin

import (
	"context"
	"fmt"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A Look is one subject and the policy and groups to judge it by, all of one
// revision.
type Look struct {
	Snapshot *authz.Snapshot
	Subject  *directory.Subject
	Stamp    directory.Stamp
}

// A Decider looks subjects up in the view that applications are answered from.
type Decider interface {
	Look(ctx context.Context, key directory.SubjectKey) (Look, error)
}

// A Question asks whether a user may do something.
type Question struct {
	User     string `json:"user"`
	Action   string `json:"action"`
	Resource struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"resource"`
	Project directory.ProjectKey `json:"project,omitempty"`

	// At asks as of the past: a revision, a time, or how long ago. Explain
	// alone looks at it; see [Service.When].
	At string `json:"at,omitempty"`
}

// An Answer is a decision with its reason.
type Answer struct {
	Decision bool               `json:"decision"`
	Code     authz.Code         `json:"code"`
	Revision directory.Revision `json:"revision"`
	Stamp    string             `json:"stamp"`
}

func (a Answer) stamp() string { return a.Stamp }

// Check answers a question as an application would be answered.
func (s *Service) Check(ctx context.Context, q Question) (Answer, error) {
	key, req, err := q.parse()
	if err != nil {
		return Answer{}, err
	}
	look, err := s.lookUp(ctx, key)
	if err != nil {
		return Answer{}, err
	}
	if err := s.mayAsk(ctx, look.Subject, q.Project); err != nil {
		return Answer{}, err
	}
	d := look.Snapshot.Decide(look.Subject, &req)
	return Answer{d.Allow, d.Code, look.Stamp.Revision, look.Stamp.String()}, nil
}

// parse reads whom the question is about and what it asks.
func (q *Question) parse() (directory.SubjectKey, authz.Request, error) {
	req := authz.Request{
		SubjectType: authz.SubjectUser, Action: q.Action, Type: q.Resource.Type, ID: q.Resource.ID, Project: q.Project,
	}
	switch {
	case q.User == "" || q.Action == "" || q.Resource.Type == "" || q.Resource.ID == "":
		return directory.SubjectKey{}, req, invalid("user, action, resource.type and resource.id are required")
	case strings.HasPrefix(q.User, "email:"):
		req.SubjectType = authz.SubjectEmail
	case strings.HasPrefix(q.User, "external:"):
		req.SubjectType = authz.SubjectExternal
	}
	key, err := SubjectKey(q.User)
	return key, req, err
}

func (s *Service) lookUp(ctx context.Context, key directory.SubjectKey) (Look, error) {
	if s.PDP != nil {
		return s.PDP.Look(ctx, key)
	}
	return s.lookInStore(ctx, key)
}

// lookInStore compiles everything for one question: there is no daemon whose
// view could be used.
func (s *Service) lookInStore(ctx context.Context, key directory.SubjectKey) (Look, error) {
	facts, err := s.Store.Facts(ctx, 0)
	if err != nil {
		return Look{}, fmt.Errorf("reading facts: %w", err)
	}
	subject, err := s.Store.Subject(ctx, key, facts.At)
	if err != nil {
		return Look{}, fmt.Errorf("looking up user: %w", err)
	}
	return Look{authz.Compile(facts), &subject, facts.At}, nil
}

// Permissions lists everything that a user may do, organization-wide or in
// checks of one project.
func (s *Service) Permissions(ctx context.Context, name string, project directory.ProjectKey) (authz.Permissions, error) {
	key, err := SubjectKey(name)
	if err != nil {
		return authz.Permissions{}, err
	}
	look, err := s.lookUp(ctx, key)
	if err != nil {
		return authz.Permissions{}, err
	}
	if err := s.mayAsk(ctx, look.Subject, project); err != nil {
		return authz.Permissions{}, err
	}
	if look.Subject.Found != directory.One {
		return authz.Permissions{}, notFound("no user %q, or more than one", name)
	}
	return look.Snapshot.Permissions(look.Subject, project), nil
}

func (a *API) check(c call) (answer, error) {
	var q Question
	if err := c.body(&q); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.Check(c.Context(), q))
}
