package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/usherd/usherd/directory"
)

// The spaces of the records that tell how sources and tokens are used. They are
// no facts: some may be lost.
const (
	sourceUsageSpace = "source-usage"
	tokenUsageSpace  = "token-usage"
)

// A Tally counts something that happened.
type Tally struct {
	Count int64     `json:"count"`
	Last  time.Time `json:"last"`
}

// SourceUsage is how an identity provider has used its source.
type SourceUsage struct {
	Requests int64            `json:"requests"`
	Failed   int64            `json:"failed"` // answered with 400 or more
	Last     time.Time        `json:"last"`
	Agent    string           `json:"agent,omitempty"`    // the last User-Agent
	Profile  string           `json:"profile,omitempty"`  // what its requests look like most
	Profiles map[string]Tally `json:"profiles,omitempty"` // what they looked like
	Quirks   map[string]Tally `json:"quirks,omitempty"`   // what was bent
}

// maxQuirks bounds how many kinds of quirk are kept of a source.
const maxQuirks = 200

func (u *SourceUsage) add(r directory.Request, profile string) {
	u.Requests++
	if r.Status >= 400 {
		u.Failed++
	}
	if r.Time.After(u.Last) {
		u.Last, u.Agent = r.Time, r.Agent
	}
	count := func(all *map[string]Tally, what string) {
		if *all == nil {
			*all = map[string]Tally{}
		}
		t, known := (*all)[what]
		if !known && len(*all) >= maxQuirks {
			return
		}
		t.Count++
		if r.Time.After(t.Last) {
			t.Last = r.Time
		}
		(*all)[what] = t
	}
	for _, q := range r.Quirks {
		count(&u.Quirks, q)
	}
	if profile != "" {
		count(&u.Profiles, profile)
		u.Profile = slices.MaxFunc(slices.Sorted(maps.Keys(u.Profiles)), func(a, b string) int {
			return cmp.Compare(u.Profiles[a].Count, u.Profiles[b].Count)
		})
	}
}

// NoteRequests adds requests of identity providers to what is known of their
// sources and tokens. detect tells whose client a request looks like.
func (s *Service) NoteRequests(ctx context.Context, detect func(directory.Request) string, requests ...directory.Request) error {
	bySource, tokens := map[directory.SourceName][]directory.Request{}, map[string]time.Time{}
	for _, r := range requests {
		if r.Replays != "" {
			continue // nobody's client asked
		}
		bySource[r.Source] = append(bySource[r.Source], r)
		if r.Token != "" && r.Time.After(tokens[r.Token]) {
			tokens[r.Token] = r.Time
		}
	}
	errs := []error{s.NoteTokens(ctx, tokens)}
	for source, list := range bySource {
		errs = append(errs, alterKept(ctx, s.Store, sourceUsageSpace, string(source), func(u *SourceUsage) bool {
			for _, r := range list {
				u.add(r, detect(r))
			}
			return true
		}))
	}
	return errors.Join(errs...)
}

// TokenUsage is how a token has been used.
type TokenUsage struct {
	Last time.Time `json:"last"`
}

// usedEvery is how exactly it is kept when a token was used.
const usedEvery = time.Minute

// NoteTokens notes when tokens were used.
func (s *Service) NoteTokens(ctx context.Context, used map[string]time.Time) error {
	var errs []error
	for id, at := range used {
		errs = append(errs, alterKept(ctx, s.Store, tokenUsageSpace, id, func(u *TokenUsage) bool {
			if at.Sub(u.Last) < usedEvery {
				return false
			}
			u.Last = at
			return true
		}))
	}
	return errors.Join(errs...)
}

// alterKept changes a kept record, again if another replica came between.
func alterKept[T any](ctx context.Context, k directory.Keeper, space, key string, change func(*T) bool) error {
	const attempts = 10
	for range attempts {
		var value T
		record, err := k.Kept(ctx, space, key)
		if errors.Is(err, directory.ErrNotFound) {
			record = directory.Kept{Space: space, Key: key}
		} else if err != nil {
			return fmt.Errorf("reading %s: %w", space, err)
		} else if err := json.Unmarshal(record.Value, &value); err != nil {
			return fmt.Errorf("reading %s: %w", space, err)
		}
		if !change(&value) {
			return nil
		}
		if record.Value, err = json.Marshal(value); err != nil {
			return fmt.Errorf("encoding %s: %w", space, err)
		}
		if _, err = k.PutKept(ctx, record); !errors.Is(err, directory.ErrVersion) {
			return err
		}
	}
	return fmt.Errorf("%s of %s: %w", space, key, directory.ErrVersion)
}

// usageOf returns how a source is used; nil if it was not yet.
func (s *Service) usageOf(ctx context.Context, name directory.SourceName) (*SourceUsage, error) {
	record, err := s.Store.Kept(ctx, sourceUsageSpace, string(name))
	if errors.Is(err, directory.ErrNotFound) {
		return nil, nil //nolint:nilnil // no record is no use
	}
	if err != nil {
		return nil, fmt.Errorf("reading how %s is used: %w", name, err)
	}
	u := new(SourceUsage)
	if err := json.Unmarshal(record.Value, u); err != nil {
		return nil, fmt.Errorf("reading how %s is used: %w", name, err)
	}
	return u, nil
}

// tokensUsed returns when tokens were last used, by id.
func (s *Service) tokensUsed(ctx context.Context) (map[string]time.Time, error) {
	used, after := map[string]time.Time{}, ""
	const stretch = 1000
	for {
		some, err := s.Store.ListKept(ctx, tokenUsageSpace, after, stretch)
		if err != nil {
			return nil, fmt.Errorf("reading when tokens were used: %w", err)
		}
		for _, record := range some {
			var u TokenUsage
			if err := json.Unmarshal(record.Value, &u); err != nil {
				return nil, fmt.Errorf("reading when token %s was used: %w", record.Key, err)
			}
			used[record.Key] = u.Last
		}
		if len(some) < stretch {
			return used, nil
		}
		after = some[stretch-1].Key
	}
}
