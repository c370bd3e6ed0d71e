package console

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A told is what is wrong with what somebody typed into a form: at its fields,
// and what is about no field.
type told struct {
	Fields map[string]string // by the id of the field
	Rest   []string
}

// at is what is wrong with a field; empty if nothing is.
func (t told) at(field string) string { return t.Fields[field] }

// rest is what is about no field; empty if nothing is.
func (t told) rest() string { return strings.Join(t.Rest, "; ") }

// add tells of a field, of which all that is wrong stands in one place.
func (t *told) add(field, text string) {
	if field == "" {
		t.Rest = append(t.Rest, capital(text))
		return
	}
	if t.Fields == nil {
		t.Fields = map[string]string{}
	}
	if before := t.Fields[field]; before != "" {
		text = before + "; " + text
	}
	t.Fields[field] = capital(text)
}

// attributes are those of a field that has a hint, of which nothing may be wrong.
func (t told) attributes(field, hint string) templ.Attributes {
	out := faulty(field, t.at(field))
	if hint == "" {
		return out
	}
	if out == nil {
		return templ.Attributes{"aria-describedby": hint}
	}
	out["aria-describedby"] = hint + " " + field + "-problem"
	return out
}

// told sorts what is wrong by the fields of a form; the first of them is what
// names the thing. It reports whether the error is about what was typed. Faults
// of the policy are told in the words of pages: of the item of section that the
// form is about by field, of other items by their names.
func (c *Console) told(req request, err error, section directory.Section, fields ...string) (told, bool) {
	var t told
	if err == nil {
		return t, false
	}
	p := admin.ProblemOf(err)
	text, ours := refused(err)
	text, named := strings.CutPrefix(strings.TrimSuffix(text, ": "+directory.ErrInvalid.Error()), "group name: name ")
	switch {
	case len(p.Faults) > 0:
		names := &itemNames{c: c, req: req}
		for _, f := range p.Faults {
			field, text := placeOfFault(f, section, names)
			if !slices.Contains(fields, field) {
				field, text = "", strings.TrimSpace(field+" "+text)
			}
			t.add(field, text)
		}
		return t, true
	case ours && (named || errors.Is(err, directory.ErrExists)):
		t.add(fields[0], text)
	case ours:
		t.add("", text)
	}
	return t, ours
}

var (
	// faultPlace is how a fault of the policy says where it is.
	faultPlace = regexp.MustCompile(`(?s)^([a-z_]+)(?:\[(\d+)\])?((?:\.[a-z_]+)*)[^: ]*: (.*)$`)
	// faultFirst is where what is given twice was given before.
	faultFirst = regexp.MustCompile(`, first as [a-z_]+\[\d+\]\S*`)
	// faultList is the part of the policy that a fault was seen from.
	faultList = regexp.MustCompile(` \(in the section [a-z_]+, which this file does not manage\)(; keep what it needs, or add the section to the file)?`)
)

// placeOfFault is the field of a form that a fault is about, and what it says.
func placeOfFault(f admin.Fault, section directory.Section, names *itemNames) (field, text string) {
	if f.Pointer != nil && *f.Pointer != "" {
		return strings.TrimPrefix(*f.Pointer, "/"), f.Detail
	}
	text = faultList.ReplaceAllString(faultFirst.ReplaceAllString(f.Detail, ""), "")
	m := faultPlace.FindStringSubmatch(text)
	if m == nil {
		return "", text
	}
	if m[1] == string(section) {
		return fieldOfPath(section, strings.TrimPrefix(m[3], ".")), m[4]
	}
	if m[1] == "default_role" {
		return "", "the default Role: " + m[4]
	}
	i, err := strconv.Atoi(m[2])
	if err != nil {
		return "", text
	}
	return "", names.of(directory.Section(m[1]), i) + ": " + m[4]
}

// fieldOfPath is the field for a part of an item.
func fieldOfPath(section directory.Section, path string) string {
	path = strings.TrimPrefix(path, "seat.")
	if path == "" && section == directory.SectionResources {
		return "key" // which a policy file has before the colon
	}
	return path
}

// itemNames names the items of a policy that faults are about; it reads them
// when the first one is asked for.
type itemNames struct {
	c        *Console
	req      request
	read     bool
	choices  admin.Choices
	mappings []admin.ListedMapping
}

// of is the i-th item of a section, in words; without a name where it can't be
// told.
func (n *itemNames) of(section directory.Section, i int) string {
	if !n.read {
		n.read = true
		var err error
		if n.choices, err = n.c.Service.Choices(n.req.Context()); err != nil {
			n.choices = admin.Choices{}
		}
		if n.mappings, err = n.c.Service.Mappings(n.req.Context()); err != nil {
			n.mappings = nil
		}
	}
	if section == directory.SectionTests {
		return fmt.Sprintf("test %d of the policy", i+1)
	}
	what := cmp.Or(sectionNouns[section], "an item of "+string(section))
	if name := n.name(section, i); name != "" {
		return what + " " + name
	}
	return what
}

// sectionNouns are what one item of a section is called.
var sectionNouns = map[directory.Section]string{
	directory.SectionFeatures: "feature", directory.SectionOutputs: "output", directory.SectionResources: "resource type",
	directory.SectionIntegrations: "integration", directory.SectionRoles: "Role", directory.SectionMappings: "mapping",
}

func (n *itemNames) name(section directory.Section, i int) string {
	custom := n.choices.Roles
	if builtin := len(directory.BuiltinRoles()); len(custom) >= builtin {
		custom = custom[builtin:]
	}
	switch {
	case section == directory.SectionFeatures && i < len(n.choices.Features):
		return titleOr(n.choices.Features[i].Title, n.choices.Features[i].Key)
	case section == directory.SectionOutputs && i < len(n.choices.Outputs):
		return titleOr(n.choices.Outputs[i].Title, n.choices.Outputs[i].Key)
	case section == directory.SectionResources && i < len(n.choices.Resources):
		return n.choices.Resources[i].Type
	case section == directory.SectionIntegrations && i < len(n.choices.Integrations):
		return titleOr(n.choices.Integrations[i].Title, n.choices.Integrations[i].Key)
	case section == directory.SectionRoles && i < len(custom):
		return titleOr(custom[i].Title, custom[i].Name)
	case section == directory.SectionMappings && i < len(n.mappings):
		return n.mappings[i].Name
	}
	return ""
}

// usesOf says what uses an item that can't be removed, by the faults that the
// policy would have without it. What can't be named stays as it is.
func (c *Console) usesOf(req request, err error, section directory.Section) string {
	names := &itemNames{c: c, req: req}
	var uses []string
	said, _ := problems(err)
	for _, text := range said {
		if m := faultPlace.FindStringSubmatch(text); m != nil && m[1] != string(section) {
			if i, err := strconv.Atoi(m[2]); err == nil {
				text = names.of(directory.Section(m[1]), i) + " uses it"
			}
		}
		if !slices.Contains(uses, text) {
			uses = append(uses, text)
		}
	}
	return strings.Join(uses, ", ")
}
