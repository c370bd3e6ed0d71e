package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A draftItem is one item of the policy that a draft changes. default_role and
// tests have no key.
type draftItem struct {
	section directory.Section
	key     string
}

func (i draftItem) name() string { return itemName(i.section, i.key) }

// itemName is how an item is called: SECTION/KEY.
func itemName(section directory.Section, key string) string {
	return strings.TrimSuffix(string(section)+"/"+key, "/")
}

// cutItem is the way back from itemName.
func cutItem(name string) (directory.Section, string, bool) {
	section, key, _ := strings.Cut(name, "/")
	return directory.Section(section), key, slices.Contains(authz.Sections, directory.Section(section))
}

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
func (d *keptDraft) items() ([]draftItem, error) {
	file, err := d.parsed()
	if err != nil {
		return nil, err
	}
	var out []draftItem
	for _, section := range file.Sections {
		keys := sectionKeys(file.Policy, section)
		if section == directory.SectionDefaultRole || section == directory.SectionTests {
			keys = []string{""}
		}
		for _, key := range keys {
			out = append(out, draftItem{section, key})
		}
	}
	for i, name := range d.Remove {
		section, key, ok := cutItem(name)
		if !ok || key == "" || section == directory.SectionDefaultRole || section == directory.SectionTests {
			return nil, invalidAt(fmt.Sprintf("/remove/%d", i), "%q is no item; write SECTION/KEY, as mappings/engineers", name)
		}
		if item := (draftItem{section, key}); !slices.Contains(out, item) {
			out = append(out, item)
			continue
		}
		return nil, invalidAt(fmt.Sprintf("/remove/%d", i), "%s is in the text, or named twice", name)
	}
	return out, nil
}

// sectionKeys are the keys of a section.
func sectionKeys(p directory.Policy, section directory.Section) []string {
	switch section {
	case directory.SectionProjects:
		return keysOf(p.Projects, projectKey)
	case directory.SectionFeatures:
		return keysOf(p.Features, featureKey)
	case directory.SectionOutputs:
		return keysOf(p.Outputs, outputKey)
	case directory.SectionIntegrations:
		return keysOf(p.Integrations, integrationKey)
	case directory.SectionResources:
		return keysOf(p.Resources, resourceKey)
	case directory.SectionRoles:
		return keysOf(p.Roles, roleKey)
	case directory.SectionMappings:
		return keysOf(p.Mappings, mappingKey)
	case directory.SectionDefaultRole, directory.SectionTests: // no lists of keys
	}
	return nil
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
			old = itemText(p, PlannedChange{Section: item.section, Key: item.key})
		}
		was[item.name()] = old
		if old == "" && slices.Contains(d.Remove, item.name()) {
			return notFound("there is no %s%s", item.name(), didYouMean(item.key, sectionKeys(p, item.section)))
		}
	}
	d.Was = was
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
		putSection(&p, &file.Policy, section)
	}
	for _, name := range d.Remove {
		section, key, _ := cutItem(name)
		dropItem(&p, section, key)
	}
	return file, p, nil
}

// putSection puts what a section of a draft holds into a policy.
func putSection(p, draft *directory.Policy, section directory.Section) {
	switch section {
	case directory.SectionProjects:
		p.Projects = putAll(p.Projects, draft.Projects, projectKey)
	case directory.SectionFeatures:
		p.Features = putAll(p.Features, draft.Features, featureKey)
	case directory.SectionOutputs:
		p.Outputs = putAll(p.Outputs, draft.Outputs, outputKey)
	case directory.SectionIntegrations:
		p.Integrations = putAll(p.Integrations, draft.Integrations, integrationKey)
	case directory.SectionResources:
		p.Resources = putAll(p.Resources, draft.Resources, resourceKey)
	case directory.SectionRoles:
		p.Roles = putAll(p.Roles, draft.Roles, roleKey)
	case directory.SectionMappings:
		p.Mappings = putAll(p.Mappings, draft.Mappings, mappingKey)
	case directory.SectionDefaultRole:
		p.DefaultRole = draft.DefaultRole
	case directory.SectionTests:
		p.Tests = draft.Tests
	}
}

func putAll[T any](list, items []T, key func(T) string) []T {
	for _, item := range items {
		list = put(list, item, Keep, key)
	}
	return list
}

// dropItem takes an item out of a policy; one that is not there is gone already.
func dropItem(p *directory.Policy, section directory.Section, key string) {
	switch section {
	case directory.SectionProjects:
		p.Projects = without(p.Projects, key, projectKey)
	case directory.SectionFeatures:
		p.Features = without(p.Features, key, featureKey)
	case directory.SectionOutputs:
		p.Outputs = without(p.Outputs, key, outputKey)
	case directory.SectionIntegrations:
		p.Integrations = without(p.Integrations, key, integrationKey)
	case directory.SectionResources:
		p.Resources = without(p.Resources, key, resourceKey)
	case directory.SectionRoles:
		p.Roles = without(p.Roles, key, roleKey)
	case directory.SectionMappings:
		p.Mappings = without(p.Mappings, key, mappingKey)
	case directory.SectionDefaultRole, directory.SectionTests: // not removed but put
	}
}

func without[T any](list []T, key string, of func(T) string) []T {
	return slices.DeleteFunc(list, func(item T) bool { return of(item) == key })
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
		if slices.ContainsFunc(items, func(i draftItem) bool { return i.section == section }) {
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

// ItemText is one item of the present policy as a policy file of it alone: what
// a draft of it begins with.
func (s *Service) ItemText(ctx context.Context, section directory.Section, key string) (string, error) {
	a, err := s.reads(ctx, WritePolicy)
	if err != nil {
		return "", err
	}
	text := itemText(a.view.Policy().Policy, PlannedChange{Section: section, Key: key})
	if text == "" {
		return "", notFound("there is no %s", itemName(section, key))
	}
	return "apiVersion: " + authz.APIVersion + "\n" + text, nil
}
