package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/usherd/usherd/directory"
)

var sourceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// NewSource describes a source to add.
type NewSource struct {
	Name     directory.SourceName `json:"name"`
	Kind     directory.SourceKind `json:"kind"`
	Settings json.RawMessage      `json:"settings,omitempty"`
}

// A MadeSource is a new source. A SCIM source comes with its address and a
// token, which is shown this once.
type MadeSource struct {
	Name    directory.SourceName `json:"name"`
	Kind    directory.SourceKind `json:"kind"`
	URL     string               `json:"url,omitempty"`
	Token   string               `json:"token,omitempty"`
	TokenID string               `json:"token_id,omitempty"`
	Outcome
}

// AddSource adds a source.
func (s *Service) AddSource(ctx context.Context, by directory.Actor, n NewSource) (MadeSource, error) {
	a, err := s.allowed(ctx, by, WriteSources, "")
	if err == nil {
		err = cmp.Or(s.mayNameFiles(a, n.Settings), a.maySpeakFor(n.Name))
	}
	if err != nil {
		return MadeSource{}, err
	}
	if err := s.checkNewSource(ctx, n); err != nil {
		return MadeSource{}, err
	}
	sources, err := s.Store.Sources(ctx)
	if err != nil {
		return MadeSource{}, fmt.Errorf("reading sources: %w", err)
	}
	rank := 0
	for _, src := range sources {
		rank = max(rank, src.Rank+1)
	}
	now := s.Now()
	changes := []directory.Change{directory.PutSource{Source: directory.Source{
		Name: n.Name, Kind: n.Kind, State: directory.SourceActive, Rank: rank, Settings: n.Settings, Created: now, Modified: now,
	}}}
	made := MadeSource{Name: n.Name, Kind: n.Kind}
	if n.Kind == directory.KindSCIM {
		change, tok := s.mint(NewToken{Kind: directory.TokenSCIM, Name: string(n.Name), Source: n.Name, Life: DefaultTokenLife})
		changes = append(changes, change)
		made.URL, made.Token, made.TokenID = s.SCIMURL(n.Name), tok.Token, tok.ID
	}
	if made.Outcome, err = s.apply(ctx, by, changes...); err != nil {
		return MadeSource{}, fmt.Errorf("source %s: %w", n.Name, err)
	}
	return made, nil
}

func (s *Service) checkNewSource(ctx context.Context, n NewSource) error {
	if !sourceName.MatchString(string(n.Name)) || n.Name == directory.Local {
		return invalid("source name %q: use lower-case letters, digits and hyphens, and not %q", n.Name, directory.Local)
	}
	if n.Kind != directory.KindSCIM && n.Kind != directory.KindLDAP {
		return invalid("kind %q is not one of scim, ldap", n.Kind)
	}
	if _, err := s.source(ctx, n.Name); err == nil {
		return fmt.Errorf("%w: there is a source %s already", directory.ErrExists, n.Name)
	}
	if s.CheckSettings != nil {
		if err := s.CheckSettings(n.Kind, n.Settings); err != nil {
			return invalid("%w", err)
		}
	}
	return s.checkLink(ctx, n.Name, n.Settings)
}

// SCIMURL is where an identity provider pushes to a source.
func (s *Service) SCIMURL(name directory.SourceName) string {
	return s.BaseURL() + "/scim/" + string(name) + "/v2"
}

// source returns a source that is not removed.
func (s *Service) source(ctx context.Context, name directory.SourceName) (directory.Source, error) {
	sources, err := s.Store.Sources(ctx)
	if err != nil {
		return directory.Source{}, fmt.Errorf("reading sources: %w", err)
	}
	known := make([]string, 0, len(sources))
	for _, src := range sources {
		if src.Name == name && src.State != directory.SourceRemoved {
			return src, nil
		}
		known = append(known, string(src.Name))
	}
	return directory.Source{}, notFound("no source %s%s", name, didYouMean(string(name), known))
}

// ListedSource is a source with what administrators want to know of it.
type ListedSource struct {
	directory.Source
	URL       string `json:"url,omitempty"` // of a SCIM source
	Users     int    `json:"users"`
	Groups    int    `json:"groups"`
	ManagedBy string `json:"managed_by,omitempty"`
	// Of a SCIM source: whose client asks, as it is set or else detected; when it
	// asked last; how many kinds of quirk were bent; when its last token ends.
	Profile      string    `json:"profile,omitempty"`
	LastRequest  time.Time `json:"last_request,omitzero"`
	Quirks       int       `json:"quirks,omitempty"`
	TokenExpires time.Time `json:"token_expires,omitzero"`
}

