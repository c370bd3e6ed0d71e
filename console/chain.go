package console

import (
	"net/url"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A chainView is one path from a user to what it gives, link by link.
type chainView struct {
	Wins  bool
	Links []chainLink
	Why   []string // what keeps it from counting
}

// A chainLink is one station of a path.
type chainLink struct {
	Label, Text, Href string
	Badges            []Cell
}

// A chainer turns paths into chains.
type chainer struct {
	viewer   *Viewer
	kinds    map[directory.SourceName]directory.SourceKind
	projects []directory.Project
}

// chain is one path of a user, with what keeps it from counting.
func (ch chainer) chain(who chainLink, p authz.Path, why []string) chainView {
	links := []chainLink{who}
	for i, g := range p.Groups {
		links = append(links, ch.group(g, i == 0 && p.Local))
	}
	switch {
	case p.DefaultRole:
		links = append(links, chainLink{Label: "default Role", Text: "for whom no path gives a Role"})
	case p.Mapping != "":
		l := chainLink{Label: "mapping", Text: p.Mapping, Href: mappingPath(p.Mapping), Badges: []Cell{Badge("Mapping", Info)}}
		if slices.Contains(p.Obstacles, authz.SuspendedMapping) {
			l.Badges = append(l.Badges, Badge("suspended", Warn))
		}
		links = append(links, l)
	case p.Grant != nil:
		links = append(links, grantLink(*p.Grant, len(p.Groups) == 0))
	}
	if p.Role != "" {
		links = append(links, chainLink{Label: "Role", Text: string(p.Role), Href: rolePath(p.Role), Badges: []Cell{Badge("Role", Info)}})
	}
	return chainView{p.Wins, append(links, ch.end(p)), why}
}

func (ch chainer) group(g authz.Step, local bool) chainLink {
	l := chainLink{Label: "group", Text: g.Name, Href: "/groups/" + string(g.ID), Badges: []Cell{ch.viewer.origin(g.Source, ch.kinds)}}
	if local && g.Source != directory.Local {
		l.Badges = append(l.Badges, Badge("member by hand", Neutral))
	}
	if g.Project != "" {
		l.Badges = append(l.Badges, Badge("only "+scopeName(g.Project, ch.projects), Neutral))
	}
	if g.Blocked {
		l.Badges = append(l.Badges, Badge("blocked", Bad))
	}
	if g.Off {
		l.Badges = append(l.Badges, Badge("source disabled", Bad))
	}
	return l
}

func grantLink(g directory.Grant, own bool) chainLink {
	l := chainLink{Label: "grant", Text: "by hand", Badges: []Cell{Badge("Local", Neutral)}}
	if own {
		l.Text = "of their own"
	}
	if g.Origin == directory.ByOverride {
		l.Text, l.Badges = "by an override", []Cell{Badge("Override", Warn)}
	}
	if !g.Created.IsZero() {
		l.Badges = append(l.Badges, Time(g.Created))
	}
	return l
}

// end is what a path gives, and where.
func (ch chainer) end(p authz.Path) chainLink {
	l := chainLink{Label: "right", Text: string(p.Right)}
	if p.Privilege != nil {
		l.Label, l.Text = string(p.Privilege.Kind), p.Privilege.Key
		if p.Privilege.Kind == directory.IntegrationLevel {
			l.Text = p.Privilege.Level.String() + " on " + p.Privilege.Key
			if p.Privilege.Key == authz.Every {
				l.Text = p.Privilege.Level.String() + " on every connection"
			} else {
				l.Href = integrationPath(p.Privilege.Key)
			}
		}
	}
	for _, project := range p.Projects {
		l.Badges = append(l.Badges, Badge("in project "+scopeName(directory.ProjectKey(project), ch.projects), Neutral))
	}
	return l
}

func rolePath(name directory.RoleName) string { return "/roles/" + url.PathEscape(string(name)) }
func mappingPath(name string) string          { return "/mappings/" + url.PathEscape(name) }
func integrationPath(key string) string       { return "/integrations/" + url.PathEscape(key) }
