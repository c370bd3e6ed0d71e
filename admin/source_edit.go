package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usherd/usherd/directory"
)

// A SourcePage is one source with its tokens and how it is used.
type SourcePage struct {
	ListedSource
	Tokens []ListedToken `json:"tokens,omitempty"`
	Usage  *SourceUsage  `json:"usage,omitempty"`
}

// Source shows one source.
func (s *Service) Source(ctx context.Context, name directory.SourceName) (SourcePage, error) {
	a, err := s.reads(ctx, ReadSources)
	if err != nil {
		return SourcePage{}, err
	}
	src, err := s.source(ctx, name)
	if err != nil {
		return SourcePage{}, err
	}
	page := SourcePage{}
	if page.ListedSource, err = s.listSource(ctx, src); err != nil {
		return page, err
	}
	if err := s.countSource(ctx, &page.ListedSource); err != nil {
		return page, err
	}
	if page.Usage, err = s.usageOf(ctx, name); err != nil {
		return page, err
	}
	if !a.May(ReadTokens, "") {
		return page, nil
	}
	tokens, err := s.listTokens(ctx)
	for _, t := range tokens {
		if t.Source == name && t.State == TokenActive {
			page.Tokens = append(page.Tokens, t)
		}
	}
	return page, err
}

// SetSource alters settings of a source: each key of change replaces that key,
// null takes it out.
func (s *Service) SetSource(ctx context.Context, by directory.Actor, name directory.SourceName, change map[string]json.RawMessage) (Outcome, error) {
	a, err := s.allowed(ctx, by, WriteSources, "")
	if err != nil {
		return Outcome{}, err
	}
	if err := s.mayChangeSource(ctx, name); err != nil {
		return Outcome{}, err
	}
	if err := s.maySpeakFor(ctx, a, name); err != nil {
		return Outcome{}, err
	}
	if s.ManagedBy != nil && s.ManagedBy(name) != "" {
		return Outcome{}, fmt.Errorf("%w: source %s is named in the %s; change it there", directory.ErrNotOwner, name, s.ManagedBy(name))
	}
	s.guard.Lock()
	defer s.guard.Unlock()
	src, err := s.source(ctx, name)
	if err != nil {
		return Outcome{}, err
	}
	if src.Settings, err = merged(src.Settings, change); err != nil {
		return Outcome{}, err
	}
	if err := s.mayNameFiles(a, src.Settings); err != nil {
		return Outcome{}, err
	}
	if s.CheckSettings != nil {
		if err := s.CheckSettings(src.Kind, src.Settings); err != nil {
			return Outcome{}, invalid("%w", err)
		}
	}
	if err := s.checkLink(ctx, name, src.Settings); err != nil {
		return Outcome{}, err
	}
	return s.apply(ctx, by, directory.PutSource{Source: src})
}

// setProfile is the profile that a source is set to; auto is none.
func setProfile(settings json.RawMessage) string {
	var set struct {
		Profile string `json:"profile"`
	}
	if len(settings) > 0 && json.Unmarshal(settings, &set) == nil && set.Profile != "auto" {
		return set.Profile
	}
	return ""
}

func merged(settings json.RawMessage, change map[string]json.RawMessage) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if len(settings) > 0 {
		if err := json.Unmarshal(settings, &all); err != nil {
			return nil, fmt.Errorf("reading settings: %w", err)
		}
	}
	for key, value := range change {
		if string(value) == "null" {
			delete(all, key)
			continue
		}
		all[key] = value
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, invalid("settings: %w", err)
	}
	return text, nil
}

// Provisioning is the SCIM service provider, as far as it is administered.
type Provisioning interface {
	// Replay repeats a logged request against the present state; a trial
	// changes nothing.
	Replay(ctx context.Context, src directory.Source, entry directory.Request, trial bool) (Replayed, error)
}

// A Replayed says what came of repeating a request.
type Replayed struct {
	Status  int             `json:"status"` // as it was answered, or would be
	Trial   bool            `json:"trial"`
	Detail  string          `json:"detail,omitempty"`
	Quirks  []string        `json:"quirks,omitempty"`
	Changes json.RawMessage `json:"changes,omitempty"` // of a trial: what would change
	ID      string          `json:"id,omitempty"`      // of the entry that the repetition made
	Stamp   string          `json:"stamp,omitempty"`
}

// A LoggedRequest is an entry of the provisioning log with what it changed.
type LoggedRequest struct {
	directory.Request
	Changes json.RawMessage `json:"changes,omitempty"`
}

// FindLog returns entries of the provisioning log of a source, the newest first.
func (s *Service) FindLog(ctx context.Context, q directory.RequestQuery) ([]directory.Request, error) {
	if _, err := s.reads(ctx, ReadSources); err != nil {
		return nil, err
	}
	if _, err := s.source(ctx, q.Source); err != nil {
		return nil, err
	}
	requests, err := s.Store.FindRequests(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("provisioning log of %s: %w", q.Source, err)
	}
	return requests, nil
}

// LoggedRequest shows one entry.
func (s *Service) LoggedRequest(ctx context.Context, name directory.SourceName, id string) (LoggedRequest, error) {
	found, err := s.FindLog(ctx, directory.RequestQuery{Source: name, ID: id, Limit: 1})
	if err != nil {
		return LoggedRequest{}, err
	}
	if len(found) == 0 {
		return LoggedRequest{}, notFound("no request %s in the log of source %s (usherd source log %s)", id, name, name)
	}
	out := LoggedRequest{Request: found[0]}
	if out.Revision == 0 {
		return out, nil
	}
	records, err := s.Store.Audit(ctx, out.Revision-1, 1)
	if err != nil {
		return out, fmt.Errorf("reading what request %s changed: %w", id, err)
	}
	if len(records) == 1 && records[0].Actor.Request == id {
		out.Changes = records[0].Changes
	}
	return out, nil
}

// Replay repeats a request of the provisioning log.
func (s *Service) Replay(ctx context.Context, by directory.Actor, name directory.SourceName, id string, trial bool) (Replayed, error) {
	a, err := s.allowed(ctx, by, WriteSources, "")
	if err == nil && !trial {
		err = s.maySpeakFor(ctx, a, name)
	}
	if err != nil {
		return Replayed{}, err
	}
	if s.Provisioning == nil {
		return Replayed{}, fmt.Errorf("%w: requests are repeated by a running daemon (usherd serve)", ErrUnavailable)
	}
	src, err := s.source(ctx, name)
	if err != nil {
		return Replayed{}, err
	}
	entry, err := s.LoggedRequest(ctx, name, id)
	if err != nil {
		return Replayed{}, err
	}
	return s.Provisioning.Replay(ctx, src, entry.Request, trial)
}

// dropUsage forgets how a source that is gone was used.
func (s *Service) dropUsage(ctx context.Context, name directory.SourceName) error {
	err := s.Store.DropKept(ctx, sourceUsageSpace, string(name))
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	return err
}

// expiryOf returns when the last of the active tokens of each source ends.
func expiryOf(tokens []ListedToken) map[directory.SourceName]time.Time {
	ends := map[directory.SourceName]time.Time{}
	for _, t := range tokens {
		if t.State == TokenActive && t.Expires.After(ends[t.Source]) {
			ends[t.Source] = t.Expires
		}
	}
	return ends
}
