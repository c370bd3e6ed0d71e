package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A tab is one part of a page.
type tab struct {
	Title, Href string
	Here        bool
}

// tabsOf makes the tabs of a page below path; the first of names is the page
// itself. A name is "key" or "key:Title".
func tabsOf(path, here string, names ...string) []tab {
	out := make([]tab, len(names))
	for i, name := range names {
		key, title, ok := strings.Cut(name, ":")
		if !ok {
			title = strings.ToUpper(key[:1]) + key[1:]
		}
		out[i] = tab{Title: title, Href: path + "/" + key, Here: key == here || here == "" && i == 0}
		if i == 0 {
			out[i].Href = path
		}
	}
	return out
}

// status says how a user or group stands, in words and colour.
func status(s string) Cell {
	switch s {
	case admin.StatusActive:
		return Badge("Active", Good)
	case admin.StatusBlocked:
		return Badge("Blocked", Bad)
	case admin.StatusInactive:
		return Badge("Inactive", Warn)
	case admin.StatusDeleted:
		return Badge("Deleted", Neutral)
	}
	return Badge(s, Neutral)
}

// origin is the badge of where a membership or a group comes from.
func (v *Viewer) origin(source directory.SourceName, kinds map[directory.SourceName]directory.SourceKind) Cell {
	if source == directory.Local {
		return Badge("Local", Neutral)
	}
	switch kinds[source] {
	case directory.KindSCIM:
		return Badge("SCIM: "+string(source), Info)
	case directory.KindLDAP:
		return Badge("LDAP: "+string(source), Info)
	}
	return Badge(string(source), Info)
}

// sourceWords names sources for people, with what kind they are: "SCIM okta".
func sourceWords(kinds map[directory.SourceName]directory.SourceKind, names ...directory.SourceName) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = strings.TrimSpace(kindTitles[kinds[name]] + " " + string(name))
	}
	return strings.Join(out, ", ")
}

func kindsOf(sources []directory.Source) map[directory.SourceName]directory.SourceKind {
	out := map[directory.SourceName]directory.SourceKind{}
	for _, s := range sources {
		out[s.Name] = s.Kind
	}
	return out
}

// scopeName is what pages call the scope of a group or grant.
func scopeName(project directory.ProjectKey, projects []directory.Project) string {
	if project == "" {
		return "Organization"
	}
	for _, p := range projects {
		if p.Key == project && p.Title != "" {
			return p.Title
		}
	}
	return string(project)
}

// scopeOptions are the scopes in which a viewer may do something, to choose from.
func (v *Viewer) scopeOptions(action admin.Action, projects []directory.Project) []Option {
	var out []Option
	if v.Can(action) {
		out = append(out, Option{"", "Organization"})
	}
	for _, p := range projects {
		if v.May(action, p.Key) {
			out = append(out, Option{string(p.Key), scopeName(p.Key, projects)})
		}
	}
	return out
}

func typeName(t directory.UserType) string {
	if t == directory.Service {
		return "Service"
	}
	return "Standard"
}

// words joins what is listed, for a cell.
func words[T ~string](all []T) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = string(s)
	}
	return strings.Join(out, ", ")
}

// refused reports whether an error is about what somebody typed, so that the
// form is shown again with it beside the field.
func refused(err error) (string, bool) {
	if err == nil {
		return "", false
	}
	p := admin.ProblemOf(err)
	switch p.Status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return withoutKind(p.Error()), true
	}
	return "", false
}

// faulty are the attributes of a field that is wrong; see fieldProblem.
func faulty(id, problem string) templ.Attributes {
	if problem == "" {
		return nil
	}
	return templ.Attributes{"aria-invalid": "true", "aria-describedby": id + "-problem", "autofocus": true}
}

// withoutKind is what an error says, without the words for its kind.
func withoutKind(text string) string {
	for _, sentinel := range []error{directory.ErrInvalid, directory.ErrExists, directory.ErrNotOwner, directory.ErrVersion, directory.ErrInUse} {
		text = strings.TrimPrefix(text, sentinel.Error()+": ")
	}
	return text
}

// withQuery is a path with one value in its query.
func withQuery(path, key, value string) string {
	return path + "?" + url.Values{key: {value}}.Encode()
}

// A menuItem is something that can be done with one row.
type menuItem struct {
	Title, Href string
	Post        bool // does it at once
	Danger      bool
}

// titleOr is the title of something, or its key if it has none.
func titleOr[T ~string](title string, key T) string {
	if title != "" {
		return title
	}
	return string(key)
}
