package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// sourceErrorsSpace has, by source, the entries of a directory that could not be
// taken over. It is no fact: the next complete read says it again.
const sourceErrorsSpace = "source-errors"

// maxSourceErrors bounds what is kept of a source.
const maxSourceErrors = 200

// What may be done about a [SourceError].
const (
	RetryRun    = "run"    // read the source again, once it is mended there
	RetryReplay = "replay" // repeat the request
)

// The kinds of a [SourceError], beside "user" and "group" of a directory.
const (
	ErrorOfRun     = "run"     // the source could not be read
	ErrorOfRequest = "request" // of an identity provider
)

// A SourceError is something of a source that could not be taken over: an entry
// of a directory, a request of an identity provider, or everything.
type SourceError struct {
	ID        string    `json:"id"`     // the stable id of an entry, or of the last run or request
	Kind      string    `json:"kind"`   // user, group, run or request
	Object    string    `json:"object"` // the name of an entry, or what was asked for
	Attribute string    `json:"attribute,omitempty"`
	Message   string    `json:"message"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Count     int64     `json:"count"` // of reads or requests
	Retry     string    `json:"retry,omitempty"`
}

// NoteErrors keeps what a read of an LDAP source could not take over. If
// complete, what an earlier read told of is over.
func (s *Service) NoteErrors(ctx context.Context, name directory.SourceName, found []SourceError, complete bool) error {
	now := s.Now().UTC()
	return alterKept(ctx, s.Store, sourceErrorsSpace, string(name), func(kept *[]SourceError) bool {
		before := *kept
		next := make([]SourceError, 0, len(found))
		for _, e := range found {
			e.First, e.Last, e.Count, e.Retry = now, now, 1, RetryRun
			if i := slices.IndexFunc(before, e.same); i >= 0 {
				e.First, e.Count = before[i].First, before[i].Count+1
			}
			next = append(next, e)
		}
		if !complete {
			for _, e := range before {
				if !slices.ContainsFunc(next, e.same) {
					next = append(next, e)
				}
			}
		}
		*kept = next[:min(len(next), maxSourceErrors)]
		return len(before)+len(next) > 0
	})
}

// same reports whether two errors are one that happened twice.
func (e SourceError) same(other SourceError) bool {
	return e.ID == other.ID && e.Attribute == other.Attribute && e.Message == other.Message
}

// SourceErrors lists what of a source could not be taken over and still is not,
// as far as can be told; the last seen first.
func (s *Service) SourceErrors(ctx context.Context, name directory.SourceName) ([]SourceError, error) {
	if _, err := s.reads(ctx, ReadSources); err != nil {
		return nil, err
	}
	src, err := s.source(ctx, name)
	if err != nil {
		return nil, err
	}
	var out []SourceError
	if src.Kind == directory.KindSCIM {
		out, err = s.requestErrors(ctx, name)
	} else {
		out, err = s.readErrors(ctx, name)
	}
	if err != nil {
		return nil, fmt.Errorf("errors of %s: %w", name, err)
	}
	slices.SortStableFunc(out, func(a, b SourceError) int { return b.Last.Compare(a.Last) })
	return out, nil
}

// readErrors are those of an LDAP source.
func (s *Service) readErrors(ctx context.Context, name directory.SourceName) ([]SourceError, error) {
	out, err := s.runErrors(ctx, name)
	if err != nil {
		return nil, err
	}
	record, err := s.Store.Kept(ctx, sourceErrorsSpace, string(name))
	if errors.Is(err, directory.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	var kept []SourceError
	if err := json.Unmarshal(record.Value, &kept); err != nil {
		return nil, fmt.Errorf("reading what is kept: %w", err)
	}
	return append(out, kept...), nil
}

// runErrors are the runs since the last good one that could not read the source,
// as one error for each message.
func (s *Service) runErrors(ctx context.Context, name directory.SourceName) ([]SourceError, error) {
	const most = 100
	runs, err := s.Store.Runs(ctx, name, most)
	if err != nil {
		return nil, err
	}
	var out []SourceError
	for _, r := range runs {
		switch r.Result {
		case directory.RunRunning, directory.RunCancelled:
			continue
		case directory.RunApplied, directory.RunUnchanged, directory.RunHeld:
			return out, nil
		case directory.RunFailed, directory.RunIncomplete:
		}
		e := SourceError{ID: r.ID, Kind: ErrorOfRun, Object: "run", Message: r.Message, First: r.Started, Last: r.Started, Count: 1, Retry: RetryRun}
		i := slices.IndexFunc(out, func(o SourceError) bool { return o.Message == e.Message })
		if i < 0 {
			out = append(out, e)
			continue
		}
		out[i].First = e.First
		out[i].Count++
	}
	return out, nil
}

// How far back the provisioning log is looked through.
const (
	failedRequests = 2000
	laterRequests  = 5000
)

// requestErrors are the requests that were refused or failed, and of which none
// succeeded since.
func (s *Service) requestErrors(ctx context.Context, name directory.SourceName) ([]SourceError, error) {
	failed, err := s.Store.FindRequests(ctx, directory.RequestQuery{Source: name, Failed: true, Limit: failedRequests})
	if err != nil || len(failed) == 0 {
		return nil, err
	}
	later, err := s.Store.FindRequests(ctx, directory.RequestQuery{Source: name, Since: failed[len(failed)-1].Time, Limit: laterRequests})
	if err != nil {
		return nil, err
	}
	mended := map[string]time.Time{} // when what was asked for succeeded last
	for _, r := range later {
		if target, _ := asks(r); r.Status < http.StatusBadRequest && mended[target].IsZero() {
			mended[target] = r.Time
		}
	}
	type kind struct{ target, detail string }
	at := map[kind]int{}
	var out []SourceError
	for _, r := range failed {
		target, object := asks(r)
		if r.Method == http.MethodGet && r.Status == http.StatusNotFound || mended[target].After(r.Time) {
			continue // asking whether somebody is there is no error
		}
		k := kind{target, r.Detail}
		i, known := at[k]
		if !known {
			i = len(out)
			at[k] = i
			e := SourceError{ID: r.ID, Kind: ErrorOfRequest, Object: object, Attribute: quoted(r.Detail), Message: cmp.Or(r.Detail, http.StatusText(r.Status)), Last: r.Time}
			if r.Method != http.MethodGet {
				e.Retry = RetryReplay
			}
			out = append(out, e)
		}
		out[i].First = r.Time
		out[i].Count++
	}
	return out, nil
}

// asks says what a request is about: in one word for all that are about the same,
// and for people.
func asks(r directory.Request) (target, object string) {
	path, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/scim/"+string(r.Source)+"/v2"), "?")
	var body struct {
		UserName    string `json:"userName"`
		DisplayName string `json:"displayName"`
	}
	if r.Method == http.MethodGet {
		return "read " + path, r.Method + " " + path
	}
	if r.Method == http.MethodPost {
		_ = json.Unmarshal(r.Body, &body) // a body of another shape names nobody
	}
	name := cmp.Or(body.UserName, body.DisplayName)
	return strings.ToLower(path + " " + name), strings.TrimSpace(r.Method + " " + path + " " + name)
}

// quoted is the attribute that the detail of an answer names.
func quoted(detail string) string {
	_, rest, ok := strings.Cut(detail, `attribute "`)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

// dropErrors forgets what a source that is gone could not have taken over.
func (s *Service) dropErrors(ctx context.Context, name directory.SourceName) error {
	err := s.Store.DropKept(ctx, sourceErrorsSpace, string(name))
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	return err
}

// eraseErrors forgets what is kept about somebody.
func (s *Service) eraseErrors(ctx context.Context, identities []directory.Identity) error {
	var errs []error
	for _, id := range identities {
		if id.Source == directory.Local {
			continue
		}
		errs = append(errs, alterKept(ctx, s.Store, sourceErrorsSpace, string(id.Source), func(kept *[]SourceError) bool {
			before := len(*kept)
			*kept = slices.DeleteFunc(*kept, func(e SourceError) bool { return e.ID == id.ExternalID || id.UserName != "" && e.Object == id.UserName })
			return len(*kept) < before
		}))
	}
	return errors.Join(errs...)
}
