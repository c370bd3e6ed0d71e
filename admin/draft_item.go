package admin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// parsed reads the text of a draft. A draft without one changes nothing by it.
func (d *keptDraft) parsed() (*authz.File, error) {
	if strings.TrimSpace(d.Text) == "" {
		return &authz.File{Name: "draft"}, nil
	}
	file, err := authz.Parse("draft", []byte(d.Text))
	if err != nil {
		return nil, faultsOf(ErrPolicy, err)
	}
	return file, nil
}

// items lists what a draft changes: what its text holds and then what goes.
func (d *keptDraft) items() ([]policyItem, error) {
	file, err := d.parsed()
	if err != nil {
		return nil, err
	}
	var out []policyItem
	for _, section := range file.Sections {
		for _, key := range sectionNamed(section).keys(file.Policy) {
			out = append(out, policyItem{section, key})
		}
	}
	for i, name := range d.Remove {
		item, ok := cutItem(name)
		if !ok || item.key == "" || !sectionNamed(item.section).keyed() {
			return nil, invalidAt(fmt.Sprintf("/remove/%d", i), "%q is no item; write SECTION/KEY, as mappings/engineers", name)
		}
		if !slices.Contains(out, item) {
			out = append(out, item)
			continue
		}
		return nil, invalidAt(fmt.Sprintf("/remove/%d", i), "%s is in the text, or named twice", name)
	}
	return out, nil
}

// rememberWas notes what the items are that the draft changes from now on, and
// forgets those that it does no more.
func (d *keptDraft) rememberWas(p directory.Policy) error {
	items, err := d.items()
	if err != nil {
		return err
	}
	was := map[string]string{}
	for _, item := range items {
		old, known := d.Was[item.name()]
		if !known {
			old = item.text(p)
		}
		was[item.name()] = old
		if old == "" && slices.Contains(d.Remove, item.name()) {
			return notFound("there is no %s%s", item.name(), didYouMean(item.key, sectionNamed(item.section).keys(p)))
		}
	}
	d.Was, d.Changes = was, orEmpty(slices.Sorted(maps.Keys(was)))
	return nil
}

// over is a policy with the draft in it, and the text of the draft.
func (d *keptDraft) over(p directory.Policy) (*authz.File, directory.Policy, error) {
	file, err := d.parsed()
	if err != nil {
		return nil, p, err
	}
	p = clonePolicy(p)
	for _, section := range file.Sections {
		sectionNamed(section).put(&p, file.Policy)
	}
	for _, name := range d.Remove {
		if item, ok := cutItem(name); ok {
			sectionNamed(item.section).drop(&p, item.key)
		}
	}
	return file, p, nil
}

// file is a policy file of the sections that a draft touches, whole: applying it
// over p applies the draft.
func (d *keptDraft) file(p directory.Policy) (PolicyFile, error) {
	items, err := d.items()
	if err != nil {
		return PolicyFile{}, err
	}
	if len(items) == 0 {
		return PolicyFile{}, invalidAt("/text", "the draft changes nothing: write the items that are to differ, or what is to go")
	}
	_, next, err := d.over(p)
	if err != nil {
		return PolicyFile{}, err
	}
	var sections []directory.Section
	for _, section := range authz.Sections {
		if slices.ContainsFunc(items, func(i policyItem) bool { return i.section == section }) {
			sections = append(sections, section)
		}
	}
	return PolicyFile{Name: "draft", Text: sectionsText(next, sections), draft: d}, nil
}

// Mappings are those that the text of a draft holds.
func (d *Draft) Mappings() ([]directory.Mapping, error) {
	file, err := (&keptDraft{Draft: *d}).parsed()
	if err != nil {
		return nil, err
	}
	return file.Policy.Mappings, nil
}
