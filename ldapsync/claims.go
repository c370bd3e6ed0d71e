package ldapsync

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/usherd/usherd/directory"
)

// A claim is what other sources have to say to a person of a read.
type claim struct {
	why     string           // the userName cannot be taken over
	user    directory.UserID // whom the newcomer joins because linking allows it
	revives key              // the identity that speaks again; zero for a new one
}

// claimed is what is to be said of a person beyond this source. Whom nobody
// claims is not in it.
type claimed map[int32]claim // by row of Snapshot.people

// A claimer finds out what other sources have to say.
type claimer struct {
	store  Facts
	source directory.SourceName
	link   func(ctx context.Context, source directory.SourceName, p directory.Profile) (directory.UserID, error) // nil: nobody is linked

	found  claimed
	joined map[directory.UserID]bool
	rows   []int32 // that wait to be asked about
	people []Person
	asked  []directory.Newcomer
}

// claimChunk is how many newcomers are asked about at once.
const claimChunk = 1000

// claims asks about those who are new, and those who take another userName.
func (c *claimer) claims(ctx context.Context, have *State, want *Snapshot) (claimed, error) {
	c.found, c.joined = claimed{}, map[directory.UserID]bool{}
	for i := range int32(want.people.len()) {
		row := want.people.at(i)
		if row.reject || row.known != nowhere && row.changed&changedUserName == 0 {
			continue
		}
		p, err := want.person(i)
		if err != nil {
			return nil, err
		}
		n := directory.Newcomer{ExternalID: p.Profile.ExternalID, UserName: p.Profile.UserName}
		if row.known != nowhere {
			n.ID = directory.UserID(have.people.at(row.known).userID())
		}
		c.rows, c.people, c.asked = append(c.rows, i), append(c.people, p), append(c.asked, n)
		if len(c.rows) == claimChunk {
			if err := c.ask(ctx); err != nil {
				return nil, err
			}
		}
	}
	return c.found, c.ask(ctx)
}

func (c *claimer) ask(ctx context.Context) error {
	if len(c.rows) == 0 {
		return nil
	}
	answers, err := c.store.Claims(ctx, c.source, c.asked...)
	if err != nil {
		return fmt.Errorf("asking what other sources have of newcomers: %w", err)
	}
	for i, a := range answers {
		said, err := c.settle(ctx, a, c.asked[i], &c.people[i].Profile)
		if err != nil {
			return err
		}
		if said != (claim{}) {
			c.found[c.rows[i]] = said
		}
	}
	c.rows, c.people, c.asked = c.rows[:0], c.people[:0], c.asked[:0]
	return nil
}

// settle decides about one person. A holder in this very source is a matter of
// the plan: it knows who gives a name up.
func (c *claimer) settle(ctx context.Context, a directory.Claim, n directory.Newcomer, p *directory.Profile) (claim, error) {
	var said claim
	joins := a.User
	switch {
	case n.ID != "":
	case a.Revives != "":
		id, err := uuid.Parse(string(a.Revives))
		if err != nil {
			return said, fmt.Errorf("identity %q: %w", a.Revives, err)
		}
		said.revives = key(id)
	case joins == "" && c.link != nil:
		var err error
		if joins, err = c.link(ctx, c.source, *p); err != nil {
			return said, fmt.Errorf("asking whom a newcomer joins: %w", err)
		}
		said.user = joins
	}
	switch {
	case a.Holder != "" && a.HolderSource != c.source && a.HolderUser != joins:
		return claim{why: takenElsewhere("userName", a.HolderUser, a.HolderSource)}, nil
	case joins != "" && c.joined[joins]:
		return claim{why: fmt.Sprintf("another entry joins the user %s: a user has one identity of a source", joins)}, nil
	case joins != "":
		c.joined[joins] = true
	}
	return said, nil
}

func takenElsewhere(attribute string, holder directory.UserID, source directory.SourceName) string {
	return fmt.Sprintf("its %s is taken by %s of source %s: rename one of them, or link the two (usherd user link, or link for the whole source)",
		attribute, holder, source)
}
