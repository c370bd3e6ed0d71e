package authz

import (
	"cmp"
	"strings"
)

// named is the name in a request that a code says is unknown.
func named(req *Request, code Code) string {
	switch code {
	case UnknownType:
		return req.Type
	case UnknownResource:
		return req.ID
	case UnknownAction:
		return req.Action
	case UnknownProject:
		return string(cmp.Or(req.Project, req.AlsoProject))
	}
	return ""
}

// known lists what could have been asked in the place of an unknown name.
func (s *Snapshot) known(req *Request, code Code) (names []string) {
	p := &s.cat.facts.Policy
	switch code {
	case UnknownType:
		names = []string{TypeFeature, TypeOutput, TypeIntegration, TypeProject}
		for _, t := range p.Resources {
			names = append(names, t.Type)
		}
	case UnknownResource:
		names, _ = s.IDs(req.Type)
	case UnknownAction:
		names = s.Actions(req.Type, req.ID)
	case UnknownProject:
		for i := range p.Projects {
			names = append(names, string(p.Projects[i].Key))
		}
	}
	return names
}

// Nearest is the known word that a mistyped one is like, or nothing.
func Nearest(got string, known []string) string {
	if got == "" {
		return ""
	}
	best, least := "", 1+len(got)/3
	for _, k := range known {
		if d := distance(strings.ToLower(got), strings.ToLower(k)); d <= least {
			best, least = k, d-1
		}
	}
	return best
}
