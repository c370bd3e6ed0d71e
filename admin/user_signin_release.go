package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// A Released sign-in says what ended with it.
type Released struct {
	Outcome
	Accounts int `json:"accounts"` // of identity providers that were bound
	Sessions int `json:"sessions"` // that they had begun
}

// bonds are the records that bind accounts to a user.
type bonds struct {
	issuers           []string
	signIns, accounts []string // keys
}

// ReleaseSignIn ends what binds accounts of identity providers to a user, with
// the sessions that they began. Whoever signs in next and is that user by what
// the source says is bound like at a first sign-in.
func (s *Service) ReleaseSignIn(ctx context.Context, by directory.Actor, name string) (Released, error) {
	_, sub, err := s.userToChange(ctx, by, name, WriteUsers)
	if err != nil {
		return Released{}, err
	}
	found, err := s.bonds(ctx, sub.ID)
	if err != nil {
		return Released{}, err
	}
	begun, err := s.sessionsByAccount(ctx, sub.ID)
	if err != nil {
		return Released{}, err
	}
	out := Released{Accounts: max(len(found.signIns), len(found.accounts)), Sessions: len(begun)}
	if out.Accounts+out.Sessions == 0 { // a release that was cut short may have left sessions
		if out.Outcome, err = s.unaltered(ctx); err == nil {
			out.Note = "no account of an identity provider is bound to this user"
		}
		return out, err
	}
	// What can't be noted is not done.
	note := directory.Note{Action: signInReleased, Target: string(sub.ID), Attributes: found.issuers}
	if out.Outcome, err = s.apply(ctx, by, note); err != nil || dryRun(ctx) {
		return out, err
	}
	out.Note = "whoever signs in next as this user is bound"
	return out, s.dropBonds(ctx, sub.ID)
}

// unaltered is the outcome of what had nothing to alter.
func (s *Service) unaltered(ctx context.Context) (Outcome, error) {
	if dryRun(ctx) {
		return s.rehearse(ctx)
	}
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return Outcome{}, fmt.Errorf("reading the revision: %w", err)
	}
	return Outcome{Revision: head.Stamp.Revision, Stamp: head.Stamp.String()}, nil
}

// dropBonds frees a user. Sessions come last, read anew, so that none that began
// before the accounts were released is left.
func (s *Service) dropBonds(ctx context.Context, user directory.UserID) error {
	bound, err := s.bonds(ctx, user)
	if err == nil {
		err = errors.Join(s.dropAll(ctx, accountSpace, bound.accounts), s.dropAll(ctx, signInSpace, bound.signIns))
	}
	if err != nil {
		return fmt.Errorf("releasing accounts: %w", err)
	}
	begun, err := s.sessionsByAccount(ctx, user)
	if err == nil {
		err = s.dropAll(ctx, SessionSpace, begun)
	}
	if err != nil {
		return fmt.Errorf("ending sessions: %w", err)
	}
	return nil
}

func (s *Service) dropAll(ctx context.Context, space string, keys []string) error {
	for _, key := range keys {
		if err := s.Store.DropKept(ctx, space, key); err != nil && !errors.Is(err, directory.ErrNotFound) {
			return err
		}
	}
	return nil
}

// bonds finds what binds accounts to a user. It reads whose all accounts are:
// those bound by older versions are known by nothing else.
func (s *Service) bonds(ctx context.Context, user directory.UserID) (out bonds, err error) {
	err = s.eachKept(ctx, signInSpace, signInKey(user, ""), func(record directory.Kept) error {
		var one keptSignIn
		err := readSignIn(record, &one)
		out.signIns, out.issuers = append(out.signIns, record.Key), append(out.issuers, one.Issuer)
		return err
	})
	if err != nil {
		return out, fmt.Errorf("listing accounts: %w", err)
	}
	err = s.eachKept(ctx, accountSpace, "", func(record directory.Kept) error {
		a, err := readAccount(record)
		if err == nil && a.User == user {
			out.accounts = append(out.accounts, record.Key)
		}
		return err
	})
	if err != nil {
		return out, fmt.Errorf("listing accounts: %w", err)
	}
	return out, nil
}

// sessionsByAccount lists the sessions of a user that no login link began.
func (s *Service) sessionsByAccount(ctx context.Context, user directory.UserID) (keys []string, err error) {
	err = s.eachKept(ctx, SessionSpace, "", func(record directory.Kept) error {
		var one Session
		if json.Unmarshal(record.Value, &one) == nil && one.User == user && one.Via != ViaLink {
			keys = append(keys, record.Key)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	return keys, nil
}
