package authz

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
	"go.yaml.in/yaml/v4"
)

// APIVersion is what a policy file must say that it is.
const APIVersion = "usherd/v1"

// MaxFile is the size in bytes above which a policy file is refused unread.
const MaxFile = 16 << 20

// Sections are all sections, in the order of the documentation.
var Sections = []directory.Section{
	directory.SectionProjects, directory.SectionFeatures, directory.SectionOutputs, directory.SectionIntegrations,
	directory.SectionResources, directory.SectionRoles, directory.SectionDefaultRole, directory.SectionMappings,
	directory.SectionTests,
}

// A File is a policy file that was read. It manages the sections it contains.
type File struct {
	Name     string
	Policy   directory.Policy // of the sections that the file contains
	Sections []directory.Section
	Tests    []Test

	faults Faults
	at     map[string]mark // by path
}

// mark is a place in a file.
type mark struct{ line, column int }

// Parse reads a policy file. name is what messages call it. The error is
// [Faults], all at once. A file with faults is still returned as far as it
// could be read, so that [File.Validate] can add what else is wrong.
func Parse(name string, text []byte) (*File, error) {
	r := &fileReader{f: &File{Name: name, at: map[string]mark{}}}
	if root := r.load(text); root != nil {
		r.root(root)
		for _, p := range checkOwn(&r.f.Policy) {
			r.f.fault(p)
		}
	}
	return r.f, r.f.faults.err()
}

// Has reports whether the file manages a section.
func (f *File) Has(s directory.Section) bool { return slices.Contains(f.Sections, s) }

// Place is where a section begins, from 1; 0 if the file does not contain it.
func (f *File) Place(s directory.Section) (line, column int) {
	at := f.at[string(s)]
	return at.line, at.column
}

// Over returns current with the sections of the file in the place of its own:
// the policy after an apply.
func (f *File) Over(current directory.Policy) directory.Policy {
	return ReplaceSections(current, f.Policy, f.Sections)
}

// ReplaceSections returns p with the named sections taken from other.
func ReplaceSections(p, other directory.Policy, sections []directory.Section) directory.Policy {
	for _, s := range sections {
		switch s {
		case directory.SectionProjects:
			p.Projects = other.Projects
		case directory.SectionFeatures:
			p.Features = other.Features
		case directory.SectionOutputs:
			p.Outputs = other.Outputs
		case directory.SectionIntegrations:
			p.Integrations = other.Integrations
		case directory.SectionResources:
			p.Resources = other.Resources
		case directory.SectionRoles:
			p.Roles = other.Roles
		case directory.SectionDefaultRole:
			p.DefaultRole = other.DefaultRole
		case directory.SectionMappings:
			p.Mappings = other.Mappings
		case directory.SectionTests:
			p.Tests = other.Tests
		}
	}
	return p
}

// fault enters a problem at its place, or at the nearest place that the file
// has for it.
func (f *File) fault(p Problem) {
	out := Fault{File: f.Name, Path: inFile.ReplaceAllString(p.Path, ""), Msg: p.Msg, Hint: p.Hint}
	for path := p.Path; ; {
		if at, ok := f.at[path]; ok {
			out.Line, out.Column = at.line, at.column
			break
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	f.faults = append(f.faults, out)
}

// fileReader turns YAML into a File. It goes on after a fault.
type fileReader struct{ f *File }

func (r *fileReader) fault(n *yaml.Node, path, hint, format string, args ...any) {
	r.f.faults = append(r.f.faults, Fault{r.f.Name, n.Line, n.Column, path, fmt.Sprintf(format, args...), hint})
}

// load reads text as exactly one YAML document.
func (r *fileReader) load(text []byte) *yaml.Node {
	start := &yaml.Node{Line: 1, Column: 1}
	if len(text) > MaxFile {
		r.fault(start, "", "", "the file has more than %d bytes", MaxFile)
		return nil
	}
	var doc yaml.Node
	if err := yaml.Load(text, &doc); err != nil {
		msg := err.Error()
		if bad, ok := errors.AsType[*yaml.LoadError](err); ok {
			start.Line, start.Column, msg = max(bad.Mark.Line, 1), max(bad.Mark.Column, 1), bad.Message
		}
		r.fault(start, "", "", "not YAML: %s", strings.TrimPrefix(msg, "yaml: "))
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		r.fault(start, "", "begin with apiVersion: "+APIVersion, "the file is empty")
		return nil
	}
	return doc.Content[0]
}

func (r *fileReader) root(n *yaml.Node) {
	known := []string{"apiVersion"}
	for _, s := range Sections {
		known = append(known, string(s))
	}
	versioned := false
	r.keys(n, "", known, func(key string, v *yaml.Node) {
		if key == "apiVersion" {
			versioned = true
			if got := r.text(v, key); got != APIVersion {
				r.fault(v, key, "write "+APIVersion, "%q is not a version that this program reads", clip(got))
			}
			return
		}
		r.f.Sections = append(r.f.Sections, directory.Section(key))
		if v.Kind == yaml.ScalarNode && v.Tag == "!!null" {
			// A file that was cut off looks the same, and all would go unsaid.
			r.fault(v, key, writeEmpty(directory.Section(key)), "is empty")
			return
		}
		r.section(directory.Section(key), v)
	})
	if !versioned && n.Kind == yaml.MappingNode {
		r.fault(n, "apiVersion", "write apiVersion: "+APIVersion, "is missing")
	}
	slices.SortFunc(r.f.Sections, func(a, b directory.Section) int {
		return slices.Index(Sections, a) - slices.Index(Sections, b)
	})
}

// EmptySection is how a policy file writes a section without anything.
func EmptySection(s directory.Section) string {
	switch s {
	case directory.SectionResources:
		return "{}"
	case directory.SectionDefaultRole:
		return `""`
	default:
		return "[]"
	}
}

// writeEmpty says what to write in place of nothing.
func writeEmpty(s directory.Section) string {
	if s == directory.SectionDefaultRole {
		return "write " + EmptySection(s) + " to have none"
	}
	return "write " + EmptySection(s) + " to remove all"
}

func (r *fileReader) section(s directory.Section, n *yaml.Node) {
	p, path := &r.f.Policy, string(s)
	switch s {
	case directory.SectionProjects:
		p.Projects = readList(r, n, path, r.project)
	case directory.SectionFeatures:
		p.Features = readList(r, n, path, r.feature)
	case directory.SectionOutputs:
		p.Outputs = readList(r, n, path, r.output)
	case directory.SectionIntegrations:
		p.Integrations = readList(r, n, path, r.integration)
	case directory.SectionResources:
		r.resources(n, path)
	case directory.SectionRoles:
		p.Roles = readList(r, n, path, r.role)
	case directory.SectionDefaultRole:
		p.DefaultRole = directory.RoleName(r.text(n, path))
	case directory.SectionMappings:
		p.Mappings = readList(r, n, path, r.mapping)
	case directory.SectionTests:
		r.f.Tests = readList(r, n, path, r.test)
		p.Tests = renderTests(r.f.Tests)
	}
}
