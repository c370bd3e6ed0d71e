package console

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A draftForm is the editor of a draft: what it says, and what it would do.
type draftForm struct {
	ID      string // empty: a new one
	Version int64
	Spec    admin.DraftSpec
	Draft   admin.Draft // as it is saved
	Author  string
	Editor  string

	Plan     *admin.DraftPlan
	Impact   impactView
	Stale    []string // what keeps it from being saved or applied; the first says what
	Theirs   *admin.DraftSpec
	Mappings []string // of the text, to edit in the form
	Narrow   narrowing
	Roles    []Option // to narrow by
}

func (f draftForm) title() string {
	if f.ID == "" {
		return "New draft"
	}
	return f.Draft.Title
}

func (f draftForm) applied() bool { return f.Draft.State == admin.DraftApplied }

// saved reports whether the form says what is saved.
func (f draftForm) saved() bool { return f.ID != "" && sameDraft(f.Spec, f.Draft.DraftSpec) }

// hindrance says why it can't be applied; empty: it can.
func (f draftForm) hindrance() string {
	switch {
	case f.Plan == nil:
		return "after a preview without problems"
	case !f.saved():
		return "after it is saved"
	case f.Plan.Moved():
		return "after a rebase: others changed the same"
	case len(f.Plan.Failing) > 0:
		return "tests of the policy fail"
	case !f.Plan.Holds():
		return "an assertion fails"
	case f.Plan.NoOwner:
		return "nobody would own the organization"
	}
	return ""
}

// draftOf reads the editor.
func draftOf(form url.Values) admin.DraftSpec {
	return admin.DraftSpec{
		Title: strings.TrimSpace(form.Get("title")), Note: plainText(form.Get("note")), Text: plainText(form.Get("text")),
		Remove: textLines(form.Get("remove")), Assertions: textLines(form.Get("assertions")),
	}
}

// plainText is a text without the line ends that browsers send.
func plainText(s string) string {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
	if strings.Contains(s, "\n") {
		s += "\n"
	}
	return s
}

