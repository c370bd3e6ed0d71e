package provider

import (
	"fmt"
	"net/http"
)

// authentik reads the ServiceProviderConfig first, creates before it looks, and
// adopts by a filter without quotes what it collides with. Users are written by
// PUT and deleted; members come as one operation each.
func authentik(p *player) {
	p.say(say{
		name: "read what the service can", method: http.MethodGet, path: "/ServiceProviderConfig", want: []int{200},
		demands: []demand{is("patch/supported", true), is("filter/supported", true), has("bulk/maxOperations")}, fatal: true,
	})
	kim, lee := p.authentikUser("kim"), p.authentikUser("lee")
	p.say(say{
		name: "update kim by PUT", method: http.MethodPut, path: "/Users/" + kim, want: []int{200},
		body: p.authentikBody("kim", `,"title":"Tester"`), demands: []demand{is("title", "Tester"), is("id", kim)},
	})
	p.authentikGroup(kim, lee)
	for _, id := range []string{kim, lee} {
		p.say(say{name: "delete a user", method: http.MethodDelete, path: "/Users/" + id, want: []int{204}})
	}
	p.say(say{name: "read a deleted user", method: http.MethodGet, path: "/Users/" + kim, want: []int{404}})
}

func (p *player) authentikBody(who, more string) string {
	name := p.name(who)
	return fmt.Sprintf(`{"schemas":[%q],"userName":%q,"externalId":%q,"name":{"formatted":%q,"familyName":"Test","givenName":%q},"displayName":%q,
		"photos":[],"active":true,"emails":[{"value":%q,"type":"other","primary":true}]%s}`, userURN, name, p.mark+who, who, who, who, name, more)
}

func (p *player) authentikUser(who string) string {
	s := say{
		name: "create " + who, method: http.MethodPost, path: "/Users", body: p.authentikBody(who, ""), want: []int{201},
		demands: []demand{has("id")}, fatal: true,
	}
	id := p.say(s).text("id")
	s.name, s.want, s.demands, s.fatal = "create "+who+" again", []int{409}, []demand{is("scimType", "uniqueness")}, false
	p.say(s)
	p.say(say{
		name: "adopt " + who + " by a filter without quotes", method: http.MethodGet, path: "/Users?" + filter("userName eq "+p.name(who)), want: []int{200},
		demands: []demand{is("totalResults", 1.0), is("Resources/0/id", id)},
	})
	return id
}

func (p *player) authentikGroup(kim, lee string) {
	name := "usherd-test-" + p.mark
	whole := func(id, name string) string {
		return fmt.Sprintf(`{"schemas":[%q],"id":%q,"externalId":%q,"displayName":%q}`, groupURN, id, p.mark+"group", name)
	}
	id := p.say(say{
		name: "create a group", method: http.MethodPost, path: "/Groups", want: []int{201}, body: whole("", name), demands: []demand{has("id")}, fatal: true,
	}).text("id")
	at := "/Groups/" + id
	p.say(say{
		name: "update the group by its whole resource without a path", method: http.MethodPatch, path: at, want: []int{200, 204},
		body: patch(`{"op":"replace","value":` + whole(id, name+"-2") + `}`),
	})
	p.say(say{
		name: "add members, one operation each", method: http.MethodPatch, path: at, want: []int{200, 204},
		body: patch(fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":%q}]},{"op":"add","path":"members","value":[{"value":%q}]}`, kim, lee)),
	})
	p.say(say{
		name: "read the group back to compare", method: http.MethodGet, path: at, want: []int{200},
		demands: []demand{is("displayName", name+"-2"), members(kim, lee)},
	})
	p.say(say{
		name: "remove a member", method: http.MethodPatch, path: at, want: []int{200, 204},
		body: patch(fmt.Sprintf(`{"op":"remove","path":"members","value":[{"value":%q}]}`, kim)),
	})
	p.say(say{name: "read the group again", method: http.MethodGet, path: at, want: []int{200}, demands: []demand{members(lee)}})
	p.say(say{name: "delete the group", method: http.MethodDelete, path: at, want: []int{204}})
}
