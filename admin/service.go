package admin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/webhook"
)

// A Store is what the service reads and writes. A [directory.Store] is one.
// Apply returns when this process answers by what was written.
type Store interface {
	directory.Writer
	directory.History
	directory.Catalog
	directory.Journal
	directory.Keeper
	directory.Foreseer
	directory.Lister
	directory.Timeline
	directory.Dater
}

// Config is what a [Service] is made of.
type Config struct {
	Store    Store         // required
	TokenKey []byte        // required; see [TokenKey]
	BaseURL  func() string // required; where clients reach the public listener, without a slash at the end

	// Sync runs LDAP sources. Nil means that no daemon runs: then synchronising
	// is [ErrUnavailable].
	Sync Syncer
	// Provisioning repeats requests of identity providers. Nil means that no
	// daemon runs.
	Provisioning Provisioning
	// Tender tends the daemon of this process. Nil means that none runs.
	Tender Tender
	// PDP answers checks. Nil means that facts are compiled for each question.
	PDP Decider
	// ManagedBy names the configuration that a source is read-only under, empty
	// if it is not. Nil means that none is.
	ManagedBy func(directory.SourceName) string
	// ManagedSections names, for the sections of the policy that a configured
	// file manages, that file. Nil means that none is managed.
	ManagedSections func() map[directory.Section]string
	// CheckSettings validates and completes the settings of an LDAP source.
	// Nil accepts any object.
	CheckSettings func(kind directory.SourceKind, settings []byte) error
	Now           func() time.Time // default time.Now
	// SecretFolder is where settings of a source may name files when they come
	// from somebody who does not own the machine. Empty means nowhere.
	SecretFolder string
	// Webhooks keeps what is told to other systems. Nil means that nothing is.
	Webhooks *webhook.Book
	// Principal is who asks where the context does not say it. The zero value is
	// nobody: then such a call is refused.
	Principal directory.Actor
}

// A Service performs administrative actions. Its methods are safe for
// concurrent use.
type Service struct {
	Config

	// guard serialises the actions that look at the whole before they change a
	// part of it: the last owner, the number of tokens of a source.
	guard sync.Mutex
	turn  turn // among replicas; guarded by guard

	compiled atomic.Pointer[authz.Snapshot] // see present; without a PDP
	roster   rosterKeeper
	counted  atomic.Pointer[census]   // the newest
	mapped   atomic.Pointer[mappedIn] // the newest
	bills    billBook
	groups   atomic.Pointer[groupList]
	jobs     jobQueue
	behind   background
	edits    policyLog
	added    addedBook
	live     Limiter // of searches in directories
}

// New returns a Service. It reports every fault of the configuration.
func New(c Config) (*Service, error) {
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("missing Store"))
	}
	if len(c.TokenKey) < 32 {
		errs = append(errs, errors.New("TokenKey of less than 32 bytes"))
	}
	if c.BaseURL == nil {
		errs = append(errs, errors.New("missing BaseURL"))
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("admin: %w", errors.Join(errs...))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{Config: c, turn: turn{holder: directory.NewID()}, live: Limiter{Rate: 0.1, Burst: 6, Now: c.Now}}, nil
}

// An Outcome says what an action led to. If nothing was altered, Changed is
// false and the revision is the present one.
type Outcome struct {
	Revision directory.Revision `json:"revision"`
	Stamp    string             `json:"stamp"` // the form of the Usherd-Revision header
	Changed  bool               `json:"changed"`
	// Preview is what would happen, of an action that was only tried; see
	// WithDryRun. Then nothing was altered.
	Preview *authz.Difference `json:"preview,omitempty"`
	// Note warns of something that the asker may not expect.
	Note string `json:"note,omitempty"`
}

type dryRunKey struct{}

// WithDryRun makes every action under ctx a preview: it is checked like the real
// one, and says who would gain and lose what, but alters nothing.
func WithDryRun(ctx context.Context) context.Context {
	return WithDryRunOf(ctx, PeopleList{})
}

// WithDryRunOf is [WithDryRun] that lists other people one by one.
func WithDryRunOf(ctx context.Context, list PeopleList) context.Context {
	return context.WithValue(ctx, dryRunKey{}, list)
}

func dryRun(ctx context.Context) bool { return ctx.Value(dryRunKey{}) != nil }

func (s *Service) apply(ctx context.Context, by directory.Actor, changes ...directory.Change) (Outcome, error) {
	if gathered(ctx, changes) {
		return Outcome{}, nil
	}
	if dryRun(ctx) {
		return s.rehearse(ctx, changes...)
	}
	done, err := s.Store.Apply(ctx, by, changes...)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Revision: done.Stamp.Revision, Stamp: done.Stamp.String(), Changed: done.Changed}, nil
}

// rehearse is apply for a preview.
func (s *Service) rehearse(ctx context.Context, changes ...directory.Change) (Outcome, error) {
	list, _ := ctx.Value(dryRunKey{}).(PeopleList)
	diff, err := s.PreviewPage(ctx, list, changes...)
	if err != nil {
		return Outcome{}, err
	}
	return s.tried(ctx, diff)
}

// tried is the outcome of a preview.
func (s *Service) tried(ctx context.Context, diff authz.Difference) (Outcome, error) {
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return Outcome{}, fmt.Errorf("reading the revision: %w", err)
	}
	return Outcome{Revision: head.Stamp.Revision, Stamp: head.Stamp.String(), Preview: &diff}, nil
}
