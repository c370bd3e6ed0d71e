package admin

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/usherd/usherd/directory"
)

// A Finder looks for people in directories. A [Syncer] may be one.
type Finder interface {
	// Find looks in the directory of an LDAP source for people who bear a name. It
	// reads a few entries and keeps nothing.
	Find(ctx context.Context, source directory.Source, name string) (LiveFound, error)
}

// LiveFound is what a directory has of a name.
type LiveFound struct {
	Entries []LiveEntry
	More    bool      // there are more than it tells of
	NextRun time.Time // when the source is read next; the zero time: not by itself
}

// A LiveEntry is somebody in a directory, as it is there now.
type LiveEntry struct {
	DN          string           `json:"dn"`
	UserName    string           `json:"userName,omitempty"`
	DisplayName string           `json:"displayName,omitempty"`
	ExternalID  string           `json:"externalId,omitempty"`
	Active      bool             `json:"active"`
	Standing    string           `json:"standing"`
	Outside     []string         `json:"outside,omitempty"` // parts of the source's filter that leave them out
	Reason      string           `json:"reason,omitempty"`  // why they are not taken over
	User        directory.UserID `json:"user,omitempty"`    // who they are here, if the asker may know of them
	HereAs      string           `json:"here_as,omitempty"` // the userName that the source has given them here, likewise
}

// How somebody in a directory stands here.
const (
	LiveOutside  = "outside"  // the filter of the source leaves them out
	LiveRejected = "rejected" // they cannot be taken over; Reason says why
	LiveUnread   = "unread"   // the next run takes them over
	LiveDisabled = "disabled" // the same, but the directory says that they are disabled
	LiveRead     = "read"     // they are here, by this name or another
	LiveGone     = "gone"     // they are here, deleted or gone from the source when it was last read
)

// What looking in a source led to.
const (
	SourceHas    = "found"
	SourceHasNot = "absent"
	SourceFailed = "failed"    // Reason says why
	SourceMute   = "not asked" // Reason says why
)

// A LiveSource is what one source has of a name.
type LiveSource struct {
	Source  directory.SourceName `json:"source"`
	Kind    directory.SourceKind `json:"kind"`
	Result  string               `json:"result"` // found, absent, failed or not asked
	Reason  string               `json:"reason,omitempty"`
	Entries []LiveEntry          `json:"entries,omitempty"`
	More    bool                 `json:"more,omitempty"`
	NextRun time.Time            `json:"next_run,omitzero"`
}

// A LiveSearch is what all sources have of a name.
type LiveSearch struct {
	User    string       `json:"user"`
	Found   int          `json:"found"` // entries
	Sources []LiveSource `json:"sources"`
}

// maxLiveName is how long a name may be that directories are asked for.
const maxLiveName = 256

// liveAtOnce is how many directories are asked at the same time.
const liveAtOnce = 4

// FindLive looks in the directories for people who bear a name: a userName or an
// e-mail address. It only reads. It is for who operates
// the sources, a few times a minute.
func (s *Service) FindLive(ctx context.Context, name string) (LiveSearch, error) {
	a, err := s.reads(ctx, OperateSync)
	if err != nil {
		return LiveSearch{}, err
	}
	if name, err = liveName(name); err != nil {
		return LiveSearch{}, err
	}
	finder, ok := s.Sync.(Finder)
	if !ok {
		return LiveSearch{}, fmt.Errorf("%w: this process does not read directories", ErrUnavailable)
	}
	if _, _, ok := s.live.take(a.Actor.Kind + "\x00" + a.Actor.Name); !ok {
		return LiveSearch{}, errTooMany
	}
	sources, err := s.Store.Sources(ctx)
	if err != nil {
		return LiveSearch{}, fmt.Errorf("reading sources: %w", err)
	}
	out := LiveSearch{User: name, Sources: []LiveSource{}}
	for _, src := range sources {
		if src.State != directory.SourceRemoved {
			out.Sources = append(out.Sources, LiveSource{Source: src.Name, Kind: src.Kind})
		}
	}
	var asking sync.WaitGroup
	places := make(chan struct{}, liveAtOnce)
	i := 0
	for _, src := range sources {
		if src.State == directory.SourceRemoved {
			continue
		}
		into := &out.Sources[i]
		i++
		if into.Result, into.Reason = notAsked(src); into.Result != "" {
			continue
		}
		places <- struct{}{}
		asking.Go(func() {
			defer func() { <-places }()
			s.findIn(ctx, a, finder, src, name, into)
		})
	}
	asking.Wait()
	for _, in := range out.Sources {
		out.Found += len(in.Entries)
	}
	return out, nil
}

