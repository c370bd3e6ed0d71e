package admin

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// mayAsk lets the principal of ctx ask what a subject may do in checks of a
// project, or in those that name none: about anybody with the right to read the
// directory, about oneself always, and about people of a project with the right
// to read that project, in that project.
func (s *Service) mayAsk(ctx context.Context, sub *directory.Subject, project directory.ProjectKey) error {
	a, err := s.Authority(ctx)
	if err != nil || a.May(AskChecks, "") || a.isSelf(sub) {
		return err
	}
	if project == "" || !a.May(AskChecks, project) {
		return a.require(AskChecks, project)
	}
	if sub.Found != directory.One || !a.seesUser(sub) {
		return notFound("no such user in project %s", project)
	}
	return nil
}

// mayExplain is mayAsk for explanations, which tell of all scopes.
func (s *Service) mayExplain(ctx context.Context, sub *directory.Subject) error {
	a, err := s.Authority(ctx)
	if err != nil || a.May(AskChecks, "") || a.isSelf(sub) {
		return err
	}
	return a.require(AskChecks, "")
}

func (a *Authority) isSelf(sub *directory.Subject) bool {
	return a.subject != nil && sub.Found == directory.One && sub.ID == a.subject.ID
}

// mayOverride is the gate of an override of one user in one scope: it gives and
// hides there.
func (a *Authority) mayOverride(sub *directory.Subject, name string, project directory.ProjectKey) error {
	if !a.seesUser(sub) {
		return noUser(name)
	}
	if err := a.mayChangeUserIn(sub, project); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
