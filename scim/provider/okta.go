package provider

import (
	"fmt"
	"net/http"
)

const (
	userURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// okta imports, matches by userName, creates, deactivates by PATCH and never
// deletes a user; its group push renames before each change of members.
func okta(p *player) {
	p.say(say{
		name: "connection test: read users", method: http.MethodGet, path: "/Users?startIndex=1&count=2", want: []int{200},
		demands: []demand{has("schemas/0"), has("totalResults")}, fatal: true,
	})
	p.say(say{
		name: "connection test: read groups", method: http.MethodGet, path: "/Groups?startIndex=1&count=100", want: []int{200},
		demands: []demand{has("totalResults")},
	})
	kim, lee := p.oktaUser("kim"), p.oktaUser("lee")
	p.oktaProfile(kim)
	p.oktaGroup(kim, lee)
}

func (p *player) oktaUser(who string) string {
	name := p.name(who)
	match := say{
		name: "match " + who + " by userName", method: http.MethodGet,
		path: "/Users?" + filter(`userName eq "`+name+`"`) + "&startIndex=1&count=100", want: []int{200},
		demands: []demand{is("totalResults", 0.0)},
	}
	p.say(match)
	body := fmt.Sprintf(`{"schemas":[%q],"userName":%q,"name":{"givenName":%q,"familyName":"Test"},"emails":[{"primary":true,"value":%q,"type":"work"}],
		"displayName":%q,"locale":"en-US","externalId":%q,"groups":[],"password":"Tr0ub4dor&3","active":true}`, userURN, name, who, name, who, "00u"+p.mark+who)
	id := p.say(say{
		name: "create " + who, method: http.MethodPost, path: "/Users", body: body, want: []int{201},
		demands: []demand{has("id"), is("userName", name), is("active", true), is("password", nil)}, fatal: true,
	}).text("id")
	p.say(say{
		name: "create " + who + " again after a lost answer", method: http.MethodPost, path: "/Users", body: body, want: []int{409},
		demands: []demand{is("scimType", "uniqueness")},
	})
	match.name, match.demands = "find "+who+" by userName", []demand{is("totalResults", 1.0), is("Resources/0/id", id)}
	p.say(match)
	return id
}

func (p *player) oktaProfile(id string) {
	name := p.name("kim")
	p.say(say{name: "read kim before an update", method: http.MethodGet, path: "/Users/" + id, want: []int{200}, demands: []demand{is("id", id)}})
	p.say(say{
		name: "update kim by PUT of the whole profile", method: http.MethodPut, path: "/Users/" + id, want: []int{200},
		body: fmt.Sprintf(`{"schemas":[%q],"id":%q,"userName":%q,"title":"Tester","active":true,"meta":{"resourceType":"User"}}`, userURN, id, name),
		demands: []demand{
			is("title", "Tester"), is("externalId", "00u"+p.mark+"kim"),
		},
	})
	p.say(say{
		name: "deactivate kim", method: http.MethodPatch, path: "/Users/" + id, want: []int{200},
		body: patch(`{"op":"replace","value":{"active":false}}`), demands: []demand{is("active", false)},
	})
	p.say(say{
		name: "reactivate kim", method: http.MethodPatch, path: "/Users/" + id, want: []int{200},
		body: patch(`{"op":"replace","value":{"active":true}}`), demands: []demand{is("active", true)},
	})
}

func (p *player) oktaGroup(kim, lee string) {
	name := "usherd-test-" + p.mark
	id := p.say(say{
		name: "push a group", method: http.MethodPost, path: "/Groups", want: []int{201},
		body: fmt.Sprintf(`{"schemas":[%q],"displayName":%q,"members":[]}`, groupURN, name), demands: []demand{has("id")}, fatal: true,
	}).text("id")
	at := "/Groups/" + id
	read := func(what string, want ...string) {
		p.say(say{name: what, method: http.MethodGet, path: at, want: []int{200}, demands: []demand{members(want...)}})
	}
	p.say(say{
		name: "name the group before its members", method: http.MethodPatch, path: at, want: []int{200, 204},
		body: patch(fmt.Sprintf(`{"op":"replace","value":{"id":%q,"displayName":%q}}`, id, name)),
	})
	p.say(say{
		name: "add kim", method: http.MethodPatch, path: at, want: []int{200, 204},
		body: patch(fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":%q,"display":"kim"}]}`, kim)),
	})
	p.say(say{
		name: "take kim out by a filter and add lee", method: http.MethodPatch, path: at, want: []int{200, 204},
		body: patch(fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"},{"op":"add","path":"members","value":[{"value":%q,"display":"lee"}]}`, kim, lee)),
	})
	read("read the group", lee)
	p.say(say{
		name: "PUT all members", method: http.MethodPut, path: at, want: []int{200},
		body: fmt.Sprintf(`{"schemas":[%q],"id":%q,"displayName":%q,"members":[{"value":%q},{"value":%q}]}`, groupURN, id, name, kim, lee),
	})
	read("read the group with both", kim, lee)
	p.say(say{
		name: "empty the group", method: http.MethodPatch, path: at, want: []int{200, 204},
		body: patch(`{"op":"replace","path":"members","value":[]}`),
	})
	read("read the empty group")
	p.say(say{name: "delete the group", method: http.MethodDelete, path: at, want: []int{204}})
	p.say(say{name: "read the deleted group", method: http.MethodGet, path: at, want: []int{404}})
}