// liveName is what directories are asked for: a handle may say what it is.
func liveName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if address, ok := strings.CutPrefix(name, "email:"); ok {
		name = address
	}
	switch {
	case name == "" || len(name) > maxLiveName:
		return "", invalidAt("/user", "write a userName or an e-mail address of at most %d letters", maxLiveName)
	case directory.IsID(name) || strings.HasPrefix(name, "external:"):
		return "", invalidAt("/user", "directories are asked for a userName or an e-mail address, not for an id")
	}
	return name, nil
}

// notAsked says why a source can't be asked, if it can't.
func notAsked(src directory.Source) (result, why string) {
	switch {
	case src.Kind == directory.KindSCIM:
		return SourceMute, "it pushes what it wants known here, and can't be asked"
	case src.Kind != directory.KindLDAP:
		return SourceMute, "it is no directory"
	case src.State != directory.SourceActive:
		return SourceMute, "it is " + string(src.State)
	}
	return "", ""
}

// findIn looks in one directory and says how those whom it has stand here.
func (s *Service) findIn(ctx context.Context, a *Authority, finder Finder, src directory.Source, name string, into *LiveSource) {
	found, err := finder.Find(ctx, src, name)
	into.NextRun, into.More = found.NextRun, found.More
	for i := range found.Entries {
		if err == nil {
			err = s.standingOf(ctx, a, src.Name, &found.Entries[i])
		}
	}
	switch {
	case err != nil:
		into.Result, into.Reason = SourceFailed, err.Error()
	case len(found.Entries) == 0:
		into.Result = SourceHasNot
	default:
		into.Result, into.Entries = SourceHas, found.Entries
	}
}

// standingOf says how somebody in a directory stands here.
func (s *Service) standingOf(ctx context.Context, a *Authority, source directory.SourceName, e *LiveEntry) error {
	here := directory.Page[directory.Identity]{}
	if e.ExternalID != "" {
		var err error
		q := directory.Query{Source: source, Where: directory.Compare{Attr: directory.AttrExternalID, Op: directory.Eq, Value: e.ExternalID}, Limit: 1}
		if here, err = s.Store.Identities(ctx, q); err != nil {
			return fmt.Errorf("looking who that is here: %w", err)
		}
	}
	if len(here.Items) > 0 && a.May(ReadDirectory, "") {
		e.User, e.HereAs = here.Items[0].User, here.Items[0].UserName
	}
	switch {
	case len(e.Outside) > 0:
		e.Standing = LiveOutside
	case e.Reason != "":
		e.Standing = LiveRejected
	case len(here.Items) > 0 && here.Items[0].Presence == directory.Present:
		e.Standing = LiveRead
	case len(here.Items) > 0:
		e.Standing = LiveGone
	case !e.Active:
		e.Standing = LiveDisabled
	default:
		e.Standing = LiveUnread
	}
	return nil
}

// Renamed reports whether somebody in a directory bears another name here.
func (e LiveEntry) Renamed() bool {
	if e.HereAs == "" {
		return false
	}
	there, err := directory.KeyOf(e.UserName)
	here, err2 := directory.KeyOf(e.HereAs)
	return err != nil || err2 != nil || there != here
}

// Says is how somebody in a directory stands here, for people.
func (e LiveEntry) Says(next time.Time) string {
	when := "the next run, which nobody has scheduled"
	if !next.IsZero() {
		when = "the next run, at " + next.UTC().Format("2006-01-02 15:04 UTC")
	}
	switch e.Standing {
	case LiveOutside:
		return "left out by the filter of the source: " + strings.Join(e.Outside, " and ")
	case LiveRejected:
		return "can't be taken over: " + e.Reason
	case LiveRead:
		switch {
		case e.HereAs == "":
			return "is here already"
		case e.Renamed():
			return "is here by another name: " + e.HereAs
		}
		return "is here already: " + e.HereAs
	case LiveGone:
		return "was here before; back with " + when
	case LiveDisabled:
		return "disabled in the directory, and not read yet: " + when
	}
	return "not read yet: " + when
}

// findCommand is the command that looks for somebody in the directories, if the
// asker may look there and the name is one that can be looked for.
func (s *Service) findCommand(ctx context.Context, name string) string {
	if _, err := s.reads(ctx, OperateSync); err != nil {
		return ""
	}
	name, err := liveName(name)
	if _, ok := s.Sync.(Finder); err != nil || !ok || printable(name) != name {
		return ""
	}
	if !isPlain(name) {
		name = "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return "usherd user find " + name
}

type findBody struct {
	User string `json:"user"`
}

func (a *API) findLive(c call) (answer, error) {
	var body findBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.FindLive(c.Context(), body.User))
}