func textLines(s string) (out []string) {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func sameDraft(a, b admin.DraftSpec) bool {
	return a.Title == b.Title && plainText(a.Note) == plainText(b.Note) && plainText(a.Text) == plainText(b.Text) &&
		slices.Equal(a.Remove, b.Remove) && slices.Equal(a.Assertions, b.Assertions)
}

// showDraft shows the editor with what somebody typed and what it would do.
func (c *Console) showDraft(req request, id string, version int64, spec admin.DraftSpec, change func(*draftForm)) (templ.Component, error) {
	f := draftForm{ID: id, Version: version, Spec: spec, Narrow: narrowingOf(req.URL.Query())}
	if id != "" {
		var err error
		if f.Draft, err = c.Service.Draft(req.Context(), id); err != nil {
			return nil, err
		}
		name := c.namer(req.Context())
		f.Author, f.Editor = writerName(f.Draft.Author, name), writerName(f.Draft.Editor, name)
	}
	if !f.applied() {
		if err := c.foreseeDraft(req.Context(), &f); err != nil {
			return nil, err
		}
	}
	choices, err := c.Service.Choices(req.Context())
	if err != nil {
		return nil, err
	}
	for _, r := range choices.Roles {
		f.Roles = append(f.Roles, Option{string(r.Name), string(r.Name)})
	}
	if mappings, err := f.Draft.Mappings(); err == nil && f.saved() {
		for _, m := range mappings {
			f.Mappings = append(f.Mappings, m.Name)
		}
	}
	if change != nil {
		change(&f)
	}
	return c.frame(req, f.title(), draftEditor(f)), nil
}

// foreseeDraft fills in what a draft would do, or what is wrong with it.
func (c *Console) foreseeDraft(ctx context.Context, f *draftForm) error {
	var plan admin.DraftPlan
	var err error
	list := admin.PeopleList{Limit: impactShown}
	if f.Narrow != (narrowing{}) {
		list.Limit = searchedPeople
	}
	if f.saved() {
		plan, err = c.Service.PlanDraft(ctx, f.ID, list)
	} else {
		plan, err = c.Service.TryDraft(ctx, f.ID, f.Spec, list)
	}
	if said, ours := problems(err); ours {
		f.Impact = impactView{Problems: said, Unchanged: -1}
		return nil
	}
	if err == nil {
		f.Plan, f.Impact = &plan, c.impactOfPlan(ctx, admin.MappingPlan{PolicyPlan: plan.PolicyPlan})
		err = c.narrow(ctx, f)
	}
	return err
}

// searchedPeople is among how many people a page looks for those of a kind.
const searchedPeople = 10_000

// draftShows are the kinds of people that the page of a draft can tell of alone.
var draftShows = []Option{{"", "all"}, {"gain", "who gain"}, {"lose", "who lose"}, {"admin", "who become administrators"}}

// narrow leaves only some people in the table; the numbers stay.
func (c *Console) narrow(ctx context.Context, f *draftForm) error {
	if f.Narrow == (narrowing{}) {
		return nil
	}
	people, err := f.Narrow.of(ctx, c, f.Plan)
	if err != nil {
		return err
	}
	some := *f.Plan
	some.People = people
	shown := c.impactOfPlan(ctx, admin.MappingPlan{PolicyPlan: some.PolicyPlan})
	f.Impact.People, f.Impact.More = shown.People, len(people)-len(shown.People)
	return nil
}

// newDraft begins a draft; feature begins it with that feature, whose price may
// be another.
func (c *Console) newDraft(req request) (templ.Component, error) {
	var spec admin.DraftSpec
	if key := req.URL.Query().Get("feature"); key != "" {
		text, err := c.Service.ItemText(req.Context(), directory.SectionFeatures, key)
		if err != nil {
			return nil, err
		}
		spec.Title, spec.Text = "Price of "+key, text
	}
	return c.showDraft(req, "", 0, spec, nil)
}

func (c *Console) draft(req request) (templ.Component, error) {
	return c.savedDraft(req, req.PathValue("id"))
}

// savedDraft shows a draft as it is saved.
func (c *Console) savedDraft(req request, id string, stale ...string) (templ.Component, error) {
	d, err := c.Service.Draft(req.Context(), id)
	if err != nil {
		return nil, err
	}
	return c.showDraft(req, id, d.Version, d.DraftSpec, func(f *draftForm) { f.Stale = stale })
}

// previewDraft shows what a draft would do while somebody types.
func (c *Console) previewDraft(req request) (templ.Component, error) {
	version, err := draftVersion(req)
	if err != nil {
		return nil, err
	}
	return c.showDraft(req, req.PostForm.Get("id"), version, draftOf(req.PostForm), nil)
}

func (c *Console) saveDraft(req request) (templ.Component, error) {
	id, spec := req.PostForm.Get("id"), draftOf(req.PostForm)
	version, err := draftVersion(req)
	if err != nil {
		return nil, err
	}
	var d admin.Draft
	if id == "" {
		d, err = c.Service.CreateDraft(req.Context(), req.by, spec)
	} else {
		d, err = c.Service.EditDraft(req.Context(), req.by, id, spec, version)
	}
	if said, ours := problems(err); ours {
		moved := errors.Is(err, directory.ErrVersion)
		return c.showDraft(req, id, version, spec, func(f *draftForm) {
			if f.Stale = append([]string{"It is not saved."}, said...); moved {
				f.Theirs, f.Version = &f.Draft.DraftSpec, f.Draft.Version // they have seen it, and may save over it
			}
		})
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, draftPath(d.ID), "Saved the draft "+d.Title+". It gives nothing until it is applied.")
}

// applyDraft does what the preview showed. What would be more is refused, and
// the editor shows the difference beside a new preview.
func (c *Console) applyDraft(req request) (templ.Component, error) {
	id, spec := req.PathValue("id"), draftOf(req.PostForm)
	version, err := draftVersion(req)
	if err != nil {
		return nil, err
	}
	f := draftForm{ID: id, Spec: spec}
	if f.Draft, err = c.Service.Draft(req.Context(), id); err != nil {
		return nil, err
	}
	again := func(stale ...string) (templ.Component, error) {
		return c.showDraft(req, id, version, spec, func(f *draftForm) { f.Stale = stale })
	}
	switch {
	case f.applied():
		return again("It was applied already.")
	case !f.saved():
		return again("What is here is not what is saved. Save it first; then what is saved is applied.")
	}
	if err := c.foreseeDraft(req.Context(), &f); err != nil {
		return nil, err
	}
	if !f.Impact.confirmed(req) {
		return again("Type the number of people that this touches, then apply.")
	}
	done, err := c.Service.ApplyDraft(req.Context(), req.by, id, req.PostForm.Get("plan"))
	if said, ours := problems(err); ours {
		return again(append([]string{"It is not applied."}, said...)...)
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, draftPath(id), fmt.Sprintf("Applied the draft %s as revision %d.", f.Draft.Title, done.Revision))
}

// A draftRef is the draft that the editor of a mapping writes into.
type draftRef struct {
	ID, Title string
	Version   int64
	Fixed     bool // the mapping is in the draft, and keeps its name
}

func draftRefOf(form url.Values) draftRef {
	version, _ := strconv.ParseInt(form.Get("draft_version"), 10, 64) // 0: whatever is there
	return draftRef{form.Get("draft"), form.Get("draft_title"), version, form.Get("draft_fixed") != ""}
}

// saveMappingDraft saves what the editor of a mapping says as a draft, or in one.
func (c *Console) saveMappingDraft(req request) (templ.Component, error) {
	was, m := mappingOf(req.PostForm)
	ref := draftRefOf(req.PostForm)
	if was == "" && ref.ID == "" {
		if _, err := c.Service.PlanMapping(req.Context(), admin.MappingDraft{To: &m}); errors.Is(err, directory.ErrExists) {
			said, _ := problems(err)
			return c.showEditor(req, was, m, func(f *mappingForm) { f.Stale = said })
		}
	}
	d, err := c.Service.DraftMapping(req.Context(), req.by, ref.ID, m, ref.Version)
	if said, ours := problems(err); ours {
		impact, err := c.foresee(req, was, m)
		if err != nil {
			return nil, err
		}
		return c.showEditor(req, was, m, func(f *mappingForm) {
			f.Impact, f.Stale, f.Draft = &impact, append([]string{"It is not saved."}, said...), ref
		})
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, draftPath(d.ID), "Saved in the draft "+d.Title+". It gives nothing until it is applied.")
}

// saveDeletionDraft saves that a mapping is to go as a draft.
func (c *Console) saveDeletionDraft(req request) (templ.Component, error) {
	name := req.PathValue("name")
	d, err := c.Service.CreateDraft(req.Context(), req.by, admin.DraftSpec{Title: "Without mapping " + name, Remove: []string{"mappings/" + name}})
	if said, ours := problems(err); ours {
		return c.deletion(req, said)
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, draftPath(d.ID), "Saved the draft "+d.Title+". The mapping stays until it is applied.")
}

// editDraftMapping edits a mapping that is in a draft; without a name, a new one.
func (c *Console) editDraftMapping(req request) (templ.Component, error) {
	d, err := c.Service.Draft(req.Context(), req.PathValue("id"))
	if err != nil {
		return nil, err
	}
	name := req.URL.Query().Get("name")
	ref := draftRef{d.ID, d.Title, d.Version, name != ""}
	set := func(f *mappingForm) { f.Draft = ref }
	if name == "" {
		return c.showEditor(req, "", admin.MappingSpec{}, set)
	}
	mappings, err := d.Mappings()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(mappings, func(m directory.Mapping) bool { return m.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("mapping %q of the draft: %w", name, directory.ErrNotFound)
	}
	all, err := c.Service.Mappings(req.Context())
	if err != nil {
		return nil, err
	}
	was := ""
	if slices.ContainsFunc(all, func(m admin.ListedMapping) bool { return m.Name == name }) {
		was = name
	}
	return c.showEditor(req, was, mappingSpecOf(mappings[i]), set)
}

// mappingSpecOf is a mapping in the words of the editor.
func mappingSpecOf(m directory.Mapping) admin.MappingSpec {
	spec := admin.MappingSpec{Name: m.Name, When: m.When, AllowAdmin: m.AllowAdmin}
	for _, set := range m.Grants {
		spec.Grant = append(spec.Grant, specOf(set))
	}
	return spec
}
