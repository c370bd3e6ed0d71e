package scim

import (
	"net/http"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A verb serves one method of one endpoint.
type verb = func() (answer, error)

// route finds what serves a method of a path below /v2. The path is split, and
// its parts are decoded. What is not in the table is a 404, another method of
// what is there a 405.
func (c *call) route(method string, path []string) (verb, error) {
	verbs := c.verbs(path)
	if verbs == nil {
		return nil, fault(http.StatusNotFound, "", "no such endpoint")
	}
	if path[0] == "Me" {
		return nil, fault(http.StatusNotImplemented, "", "/Me: a token stands for a source, not for a user")
	}
	if run, ok := verbs[method]; ok {
		return run, nil
	}
	allow := make([]string, 0, len(verbs)+1)
	for m := range verbs {
		allow = append(allow, m)
	}
	if verbs[http.MethodGet] != nil {
		allow = append(allow, http.MethodHead)
	}
	slices.Sort(allow)
	return nil, &Error{Status: http.StatusMethodNotAllowed, Detail: "method not allowed", allow: allow}
}

func (c *call) verbs(path []string) map[string]verb {
	if len(path) == 0 {
		return nil
	}
	tail := path[1:]
	switch path[0] {
	case "":
		return only(tail, map[string]verb{"GET": c.searchAllByQuery})
	case ".search":
		return only(tail, map[string]verb{"POST": c.searchAll})
	case "Bulk":
		return only(tail, map[string]verb{"POST": c.bulk})
	case "Me":
		return map[string]verb{}
	case "ServiceProviderConfig":
		return only(tail, map[string]verb{"GET": c.serviceProviderConfig})
	case "Schemas":
		return c.oneOrAll(tail, c.schemas, c.schema)
	case "ResourceTypes":
		return c.oneOrAll(tail, c.resourceTypes, c.resourceType)
	case c.model.user.endpoint:
		c.rt = c.model.user
		return c.resourceVerbs(tail, userVerbs)
	case c.model.group.endpoint:
		c.rt = c.model.group
		return c.resourceVerbs(tail, groupVerbs)
	}
	return nil
}

// only are verbs of an endpoint that has nothing below it.
func only(tail []string, verbs map[string]verb) map[string]verb {
	if len(tail) > 0 {
		return nil
	}
	return verbs
}

func (c *call) oneOrAll(tail []string, all, one verb) map[string]verb {
	switch len(tail) {
	case 0:
		return map[string]verb{"GET": all}
	case 1:
		c.id = tail[0]
		return map[string]verb{"GET": one}
	}
	return nil
}

// verbSet are the verbs of a resource type.
type verbSet struct {
	list, search, create, get, replace, patch, remove func(*call) (answer, error)
}

var (
	userVerbs = verbSet{
		list: (*call).listUsers, search: (*call).searchUsers, create: (*call).createUser, get: (*call).getUser,
		replace: (*call).putUser, patch: (*call).patchUser, remove: (*call).deleteUser,
	}
	groupVerbs = verbSet{
		list: (*call).listGroups, search: (*call).searchGroups, create: (*call).createGroup, get: (*call).getGroup,
		replace: (*call).putGroup, patch: (*call).patchGroup, remove: (*call).deleteGroup,
	}
)

func (c *call) resourceVerbs(tail []string, v verbSet) map[string]verb {
	bind := func(f func(*call) (answer, error)) verb { return func() (answer, error) { return f(c) } }
	switch {
	case len(tail) == 0:
		return map[string]verb{"GET": bind(v.list), "POST": bind(v.create)}
	case len(tail) == 1 && tail[0] == ".search":
		return map[string]verb{"POST": bind(v.search)}
	case len(tail) == 1 && tail[0] != "":
		c.id = tail[0]
		return map[string]verb{"GET": bind(v.get), "PUT": bind(v.replace), "PATCH": bind(v.patch), "DELETE": bind(v.remove)}
	}
	return nil
}

func (c *call) userID() directory.UserID   { return directory.UserID(c.id) }
func (c *call) groupID() directory.GroupID { return directory.GroupID(c.id) }
