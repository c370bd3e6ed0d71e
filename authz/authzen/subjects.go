package authzen

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// What a page of a search for subjects costs at most. It is filled to its limit
// unless so many candidates are denied; then it holds less, and the next one
// goes on.
const (
	maxCandidates = 20_000
	firstBatch    = 250 // how many are read at once, eight times as many each time
	namesAtOnce   = 100
)

// People are who a search for subjects looks through; a [directory.Store] has
// them.
type People interface {
	Subjects(ctx context.Context, who directory.People, at directory.Stamp) ([]directory.Subject, error)
	Identities(ctx context.Context, q directory.Query) (directory.Page[directory.Identity], error)
	User(ctx context.Context, id directory.UserID) (directory.User, error)
}

// A subjectSearch looks for those who may do something, among the candidates
// that the snapshot names.
type subjectSearch struct {
	view    View
	people  People
	request authz.Request
	after   string // the id to go on after; "" before the first and after the last
	limit   int    // of results; 0 means no wish
}

// run returns the names that are on one page and moves after.
func (s *subjectSearch) run(ctx context.Context) ([]string, error) {
	// Those that are ways to name a user, and no types of their own, hold nobody.
	if s.request.SubjectType != authz.SubjectUser && s.request.SubjectType != authz.SubjectService {
		return nil, nil
	}
	point, err := s.view.Point()
	if err != nil {
		return nil, err
	}
	found, err := s.find(ctx, s.view.Snapshot().Candidates(&s.request), point.Stamp)
	if err != nil {
		return nil, err
	}
	return s.names(ctx, found)
}

// find decides one candidate after the other, all as of the view's revision.
func (s *subjectSearch) find(ctx context.Context, who directory.People, at directory.Stamp) (found []directory.UserID, err error) {
	limit := min(s.limit, maxResults)
	if limit == 0 {
		limit = maxResults
	}
	for seen, batch := 0, max(limit, firstBatch); seen < maxCandidates; batch *= 8 {
		who.After, who.Limit = directory.UserID(s.after), min(batch, maxCandidates-seen)
		subjects, err := s.people.Subjects(ctx, who, at)
		if err != nil {
			return nil, fmt.Errorf("reading candidates: %w", err)
		}
		last := len(subjects) < who.Limit
		for i := range subjects {
			s.after = string(subjects[i].ID)
			if s.may(&subjects[i]) {
				found = append(found, subjects[i].ID)
			}
			if len(found) == limit && (!last || i < len(subjects)-1) {
				return found, nil
			}
		}
		if last {
			s.after = ""
			return found, nil
		}
		seen += len(subjects)
	}
	return found, nil
}

func (s *subjectSearch) may(who *directory.Subject) bool {
	asked := s.request.SubjectType == authz.SubjectService
	return (who.Type == directory.Service) == asked && s.view.Snapshot().Decide(who, &s.request).Allow
}

// names returns the names by which users are evaluated. They are those of the
// present: who is renamed is found under the new name, and nobody is found
// under a name that means somebody else by now.
func (s *subjectSearch) names(ctx context.Context, users []directory.UserID) ([]string, error) {
	names := make([]string, 0, len(users))
	for chunk := range slices.Chunk(users, namesAtOnce) {
		known, err := s.knownAs(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for _, id := range chunk {
			name := known[id]
			if name == "" {
				if name, err = s.otherName(ctx, id); err != nil {
					return nil, err
				}
			}
			if directory.IsID(name) { // an evaluation takes it for an id of ours
				name = string(id)
			}
			if name != "" {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// knownAs returns the names that users have by their first identities.
func (s *subjectSearch) knownAs(ctx context.Context, users []directory.UserID) (map[directory.UserID]string, error) {
	any := make(directory.Or, len(users))
	for i, id := range users {
		any[i] = directory.Compare{Attr: directory.AttrID, Op: directory.Eq, Value: string(id)}
	}
	page, err := s.people.Identities(ctx, directory.Query{Where: any, Limit: len(users)})
	if err != nil {
		return nil, fmt.Errorf("reading names: %w", err)
	}
	names := make(map[directory.UserID]string, len(users))
	for i := range page.Items {
		if who := &page.Items[i]; who.Presence != directory.Deleted {
			names[who.User] = who.UserName
		}
	}
	return names, nil
}

// otherName is the name of a user whose first identity is deleted, "" if the
// user is deleted by now.
func (s *subjectSearch) otherName(ctx context.Context, id directory.UserID) (string, error) {
	user, err := s.people.User(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading names: %w", err)
	}
	for i := range user.Identities {
		if user.Identities[i].Presence != directory.Deleted {
			return user.Identities[i].UserName, nil
		}
	}
	return "", nil
}
