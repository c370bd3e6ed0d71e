package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// Where drafts are kept, and how much of them.
const (
	draftSpace      = "draft"
	appliedLife     = 90 * 24 * time.Hour // of a draft that was applied
	maxDrafts       = 200
	maxDraftText    = 512 << 10 // bytes
	maxDraftTitle   = 200       // bytes
	maxDraftNote    = 4000      // bytes
	maxDraftRemoved = 500       // items
)

// What is noted in the audit trail of a draft; its target is the draft's id.
const (
	draftSaved     = "draft.saved"
	draftRebased   = "draft.rebased"
	draftDiscarded = "draft.discarded"
	draftApplied   = "draft.applied"
)

// A DraftState says whether a draft was applied.
type DraftState string

// The states of a draft.
const (
	DraftOpen    DraftState = "open"
	DraftApplied DraftState = "applied" // it stays to be read for 90 days
)

// A DraftSpec is what somebody writes into a draft: what is to become of some
// items of the policy, and what must hold then.
type DraftSpec struct {
	Title string `json:"title"`
	Note  string `json:"note,omitempty"`
	// Text is a policy file. Unlike one that is applied it holds only what
	// differs: an item takes the place of the one of its key, or is new, and
	// what the text lacks stays. default_role and tests are put as a whole.
	Text string `json:"text,omitempty"`
	// Remove names items that go, as SECTION/KEY: "mappings/engineers".
	Remove []string `json:"remove,omitempty"`
	// Assertions must hold after an apply, or it is refused. See [Assertion].
	Assertions []string `json:"assertions,omitempty"`
}

// A Draft is a saved change of the policy. It gives nobody anything until it is
// applied.
type Draft struct {
	ID string `json:"id"`
	DraftSpec
	Version  int64              `json:"version"` // grows with every change of the draft
	Base     directory.Revision `json:"base"`    // revision of the policy that it was written over
	State    DraftState         `json:"state"`
	Author   string             `json:"author"` // KIND:NAME, of a user the id
	Editor   string             `json:"editor"` // who changed it last
	Created  time.Time          `json:"created"`
	Modified time.Time          `json:"modified"`
	Applied  directory.Revision `json:"applied,omitempty"` // that it made, of an applied one
	Changes  []string           `json:"changes"`           // the items that it changes, as SECTION/KEY
}

// A keptDraft is a draft as it is kept.
type keptDraft struct {
	Draft
	Was map[string]string `json:"was"` // what the changed items were at Base, by SECTION/KEY; "" for none
}

// readDraft returns a draft as it is kept.
func readDraft(record directory.Kept) (d keptDraft, err error) {
	if err := json.Unmarshal(record.Value, &d); err != nil {
		return d, fmt.Errorf("reading a draft: %w", err)
	}
	d.Version, d.Changes = record.Version, orEmpty(slices.Sorted(maps.Keys(d.Was)))
	return d, nil
}

// findDraft returns a draft and its record.
func (s *Service) findDraft(ctx context.Context, id string) (keptDraft, directory.Kept, error) {
	record, err := s.Store.Kept(ctx, draftSpace, id)
	if errors.Is(err, directory.ErrNotFound) {
		return keptDraft{}, record, notFound("no draft %s (usherd policy draft list)", id)
	}
	if err != nil {
		return keptDraft{}, record, err
	}
	d, err := readDraft(record)
	return d, record, err
}

// openDraft is findDraft for who wants to change it.
func (s *Service) openDraft(ctx context.Context, id string, ifVersion int64) (keptDraft, directory.Kept, error) {
	d, record, err := s.findDraft(ctx, id)
	switch {
	case err != nil:
	case d.State != DraftOpen:
		err = fmt.Errorf("%w: the draft was applied at revision %d", directory.ErrInUse, d.Applied)
	case ifVersion > 0 && ifVersion != d.Version:
		err = draftMoved(ifVersion)
	}
	return d, record, err
}

func draftMoved(seen int64) error {
	return fmt.Errorf("%w: somebody changed the draft after version %d; look at it again", directory.ErrVersion, seen)
}

// keepDraft writes a draft over a record of it.
func (s *Service) keepDraft(ctx context.Context, record directory.Kept, d *keptDraft) error {
	value, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encoding a draft: %w", err)
	}
	record.Space, record.Key, record.Value, record.Expires = draftSpace, d.ID, value, time.Time{}
	if d.State == DraftApplied {
		record.Expires = s.Now().Add(appliedLife)
	}
	kept, err := s.Store.PutKept(ctx, record)
	if errors.Is(err, directory.ErrVersion) {
		return draftMoved(d.Version)
	}
	d.Version = kept.Version
	return err
}

