package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usherd/usherd/directory"
)

// The spaces of kept records about who signs in to the console.
const (
	// SessionSpace has each [Session] under the hash of its secret.
	SessionSpace = "console-session"

	accountSpace = "console-subject" // keptAccount by [Account.Subject]
	signInSpace  = "console-signin"  // keptSignIn by USER/ISSUER: this is what counts
)

// ViaLink is [Session.Via] of who used a login link.
const ViaLink = "link"

// A Session is a signed-in user's.
type Session struct {
	User  directory.UserID `json:"user"`
	Via   string           `json:"via"` // ViaLink or the issuer
	Begun time.Time        `json:"begun"`
	Seen  time.Time        `json:"seen"`
}

// An Account is one of an identity provider.
type Account struct {
	Issuer  string
	Subject string // keyed hash of issuer and subject: never the subject itself
}

// A SignIn says that an account of an identity provider is bound to a user, who
// then signs in with that account of it and no other.
type SignIn struct {
	Issuer  string    `json:"issuer"`
	Since   time.Time `json:"since"`
	Refused time.Time `json:"refused,omitzero"` // when another account was refused; noted once an hour at most
}

// refusalNoted is how often it is noted that accounts are refused as one user:
// whoever tries again and again fills no audit trail.
const refusalNoted = time.Hour

// A BoundError refuses an account: the user that it fits is bound to another.
type BoundError struct{ User directory.UserID }

func (e *BoundError) Error() string {
	return fmt.Sprintf("user %s is bound to another account of the identity provider; an administrator can release it (usherd user release-sign-in %[1]s)", e.User)
}

type keptSignIn struct {
	SignIn
	Subject string `json:"subject"` // of the [Account]
}

// A keptAccount tells whose an account is, if the keptSignIn of that user says
// the same. Before there were such, it was the id alone, which counted.
type keptAccount struct {
	User directory.UserID `json:"user"`
	old  bool
}

func readAccount(record directory.Kept) (a keptAccount, err error) {
	if json.Unmarshal(record.Value, &a.User) == nil {
		a.old = true
		return a, nil
	}
	if err := json.Unmarshal(record.Value, &a); err != nil {
		return a, fmt.Errorf("reading whose an account is: %w", err)
	}
	return a, nil
}

// UserOfAccount returns the user to whom an account is bound, who may be gone by
// now, or ErrNotFound.
func (s *Service) UserOfAccount(ctx context.Context, of Account) (directory.UserID, error) {
	record, err := s.Store.Kept(ctx, accountSpace, of.Subject)
	if err != nil {
		return "", fmt.Errorf("looking up an account: %w", err)
	}
	a, err := readAccount(record)
	if err != nil {
		return "", err
	}
	if a.old {
		return a.User, s.bindAccount(ctx, of, a.User, record.Modified)
	}
	bound, _, err := s.signIn(ctx, a.User, of.Issuer)
	if err == nil && bound.Subject != of.Subject {
		err = fmt.Errorf("the account was released: %w", directory.ErrNotFound)
	}
	return a.User, err
}

// BindAccount binds an account to the user whom it fits, from now on. If another
// account of the issuer is bound to that user it is a [BoundError].
func (s *Service) BindAccount(ctx context.Context, of Account, user directory.UserID) error {
	return s.bindAccount(ctx, of, user, s.Now())
}

// bindAccount writes the record of the user first: of several accounts that want
// to be bound to one user, one succeeds in that.
func (s *Service) bindAccount(ctx context.Context, of Account, user directory.UserID, since time.Time) error {
	var err error
	for range 3 { // requests of one account can meet
		if err = s.tryBind(ctx, of, user, since); !errors.Is(err, directory.ErrVersion) {
			return err
		}
	}
	return err
}

