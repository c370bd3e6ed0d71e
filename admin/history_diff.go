package admin

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A ComparedSide is one side of a comparison.
type ComparedSide struct {
	User     directory.UserID `json:"user"`
	Name     string           `json:"name"`
	UserName string           `json:"userName"`
	Moment   Moment           `json:"moment"`
}

// A Comparison is what two users, or one user at two times, do not have in
// common.
type Comparison struct {
	One ComparedSide `json:"one"`
	Two ComparedSide `json:"two"`
	authz.Contrast
	Note string `json:"note,omitempty"` // what one has to know of the names that were asked for
	Text string `json:"text"`
}

// CompareUsers says what each of two users may do that the other may not, and
// why, at one moment.
func (s *Service) CompareUsers(ctx context.Context, one, two, at string) (Comparison, error) {
	first, err := s.explained(ctx, one, at)
	if err != nil {
		return Comparison{}, err
	}
	if at == "" { // both of the same revision, whatever happens meanwhile
		at = strconv.FormatInt(int64(first.Stamp.Revision), 10)
	}
	second, err := s.explained(ctx, two, at)
	if err != nil {
		return Comparison{}, err
	}
	return s.compare(ctx, first, second)
}

// CompareTimes says what a user could do at one time and not at the other. An
// empty time is now. Both sides are of one person, whatever they were called:
// who bears the name now; if nobody does, who bore it at the later time, or at
// the earlier one.
func (s *Service) CompareTimes(ctx context.Context, user, from, to string) (Comparison, error) {
	second, err := s.named(ctx, user, to)
	if err != nil {
		return Comparison{}, err
	}
	first, err := s.named(ctx, user, from)
	if err != nil {
		return Comparison{}, err
	}
	switch {
	case second.Subject.Found == directory.One:
		err = s.turnTo(ctx, &first, second.Subject.ID)
	case second.Subject.Found == directory.Unknown && first.Subject.Found == directory.One:
		err = s.turnTo(ctx, &second, first.Subject.ID)
	}
	if err != nil {
		return Comparison{}, err
	}
	for _, look := range []*namedLook{&second, &first} {
		if err := s.tellAll(ctx, look); err != nil {
			return Comparison{}, err
		}
	}
	return s.compare(ctx, first, second)
}

// explained looks a user up of whom everything may be told.
func (s *Service) explained(ctx context.Context, name, at string) (namedLook, error) {
	look, err := s.named(ctx, name, at)
	if err == nil {
		err = s.tellAll(ctx, &look)
	}
	return look, err
}

// tellAll refuses nobody, and those of whom not everything may be told.
func (s *Service) tellAll(ctx context.Context, look *namedLook) error {
	if err := s.mayExplain(ctx, look.Subject); err != nil {
		return err
	}
	if look.Subject.Found != directory.One {
		return look.nobody()
	}
	return nil
}

func (s *Service) compare(ctx context.Context, one, two namedLook) (c Comparison, err error) {
	if c.One, err = s.comparedSide(ctx, one.Look); err != nil {
		return c, err
	}
	if c.Two, err = s.comparedSide(ctx, two.Look); err != nil {
		return c, err
	}
	c.Contrast = authz.Contrasted(authz.Side{Snapshot: one.Snapshot, Subject: one.Subject}, authz.Side{Snapshot: two.Snapshot, Subject: two.Subject}, maxWays)
	notes := []string{one.sentence()}
	if two.note != one.note {
		notes = append(notes, two.sentence())
	}
	if c.Note, c.Text = strings.TrimSpace(strings.Join(notes, " ")), c.text(); c.Note != "" {
		c.Text = c.Note + "\n\n" + c.Text
	}
	return c, nil
}

func (s *Service) comparedSide(ctx context.Context, look Look) (ComparedSide, error) {
	u, err := s.Store.User(ctx, look.Subject.ID)
	if err != nil {
		return ComparedSide{}, fmt.Errorf("user %s: %w", look.Subject.ID, err)
	}
	side := ComparedSide{User: u.ID}
	side.Name, side.UserName = nameOf(u)
	side.Moment, err = s.moment(ctx, look.Stamp)
	return side, err
}

// text tells the comparison to people.
func (c *Comparison) text() string {
	var b strings.Builder
	one, two := c.One.Name, c.Two.Name
	if c.One.User == c.Two.User {
		fmt.Fprintf(&b, "%s\n", one)
		one, two = "at "+c.One.Moment.String(), "at "+c.Two.Moment.String()
	} else if one == two {
		one, two = c.One.UserName, c.Two.UserName
	}
	if c.Empty() {
		fmt.Fprintf(&b, "No difference: %d permissions in common.\n", c.Common)
		return b.String()
	}
	contrastText(&b, "Only "+one, c.First, c.FirstGroups, c.FirstCode)
	contrastText(&b, "Only "+two, c.Second, c.SecondGroups, c.SecondCode)
	fmt.Fprintf(&b, "%d permissions in common.\n", c.Common)
	return b.String()
}

func contrastText(b *strings.Builder, title string, held []authz.Held, groups []authz.Step, code authz.Code) {
	fmt.Fprintf(b, "%s:\n", title)
	if code != authz.Granted {
		fmt.Fprintf(b, "  may do nothing: %s\n", code)
	}
	for _, g := range groups {
		fmt.Fprintf(b, "  in group %s (%s)\n", g.Name, g.Source)
	}
	for i := range held {
		var from []string
		for j := range held[i].Via {
			from = append(from, held[i].Via[j].Origin())
		}
		fmt.Fprintf(b, "  %s, from %s\n", held[i].String(), strings.Join(from, ", "))
	}
	if len(held)+len(groups) == 0 && code == authz.Granted {
		b.WriteString("  nothing\n")
	}
	b.WriteByte('\n')
}

func (a *API) compareUsers(c call) (answer, error) {
	v := c.URL.Query()
	if v.Has("with") {
		return outcome(a.Service.CompareUsers(c.Context(), c.PathValue("user"), v.Get("with"), v.Get("at")))
	}
	if !v.Has("from") {
		return answer{}, invalid("say with=USER, or from= and to= a revision or time")
	}
	return outcome(a.Service.CompareTimes(c.Context(), c.PathValue("user"), v.Get("from"), v.Get("to")))
}