// Drafts lists the drafts, the newest first. Who may change the policy may see
// them.
func (s *Service) Drafts(ctx context.Context) ([]Draft, error) {
	if _, err := s.reads(ctx, WritePolicy); err != nil {
		return nil, err
	}
	out := []Draft{}
	err := s.eachKept(ctx, draftSpace, "", func(record directory.Kept) error {
		d, err := readDraft(record)
		out = append(out, d.Draft)
		return err
	})
	slices.Reverse(out) // ids are in order of time
	return out, err
}

// Draft returns a draft.
func (s *Service) Draft(ctx context.Context, id string) (Draft, error) {
	if _, err := s.reads(ctx, WritePolicy); err != nil {
		return Draft{}, err
	}
	d, _, err := s.findDraft(ctx, id)
	return d.Draft, err
}

// CreateDraft saves a new draft. It is checked like the edit that it may become:
// it must be valid over the present policy, in no section that a file manages,
// and nobody drafts a right that they lack.
func (s *Service) CreateDraft(ctx context.Context, by directory.Actor, spec DraftSpec) (Draft, error) {
	now := s.Now().UTC().Truncate(time.Millisecond)
	d := keptDraft{Was: map[string]string{}, Draft: Draft{ID: directory.NewID(), State: DraftOpen, Author: by.Kind + ":" + by.Name, Created: now}}
	if err := s.writeDraft(ctx, by, &d, spec); err != nil || dryRun(ctx) {
		return d.Draft, err
	}
	n := 0
	err := s.eachKept(ctx, draftSpace, "", func(record directory.Kept) error {
		if record.Expires.IsZero() {
			n++
		}
		return nil
	})
	if err == nil && n >= maxDrafts {
		err = fmt.Errorf("%w: there are %d drafts already; apply or discard some", directory.ErrInUse, n)
	}
	if err != nil {
		return Draft{}, err
	}
	return s.putDraft(ctx, by, directory.Kept{}, &d, draftSaved)
}

// EditDraft replaces what is written in a draft. ifVersion, if it is not 0, is
// the version that was looked at.
func (s *Service) EditDraft(ctx context.Context, by directory.Actor, id string, spec DraftSpec, ifVersion int64) (Draft, error) {
	if _, err := s.allowed(ctx, by, WritePolicy, ""); err != nil {
		return Draft{}, err
	}
	d, record, err := s.openDraft(ctx, id, ifVersion)
	if err != nil {
		return Draft{}, err
	}
	if err := s.writeDraft(ctx, by, &d, spec); err != nil || dryRun(ctx) {
		return d.Draft, err
	}
	return s.putDraft(ctx, by, record, &d, draftSaved)
}

// putDraft keeps a draft and notes it.
func (s *Service) putDraft(ctx context.Context, by directory.Actor, record directory.Kept, d *keptDraft, action string) (Draft, error) {
	if err := s.keepDraft(ctx, record, d); err != nil {
		return Draft{}, err
	}
	items, _ := d.items() // it was read before it was kept
	names := make([]string, min(len(items), maxDraftNoted))
	for i := range names {
		names[i] = items[i].name()
	}
	return d.Draft, s.note(ctx, by, action, d.ID, names...)
}

// maxDraftNoted is how many items the audit record of a draft names.
const maxDraftNoted = 100

// writeDraft checks what is to be written into a draft, and writes it.
func (s *Service) writeDraft(ctx context.Context, by directory.Actor, d *keptDraft, spec DraftSpec) error {
	a, err := s.allowed(ctx, by, WritePolicy, "")
	if err != nil {
		return err
	}
	if err := spec.check(); err != nil {
		return err
	}
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return fmt.Errorf("reading policy: %w", err)
	}
	d.DraftSpec = spec
	d.Editor, d.Modified = by.Kind+":"+by.Name, s.Now().UTC().Truncate(time.Millisecond)
	if d.Base == 0 {
		d.Base = facts.Revision
	}
	if err := d.rememberWas(facts.Policy); err != nil {
		return err
	}
	file, err := d.file(facts.Policy)
	if err != nil {
		return err
	}
	ready, err := s.prepare(ctx, file)
	if err != nil {
		return unplaced(err)
	}
	if err := s.mayApply(by, ready.file); err != nil {
		return err
	}
	if err := a.mayChangePolicy(&ready.facts.Policy.Policy, &ready.next.Policy.Policy); err != nil {
		return err
	}
	return s.assertionsAsk(ctx, ready, spec.Assertions)
}

