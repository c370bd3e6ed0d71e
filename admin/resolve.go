package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// SubjectKey reads how people name a user: an id, a userName, email:ADDRESS or
// external:SOURCE/ID.
func SubjectKey(name string) (directory.SubjectKey, error) {
	if address, ok := strings.CutPrefix(name, "email:"); ok {
		key, err := directory.KeyOf(address)
		if err != nil {
			return directory.SubjectKey{}, fmt.Errorf("e-mail address: %w", err)
		}
		return directory.SubjectKey{Kind: directory.KeyEmail, Value: string(key)}, nil
	}
	if external, ok := strings.CutPrefix(name, "external:"); ok {
		source, id, ok := strings.Cut(external, "/")
		if !ok || source == "" || id == "" {
			return directory.SubjectKey{}, invalid("write external:SOURCE/ID, not %q", name)
		}
		return directory.SubjectKey{Kind: directory.KeyExternal, Source: directory.SourceName(source), Value: id}, nil
	}
	if directory.IsID(name) {
		return directory.SubjectKey{Kind: directory.KeyID, Value: strings.ToLower(name)}, nil
	}
	key, err := directory.KeyOf(name)
	if err != nil {
		return directory.SubjectKey{}, fmt.Errorf("userName: %w", err)
	}
	return directory.SubjectKey{Kind: directory.KeyUserName, Value: string(key)}, nil
}

// user finds the living user that a name means.
func (s *Service) user(ctx context.Context, name string) (directory.Subject, error) {
	key, err := SubjectKey(name)
	if err != nil {
		return directory.Subject{}, err
	}
	sub, err := s.Store.Subject(ctx, key, directory.Stamp{})
	if err != nil {
		return directory.Subject{}, fmt.Errorf("looking up user: %w", err)
	}
	switch sub.Found {
	case directory.One:
		return sub, nil
	case directory.Ambiguous:
		return directory.Subject{}, invalid("%q means more than one user; name one by id or userName (usherd user list)", name)
	}
	return directory.Subject{}, noUser(name)
}

func noUser(name string) error {
	return notFound("no user %q; a user is named by id, userName, email:ADDRESS or external:SOURCE/ID", name)
}

// seenUser finds a user whom a may know of.
func (s *Service) seenUser(ctx context.Context, a *Authority, name string) (directory.Subject, error) {
	sub, err := s.user(ctx, name)
	if err == nil && !a.seesUser(&sub) {
		return directory.Subject{}, noUser(name)
	}
	return sub, err
}

// seenGroup finds the living group that a name means, an id or SOURCE/NAME,
// among those that a may know of.
func (s *Service) seenGroup(ctx context.Context, a *Authority, name string) (directory.Group, error) {
	if directory.IsID(name) {
		g, err := s.Store.Group(ctx, "", directory.GroupID(strings.ToLower(name)))
		if errors.Is(err, directory.ErrNotFound) || err == nil && !a.seesGroup(g.Num, g.Project) {
			return directory.Group{}, notFound("no group %s", name)
		}
		if err != nil {
			return directory.Group{}, fmt.Errorf("group %s: %w", name, err)
		}
		return g, nil
	}
	source, title, ok := strings.Cut(name, "/")
	if !ok || source == "" || title == "" {
		return directory.Group{}, invalid("a group is named by SOURCE/NAME or by its id, not %q", name)
	}
	if directory.SourceName(source) != directory.Local && a.May(ReadSources, "") {
		if _, err := s.source(ctx, directory.SourceName(source)); err != nil {
			return directory.Group{}, err
		}
	}
	if _, err := directory.KeyOf(title); err != nil {
		return directory.Group{}, fmt.Errorf("group name: %w", err)
	}
	found, err := s.groupsNamed(ctx, directory.SourceName(source), title)
	if err != nil {
		return directory.Group{}, err
	}
	found = slices.DeleteFunc(found, func(g directory.Group) bool { return !a.seesGroup(g.Num, g.Project) })
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return directory.Group{}, notFound("no group %q in source %s (usherd group list --source %s)", title, source, source)
	}
	return directory.Group{}, ambiguousGroup(name, found)
}

func (s *Service) groupsNamed(ctx context.Context, source directory.SourceName, title string) ([]directory.Group, error) {
	page, err := s.Store.Groups(ctx, directory.Query{
		Source: source,
		Where:  directory.Compare{Attr: directory.AttrName, Op: directory.Eq, Value: title},
		Limit:  maxPage,
	})
	if err != nil {
		return nil, fmt.Errorf("looking up group: %w", err)
	}
	return page.Items, nil
}

func ambiguousGroup(name string, groups []directory.Group) error {
	var list strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&list, "\n  %s", g.ID)
		if g.Project != "" {
			fmt.Fprintf(&list, "  project %s", g.Project)
		}
		if g.DN != "" {
			fmt.Fprintf(&list, "  %s", g.DN)
		}
	}
	return invalid("%q means %d groups; name one by id:%s", name, len(groups), list.String())
}

// checkProject refuses a project that the policy does not know.
func checkProject(p *directory.Policy, key directory.ProjectKey) error {
	if key == "" {
		return nil
	}
	known := make([]string, len(p.Projects))
	for i, project := range p.Projects {
		if project.Key == key {
			return nil
		}
		known[i] = string(project.Key)
	}
	return invalid("no project %q in the policy%s", key, didYouMean(string(key), known))
}

// didYouMean names what was probably meant, or lists what there is if that is
// short.
func didYouMean(got string, known []string) string {
	best, least := "", 1+len(got)/3
	for _, k := range known {
		if d := distance(strings.ToLower(got), strings.ToLower(k)); d <= least {
			best, least = k, d-1
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("; did you mean %q?", best)
	case len(known) > 0 && len(known) <= 8:
		return "; there are " + strings.Join(known, ", ")
	}
	return ""
}

// distance counts the insertions, deletions and replacements between two short
// words.
func distance(a, b string) int {
	const long = 64
	if len(a) > long || len(b) > long {
		return long
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next := min(row[j]+1, row[j-1]+1, diagonal+cost)
			diagonal, row[j] = row[j], next
		}
	}
	return row[len(b)]
}
