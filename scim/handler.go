package scim

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/usherd/usherd/directory"
)

// A UserReader reads the identities of one source.
type UserReader interface {
	Identity(ctx context.Context, source directory.SourceName, id directory.UserID) (directory.Identity, error)
	Identities(ctx context.Context, q directory.Query) (directory.Page[directory.Identity], error)
	GroupsOf(ctx context.Context, source directory.SourceName, ids ...directory.UserID) (map[directory.UserID][]directory.GroupRef, error)
}

// A GroupReader reads the groups of one source.
type GroupReader interface {
	Group(ctx context.Context, source directory.SourceName, id directory.GroupID) (directory.Group, error)
	Groups(ctx context.Context, q directory.Query) (directory.Page[directory.Group], error)
	Members(ctx context.Context, group directory.GroupID) iter.Seq2[directory.Member, error]
}

// A Reader reads present facts with the promises of directory.Catalog.
type Reader interface {
	UserReader
	GroupReader
}

// An Applier performs changes with the promises of directory.Writer. It
// returns when this replica's checks see the outcome, since its stamp is what
// clients get as Usherd-Revision.
type Applier interface {
	Apply(ctx context.Context, by directory.Actor, changes ...directory.Change) (directory.Applied, error)
}

// A Linker finds the user whom a new identity of a source joins.
type Linker interface {
	// LinkFor returns the user that linking allows an identity with this
	// profile to join, or none.
	LinkFor(ctx context.Context, source directory.SourceName, p directory.Profile) (directory.UserID, error)
}

// A Config says what a Handler works with.
type Config struct {
	URL    string                  // required: what stands before /scim/ in absolute addresses
	Auth   Authenticator           // required
	Read   Reader                  // required
	Apply  Applier                 // required
	Link   Linker                  // default: nobody is linked
	Try    directory.Rehearser     // default: nothing is replayed as a trial
	Seal   []byte                  // required: at least 32 bytes, the same on all replicas; authenticates cursors
	Record func(directory.Request) // takes the provisioning log without blocking; default: drops it
	Log    *zap.Logger             // default: no log
	Limits Limits
	Now    func() time.Time // default: time.Now
}

// A Handler serves the SCIM endpoints of all sources.
type Handler struct {
	url    string
	auth   Authenticator
	read   Reader
	write  Applier
	link   Linker
	try    directory.Rehearser
	seal   []byte
	record func(directory.Request)
	log    *zap.Logger
	limits Limits
	now    func() time.Time

	inFlight *semaphore.Weighted // bytes of bodies in work
	decoded  *semaphore.Weighted // bytes of what they became
	drains   chan []byte         // room to read what nobody wants
	turns    turns
	models   models
	locks    locks
}

// New returns a Handler, or everything that is wrong with cfg.
func New(cfg Config) (*Handler, error) {
	var errs []error
	if u, err := url.Parse(cfg.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		errs = append(errs, fmt.Errorf("URL %q: an absolute http(s) address is required", cfg.URL))
	}
	if cfg.Auth == nil || cfg.Read == nil || cfg.Apply == nil {
		errs = append(errs, errors.New("a Config needs Auth, Read and Apply"))
	}
	if len(cfg.Seal) < 32 {
		errs = append(errs, errors.New("a Seal of at least 32 bytes is required"))
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("scim: %w", errors.Join(errs...))
	}
	if cfg.Record == nil {
		cfg.Record = func(directory.Request) {}
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	limits := cfg.Limits.withDefaults()
	return &Handler{
		url: strings.TrimRight(cfg.URL, "/"), auth: cfg.Auth, read: cfg.Read, write: cfg.Apply, link: cfg.Link, try: cfg.Try, seal: cfg.Seal,
		record: cfg.Record, log: cfg.Log, limits: limits, now: cfg.Now,
		inFlight: semaphore.NewWeighted(limits.InFlight),
		decoded:  semaphore.NewWeighted(max(decodedShare*limits.InFlight, mostDecoded)),
		drains:   newDrains(),
		turns:    turns{limit: limits.Requests, bytes: limits.InFlight / sourceShare, wait: limits.Wait},
		locks:    locks{seed: maphash.MakeSeed()},
	}, nil
}

// models keeps the model of each source, made anew when its settings change.
type models struct {
	mu   sync.Mutex // guards made
	made map[directory.SourceName]madeModel
}

type madeModel struct {
	settings string
	model    *model
}

func (ms *models) of(src directory.Source) (*model, error) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m, ok := ms.made[src.Name]; ok && m.settings == string(src.Settings) {
		return m.model, nil
	}
	m, err := newModel(src.Settings)
	if err != nil {
		return nil, err
	}
	if ms.made == nil {
		ms.made = map[directory.SourceName]madeModel{}
	}
	ms.made[src.Name] = madeModel{settings: string(src.Settings), model: m}
	return m, nil
}