// Sources lists the sources, removed ones left out.
func (s *Service) Sources(ctx context.Context) ([]ListedSource, error) {
	out, err := s.UncountedSources(ctx)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if err := s.countSource(ctx, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// UncountedSources is Sources without the users and groups of each.
func (s *Service) UncountedSources(ctx context.Context) ([]ListedSource, error) {
	if _, err := s.reads(ctx, ReadSources); err != nil {
		return nil, err
	}
	sources, err := s.Store.Sources(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading sources: %w", err)
	}
	sources = slices.DeleteFunc(sources, func(src directory.Source) bool { return src.State == directory.SourceRemoved })
	tokens, err := s.listTokens(ctx)
	if err != nil {
		return nil, err
	}
	ends := expiryOf(tokens)
	out := make([]ListedSource, len(sources))
	for i, src := range sources {
		if out[i], err = s.listSource(ctx, src); err != nil {
			return nil, err
		}
		out[i].TokenExpires = ends[src.Name]
	}
	return out, nil
}

// listSource tells of one source what a list says, but for what it counts.
func (s *Service) listSource(ctx context.Context, src directory.Source) (ListedSource, error) {
	out := ListedSource{Source: src}
	if s.ManagedBy != nil {
		out.ManagedBy = s.ManagedBy(src.Name)
	}
	if src.Kind != directory.KindSCIM {
		return out, nil
	}
	out.URL = s.SCIMURL(src.Name)
	usage, err := s.usageOf(ctx, src.Name)
	if err != nil {
		return out, err
	}
	if usage != nil {
		out.LastRequest, out.Quirks, out.Profile = usage.Last, len(usage.Quirks), usage.Profile
	}
	out.Profile = cmp.Or(setProfile(src.Settings), out.Profile)
	return out, nil
}

// countSource counts the users and groups of a source.
func (s *Service) countSource(ctx context.Context, src *ListedSource) error {
	users, err := s.Store.Identities(ctx, directory.Query{Source: src.Name, Total: true})
	if err != nil {
		return fmt.Errorf("counting the users of %s: %w", src.Name, err)
	}
	groups, err := s.Store.Groups(ctx, directory.Query{Source: src.Name, Total: true})
	if err != nil {
		return fmt.Errorf("counting the groups of %s: %w", src.Name, err)
	}
	src.Users, src.Groups = users.Total, groups.Total
	return nil
}

// SetSourceState pauses, resumes, disables or enables a source. If from is
// given, the source has to be in that state, or in the new one already.
func (s *Service) SetSourceState(ctx context.Context, by directory.Actor, name directory.SourceName, state, from directory.SourceState) (Outcome, error) {
	a, err := s.allowed(ctx, by, WriteSources, "")
	if err != nil {
		return Outcome{}, err
	}
	if err := s.mayChangeSource(ctx, name); err != nil {
		return Outcome{}, err
	}
	if err := s.mayTurn(ctx, a, name, state, from); err != nil {
		return Outcome{}, err
	}
	return s.keepingAnOwner(ctx, by, directory.SetSourceState{Source: name, State: state})
}

// mayTurn keeps who pauses or resumes a source from giving back what somebody
// took from its people by disabling it, and who disables or enables it from
// taking or giving rights that they lack.
func (s *Service) mayTurn(ctx context.Context, a *Authority, name directory.SourceName, state, from directory.SourceState) error {
	src, err := s.source(ctx, name)
	if err != nil || src.State == state {
		return err
	}
	if src.State == directory.SourceDisabled || state == directory.SourceDisabled {
		if err := s.maySpeakFor(ctx, a, name); err != nil {
			return err
		}
	}
	switch {
	case src.State == directory.SourceDisabled && (state == directory.SourcePaused || from == directory.SourcePaused):
		return invalid("source %s is disabled; its people get their access back by: usherd source enable %s", name, name)
	case src.State == directory.SourcePaused && from == directory.SourceDisabled:
		return invalid("source %s is paused, not disabled; take from it again by: usherd source resume %s", name, name)
	case from != "" && src.State != from:
		return invalid("source %s is %s, not %s", name, src.State, from)
	}
	return nil
}

func (s *Service) mayChangeSource(ctx context.Context, name directory.SourceName) error {
	if name == directory.Local {
		return invalid("the local source is always there and always active")
	}
	_, err := s.source(ctx, name)
	return err
}