func (s *Service) tryBind(ctx context.Context, of Account, user directory.UserID, since time.Time) error {
	bound, record, err := s.signIn(ctx, user, of.Issuer)
	switch {
	case errors.Is(err, directory.ErrNotFound):
		bound = keptSignIn{SignIn{Issuer: of.Issuer, Since: since.UTC().Truncate(time.Millisecond)}, of.Subject}
		if err := s.keepJSON(ctx, directory.Kept{Space: signInSpace, Key: signInKey(user, of.Issuer)}, bound); err != nil {
			return fmt.Errorf("binding an account: %w", err)
		}
	case err != nil:
		return err
	case bound.Subject != of.Subject:
		return s.refuseAccount(ctx, user, bound, record)
	}
	return s.ownAccount(ctx, of, user)
}

// ownAccount keeps whose an account is. Whose it was before is free.
func (s *Service) ownAccount(ctx context.Context, of Account, user directory.UserID) error {
	record, err := s.Store.Kept(ctx, accountSpace, of.Subject)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return fmt.Errorf("looking up an account: %w", err)
	}
	var was keptAccount
	if err == nil {
		if was, err = readAccount(record); err != nil || was == (keptAccount{User: user}) {
			return err
		}
	}
	record.Space, record.Key = accountSpace, of.Subject
	if err := s.keepJSON(ctx, record, keptAccount{User: user}); err != nil {
		return fmt.Errorf("binding an account: %w", err)
	}
	if was.User == "" || was.User == user {
		return nil
	}
	before, _, err := s.signIn(ctx, was.User, of.Issuer)
	if err == nil && before.Subject == of.Subject {
		err = s.Store.DropKept(ctx, signInSpace, signInKey(was.User, of.Issuer))
	}
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	return err
}

// refuseAccount says that another account is bound to a user, and notes it.
func (s *Service) refuseAccount(ctx context.Context, user directory.UserID, bound keptSignIn, record directory.Kept) error {
	refused := &BoundError{user}
	now := s.Now().UTC().Truncate(time.Millisecond)
	if now.Sub(bound.Refused) < refusalNoted {
		return refused
	}
	bound.Refused = now
	if err := s.keepJSON(ctx, record, bound); err != nil {
		if errors.Is(err, directory.ErrVersion) { // another request noted it, or it was released just now
			return refused
		}
		return errors.Join(refused, err)
	}
	by := directory.Actor{Kind: directory.ActorSystem, Name: "sign-in", Address: clientAddress(ctx)}
	if err := s.note(ctx, by, signInRefused, string(user), bound.Issuer); err != nil {
		return errors.Join(refused, err)
	}
	return refused
}

func signInKey(user directory.UserID, issuer string) string { return string(user) + "/" + issuer }

// signIn returns which account of an issuer is bound to a user.
func (s *Service) signIn(ctx context.Context, user directory.UserID, issuer string) (out keptSignIn, record directory.Kept, err error) {
	if record, err = s.Store.Kept(ctx, signInSpace, signInKey(user, issuer)); err != nil {
		return out, record, fmt.Errorf("looking up whom an account is bound to: %w", err)
	}
	return out, record, readSignIn(record, &out)
}

func readSignIn(record directory.Kept, into *keptSignIn) error {
	if err := json.Unmarshal(record.Value, into); err != nil {
		return fmt.Errorf("reading whom an account is bound to: %w", err)
	}
	return nil
}

// keepJSON writes a value over a record.
func (s *Service) keepJSON(ctx context.Context, record directory.Kept, value any) (err error) {
	if record.Value, err = json.Marshal(value); err != nil {
		return err
	}
	_, err = s.Store.PutKept(ctx, record)
	return err
}

// signIns lists what is bound to a user, by issuer.
func (s *Service) signIns(ctx context.Context, user directory.UserID) (out []SignIn, err error) {
	err = s.eachKept(ctx, signInSpace, signInKey(user, ""), func(record directory.Kept) error {
		var one keptSignIn
		err := readSignIn(record, &one)
		out = append(out, one.SignIn)
		return err
	})
	return out, err
}