// check refuses what can be in no draft.
func (spec *DraftSpec) check() error {
	switch {
	case spec.Title == "":
		return invalidAt("/title", "give the draft a title")
	case len(spec.Title) > maxDraftTitle:
		return invalidAt("/title", "the title has more than %d bytes", maxDraftTitle)
	case len(spec.Note) > maxDraftNote:
		return invalidAt("/note", "the note has more than %d bytes", maxDraftNote)
	case len(spec.Text) > maxDraftText:
		return invalidAt("/text", "the text has more than %d bytes", maxDraftText)
	case len(spec.Remove) > maxDraftRemoved:
		return invalidAt("/remove", "it removes more than %d items", maxDraftRemoved)
	}
	for i, text := range spec.Assertions {
		if _, err := ParseAssertion(text); err != nil {
			return invalidAt(fmt.Sprintf("/assertions/%d", i), "%s", detailOf(err))
		}
	}
	if len(spec.Assertions) > maxAssertions {
		return invalidAt("/assertions", "there are more than %d assertions", maxAssertions)
	}
	return nil
}

// RebaseDraft takes the present policy as what the draft was written over:
// whoever does it has seen what others changed meanwhile. Items to remove that
// are gone already are taken off the list.
func (s *Service) RebaseDraft(ctx context.Context, by directory.Actor, id string, ifVersion int64) (Draft, error) {
	if _, err := s.allowed(ctx, by, WritePolicy, ""); err != nil {
		return Draft{}, err
	}
	d, record, err := s.openDraft(ctx, id, ifVersion)
	if err != nil {
		return Draft{}, err
	}
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return Draft{}, fmt.Errorf("reading policy: %w", err)
	}
	spec := d.DraftSpec
	spec.Remove = slices.DeleteFunc(slices.Clone(spec.Remove), func(name string) bool {
		item, _ := cutItem(name)
		return item.text(facts.Policy) == ""
	})
	d.Base, d.Was = 0, map[string]string{}
	if err := s.writeDraft(ctx, by, &d, spec); err != nil || dryRun(ctx) {
		return d.Draft, err
	}
	return s.putDraft(ctx, by, record, &d, draftRebased)
}

// DiscardDraft forgets a draft.
func (s *Service) DiscardDraft(ctx context.Context, by directory.Actor, id string, ifVersion int64) (Draft, error) {
	if _, err := s.allowed(ctx, by, WritePolicy, ""); err != nil {
		return Draft{}, err
	}
	d, _, err := s.findDraft(ctx, id)
	if err == nil && ifVersion > 0 && ifVersion != d.Version {
		err = draftMoved(ifVersion)
	}
	if err != nil || dryRun(ctx) {
		return d.Draft, err
	}
	if err := s.note(ctx, by, draftDiscarded, d.ID); err != nil {
		return Draft{}, err
	}
	return d.Draft, s.Store.DropKept(ctx, draftSpace, d.ID)
}

// DraftMapping puts what a mapping is to become into a draft, or into a new one
// if id is empty.
func (s *Service) DraftMapping(ctx context.Context, by directory.Actor, id string, m MappingSpec, ifVersion int64) (Draft, error) {
	if _, err := s.allowed(ctx, by, WritePolicy, ""); err != nil {
		return Draft{}, err
	}
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return Draft{}, fmt.Errorf("reading policy: %w", err)
	}
	d := keptDraft{Draft: Draft{DraftSpec: DraftSpec{Title: "Mapping " + m.Name}}}
	if id != "" {
		if d, _, err = s.openDraft(ctx, id, ifVersion); err != nil {
			return Draft{}, err
		}
	}
	file, next, err := d.over(facts.Policy)
	if err != nil {
		return Draft{}, err
	}
	if m.Name == "" {
		return Draft{}, invalid("give the mapping a name")
	}
	made, err := m.mapping(&next)
	if err != nil {
		return Draft{}, err
	}
	file.Policy.Mappings = put(slices.Clone(file.Policy.Mappings), made, Keep, mappingKey)
	sections := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(file.Sections), directory.SectionMappings))))
	spec := d.DraftSpec
	spec.Text = sectionsText(file.Policy, sections)
	spec.Remove = slices.DeleteFunc(slices.Clone(spec.Remove), func(name string) bool {
		return name == (policyItem{directory.SectionMappings, m.Name}).name()
	})
	if id == "" {
		return s.CreateDraft(ctx, by, spec)
	}
	return s.EditDraft(ctx, by, id, spec, d.Version)
}

// sectionsText is a policy file of some sections, whole even where they are
// empty.
func sectionsText(p directory.Policy, sections []directory.Section) string {
	text := authz.Export(authz.ReplaceSections(directory.Policy{}, p, sections))
	file, err := authz.Parse("policy", text)
	for _, section := range sections {
		if err == nil && !file.Has(section) {
			text = append(text, string(section)+": "+authz.EmptySection(section)+"\n"...)
		}
	}
	return string(text)
}
