package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// An Authority is what one principal may do, as of one revision: the engine that
// answers applications decides about administrators too.
type Authority struct {
	Actor directory.Actor

	view    *authz.Snapshot
	subject *directory.Subject       // of a signed-in user
	token   map[directory.Right]bool // of an admin token
}

// Authority returns what the principal of ctx may do. It is [ErrForbidden] if
// there is none, or one who is no longer known or active.
func (s *Service) Authority(ctx context.Context) (*Authority, error) {
	by, ok := principal(ctx)
	if !ok {
		by = s.Principal
	}
	return s.authority(ctx, by)
}

func (s *Service) authority(ctx context.Context, by directory.Actor) (*Authority, error) {
	a := &Authority{Actor: by}
	var err error
	switch {
	case by.Root():
		a.view, err = s.present(ctx)
	case by.Kind == directory.ActorToken && by.Token != "":
		if a.view, err = s.present(ctx); err == nil {
			a.token, err = s.rightsOfToken(a.view, by.Token)
		}
	case by.Kind == directory.ActorUser && directory.IsID(by.Name):
		err = s.signedIn(ctx, a)
	default:
		err = fmt.Errorf("%w: nobody known asks", ErrForbidden)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// present returns the policy and groups that this process answers by.
func (s *Service) present(ctx context.Context) (*authz.Snapshot, error) {
	if s.PDP != nil {
		look, err := s.PDP.Look(ctx, directory.SubjectKey{})
		return look.Snapshot, err
	}
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return nil, fmt.Errorf("reading the revision: %w", err)
	}
	if have := s.compiled.Load(); have != nil && have.At() == head.Stamp {
		return have, nil
	}
	facts, err := s.Store.Facts(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("reading facts: %w", err)
	}
	made := authz.Compile(facts)
	s.compiled.Store(made)
	return made, nil
}

// signedIn finds a signed-in user in the view.
func (s *Service) signedIn(ctx context.Context, a *Authority) error {
	key := directory.SubjectKey{Kind: directory.KeyID, Value: strings.ToLower(a.Actor.Name)}
	if s.PDP != nil {
		look, err := s.PDP.Look(ctx, key)
		if err != nil {
			return err
		}
		a.view, a.subject = look.Snapshot, look.Subject
	} else {
		view, err := s.present(ctx)
		if err != nil {
			return err
		}
		sub, err := s.Store.Subject(ctx, key, view.At())
		if err != nil {
			return fmt.Errorf("looking up who asks: %w", err)
		}
		a.view, a.subject = view, &sub
	}
	if sub := a.subject; sub.Found != directory.One || sub.Blocked || sub.Inactive {
		return fmt.Errorf("%w: the user is blocked, inactive or gone", ErrForbidden)
	}
	return nil
}

// Root reports whether a may do everything: the owner of the machine, and the
// daemon itself.
func (a *Authority) Root() bool { return a.Actor.Root() }

// User is the id of the signed-in user, if a is one.
func (a *Authority) User() directory.UserID {
	if a.subject == nil {
		return ""
	}
	return a.subject.ID
}

// Has reports whether a holds a right in a project, or organization-wide if the
// project is empty. What is held organization-wide is held in every project.
func (a *Authority) Has(right directory.Right, project directory.ProjectKey) bool {
	switch {
	case a.Root():
		return true
	case right.IsOrganization():
		project = ""
	}
	if a.subject != nil {
		return a.view.Has(a.subject, right, project).Allow
	}
	return a.token[right]
}

// May reports whether a may do something to what belongs to a project, or to
// the organization if the project is empty.
func (a *Authority) May(action Action, project directory.ProjectKey) bool {
	if action == SignedIn {
		return true
	}
	n, ok := needs[action]
	if !ok {
		return a.Root()
	}
	for _, right := range n.organization {
		if a.Has(right, "") {
			return true
		}
	}
	return n.project != "" && project != "" && a.Has(n.project, project)
}

// Projects lists the projects in which a may do something; all says that it may
// be done organization-wide.
func (a *Authority) Projects(action Action) (all bool, in []directory.ProjectKey) {
	if a.May(action, "") {
		return true, nil
	}
	for _, p := range a.view.Policy().Policy.Projects {
		if a.May(action, p.Key) {
			in = append(in, p.Key)
		}
	}
	return false, in
}

// Anywhere reports whether a may do something organization-wide or in some
// project: whether to show a page at all.
func (a *Authority) Anywhere(action Action) bool {
	all, in := a.Projects(action)
	return all || len(in) > 0
}

// Rights lists the rights that a holds organization-wide, in the order of the
// documentation.
func (a *Authority) Rights() (held []directory.Right) {
	for _, right := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
		if a.Has(right, "") {
			held = append(held, right)
		}
	}
	return held
}

// Require is an [ErrForbidden] that says which right is missing if a may not do
// something to what belongs to a project, or to the organization if the project
// is empty.
func (a *Authority) Require(action Action, project directory.ProjectKey) error {
	return a.require(action, project)
}

// require is an ErrForbidden that says what is missing.
func (a *Authority) require(action Action, project directory.ProjectKey) error {
	if a.May(action, project) {
		return nil
	}
	n := needs[action]
	var names []string
	for _, right := range n.organization {
		names = append(names, string(right))
	}
	if n.project != "" && project != "" {
		names = append(names, string(n.project)+in(project))
	}
	return fmt.Errorf("%w: to %s needs the right %s", ErrForbidden, action, strings.Join(names, " or "))
}

// requireAnywhere is require in whatever project.
func (a *Authority) requireAnywhere(action Action) error {
	if a.Anywhere(action) {
		return nil
	}
	return a.require(action, "")
}

// allowed is the gate of methods that change something: it returns what the
// actor may do if that contains the action.
func (s *Service) allowed(ctx context.Context, by directory.Actor, action Action, project directory.ProjectKey) (*Authority, error) {
	a, err := s.authority(ctx, by)
	if err != nil {
		return nil, err
	}
	return a, a.require(action, project)
}

// reads is the gate of methods that show something: it returns what the
// principal of ctx may do if they may do the action somewhere. What is shown is
// then filtered by it.
func (s *Service) reads(ctx context.Context, action Action) (*Authority, error) {
	a, err := s.Authority(ctx)
	if err != nil {
		return nil, err
	}
	return a, a.requireAnywhere(action)
}
