package admin

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/usherd/usherd/directory"
)

// A namedLook is a look at whom a name means.
//
// Of the present that is who bears the name. Of the past, too: people ask about
// a colleague by the name that they know, whatever it was then. If nobody bears
// it now, it is who bore it then. An id means whom it meant then.
type namedLook struct {
	Look
	called string           // how the user was named
	past   bool             // what is asked about is the past
	turned directory.UserID // who is meant, if that is by who bears the name at another time
	note   string           // what people have to know of the name, if anything
}

// named looks up whom a name means. It may be nobody.
func (s *Service) named(ctx context.Context, name, when string) (namedLook, error) {
	key, err := SubjectKey(name)
	if err != nil {
		return namedLook{}, err
	}
	at, err := s.When(ctx, when)
	if err != nil {
		return namedLook{}, err
	}
	look, err := s.lookAt(ctx, key, at)
	n := namedLook{Look: look, called: name, past: at != 0}
	if err != nil || at == 0 || key.Kind == directory.KeyID {
		return n, err
	}
	now, err := s.Store.Subject(ctx, key, directory.Stamp{})
	if err != nil {
		return n, fmt.Errorf("looking up user: %w", err)
	}
	then := n.Subject.Found
	switch {
	case now.Found == directory.One:
		return n, s.turnTo(ctx, &n, now.ID)
	case now.Found == directory.Ambiguous && then == directory.One:
		n.note = fmt.Sprintf("this is about who %s was at revision %d; now it is the name of more than one user", name, n.Stamp.Revision)
	case then == directory.One && key.Kind == directory.KeyUserName:
		if now := s.nowCalled(ctx, n.Subject.ID); now != "" {
			n.note = fmt.Sprintf("who was %s at revision %d is %s now", name, n.Stamp.Revision, now)
		}
	}
	return n, nil
}

// turnTo makes n a look at a user, whoever bore the name at that time; if that
// was somebody else, the note says so.
func (s *Service) turnTo(ctx context.Context, n *namedLook, to directory.UserID) error {
	bore := n.Subject
	if n.turned == to || bore.Found == directory.One && bore.ID == to {
		n.turned = to
		return nil
	}
	n.turned = to
	sub, err := s.Store.Subject(ctx, directory.SubjectKey{Kind: directory.KeyID, Value: string(to)}, n.Stamp)
	if err != nil {
		return s.whenPruned(ctx, n.Stamp.Revision, fmt.Errorf("looking up user: %w", err))
	}
	n.Subject = &sub
	switch {
	case bore.Found == directory.Ambiguous:
		n.note = fmt.Sprintf("at revision %d %s was the name of more than one user", n.Stamp.Revision, n.called)
	case bore.Found == directory.One && (sub.Found != directory.One || sub.ID != bore.ID):
		n.note, err = s.otherBearer(ctx, n, bore.ID)
	}
	return err
}

// otherBearer says who bore a name at a time, to those who may ask about them.
func (s *Service) otherBearer(ctx context.Context, n *namedLook, bore directory.UserID) (string, error) {
	note := fmt.Sprintf("at revision %d %s was the name of somebody else", n.Stamp.Revision, n.called)
	a, err := s.Authority(ctx)
	if err != nil || !a.May(AskChecks, "") {
		return note, err
	}
	if now := s.nowCalled(ctx, bore); now != "" {
		return note + ", now " + now + ": ask by id " + string(bore), nil
	}
	return note + ", who is gone: ask by id " + string(bore), nil
}

// nowCalled is the name of a user who is there now; otherwise it is empty.
func (s *Service) nowCalled(ctx context.Context, id directory.UserID) string {
	sub, err := s.Store.Subject(ctx, directory.SubjectKey{Kind: directory.KeyID, Value: string(id)}, directory.Stamp{})
	if err != nil || sub.Found != directory.One {
		return ""
	}
	u, err := s.Store.User(ctx, sub.ID)
	if err != nil {
		return ""
	}
	_, handle := nameOf(u)
	return handle
}

// nobody says why the name led to no user.
func (n *namedLook) nobody() error {
	switch {
	case n.Subject.Found == directory.Ambiguous:
		return invalid("%q means more than one user; name one by id or userName (usherd user list)", n.called)
	case n.turned != "" && !n.past:
		return notFound("whom %q meant is gone by now", n.called)
	case n.turned != "" && n.note != "":
		return notFound("whom %q means now was not there then: %s", n.called, printable(n.note))
	case n.turned != "":
		return notFound("whom %q means was not there at revision %d", n.called, n.Stamp.Revision)
	case n.past:
		return fmt.Errorf("at revision %d: %w", n.Stamp.Revision, noUser(n.called))
	}
	return noUser(n.called)
}

// sentence is the note as a sentence.
func (n *namedLook) sentence() string {
	if n.note == "" {
		return ""
	}
	return strings.ToUpper(n.note[:1]) + printable(n.note[1:]) + "."
}

// printable is a text in which no name can end the line, nor move the cursor of
// a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
