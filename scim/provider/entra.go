package provider

import (
	"fmt"
	"net/http"

	"github.com/google/uuid"
)

// entra probes with a random id, creates with nulls and a malformed schema,
// writes op in capital letters and booleans as strings, and sends one member a
// PATCH.
func entra(p *player) {
	probe := uuid.NewString()
	p.say(say{
		name: "probe users with a random id", method: http.MethodGet, path: "/Users?" + filter(`userName eq "`+probe+`"`), want: []int{200},
		demands: []demand{is("totalResults", 0.0), has("schemas/0")}, fatal: true,
	})
	p.say(say{
		name: "probe groups with a random id", method: http.MethodGet,
		path: "/Groups?excludedAttributes=members&" + filter(`displayName eq "`+probe+`"`), want: []int{200}, demands: []demand{is("totalResults", 0.0)},
	})
	kim, lee := p.entraUser("kim"), p.entraUser("lee")
	p.entraPatches(kim, lee)
	p.entraGroup(kim, lee)
	p.say(say{
		name: "soft-delete kim", method: http.MethodPatch, path: "/Users/" + kim, want: []int{200, 204},
		body: patch(`{"op":"Replace","path":"active","value":"False"}`),
	})
	p.say(say{name: "kim is inactive", method: http.MethodGet, path: "/Users/" + kim, want: []int{200}, demands: []demand{is("active", false)}})
	p.say(say{name: "hard-delete kim", method: http.MethodDelete, path: "/Users/" + kim, want: []int{204}})
	p.say(say{name: "read the deleted kim", method: http.MethodGet, path: "/Users/" + kim, want: []int{404}})
	p.say(say{
		name: "match the deleted kim", method: http.MethodGet, path: "/Users?" + filter(`externalId eq "`+p.mark+`kim"`), want: []int{200},
		demands: []demand{is("totalResults", 0.0)},
	})
}

func (p *player) entraUser(who string) string {
	name := p.name(who)
	id := p.say(say{
		name: "create " + who + " with nulls and a malformed schema", method: http.MethodPost, path: "/Users", want: []int{201},
		body: fmt.Sprintf(`{"schemas":[%q,"urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],"externalId":%q,"userName":%q,"active":true,
			"displayName":%q,"emails":[{"primary":true,"type":"work","value":%q}],"meta":{"resourceType":"User"},"name":{"formatted":%q},
			"title":null,"manager":null,"roles":[]}`, userURN, p.mark+who, name, who, name, who),
		demands: []demand{has("id"), is("active", true), is("externalId", p.mark+who)}, fatal: true,
	}).text("id")
	for _, query := range []string{`externalId eq "` + p.mark + who + `"`, `emails[type eq "work"].value eq "` + name + `"`} {
		p.say(say{
			name: "match " + who, method: http.MethodGet, path: "/Users?" + filter(query), want: []int{200},
			demands: []demand{is("totalResults", 1.0), is("Resources/0/id", id)},
		})
	}
	return id
}

func (p *player) entraPatches(kim, lee string) {
	at := "/Users/" + kim
	manager := enterpriseURN + ":manager"
	for _, s := range []struct {
		name, operations, path string
		want                   any
	}{
		{"replace the work address", `{"op":"Replace","path":"emails[type eq \"work\"].value","value":"new@sandbox.invalid"}`, "emails/0/value", "new@sandbox.invalid"},
		{
			"add an address that is not there", `{"op":"Add","path":"addresses[type eq \"work\"].locality","value":"Oslo"}`,
			"addresses/0/locality", "Oslo",
		},
		{"set the manager as a string", `{"op":"Add","path":"` + manager + `","value":"` + lee + `"}`, enterpriseURN + "/manager/value", lee},
		{"clear the manager", `{"op":"Replace","path":"` + manager + `","value":""}`, enterpriseURN + "/manager", nil},
		{
			"change several attributes at once",
			`{"op":"replace","value":{"displayName":"Kim T","name.givenName":"Kim","` + enterpriseURN + `:department":"Ops"}}`,
			enterpriseURN + "/department", "Ops",
		},
	} {
		p.say(say{name: s.name, method: http.MethodPatch, path: at, body: patch(s.operations), want: []int{200, 204}})
		p.say(say{
			name: "read kim: " + s.name, method: http.MethodGet, path: at, want: []int{200},
			demands: []demand{is(s.path, s.want)},
		})
	}
}

func (p *player) entraGroup(kim, lee string) {
	name := "usherd-test-" + p.mark
	id := p.say(say{
		name: "create a group without members", method: http.MethodPost, path: "/Groups", want: []int{201},
		body: fmt.Sprintf(`{"schemas":[%q,"http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"externalId":%q,"displayName":%q,
			"meta":{"resourceType":"Group"}}`, groupURN, p.mark+"group", name), demands: []demand{has("id")}, fatal: true,
	}).text("id")
	at := "/Groups/" + id
	for _, member := range []string{kim, lee} {
		p.say(say{
			name: "add one member", method: http.MethodPatch, path: at, want: []int{200, 204},
			body: patch(fmt.Sprintf(`{"op":"Add","path":"members","value":[{"value":%q}]}`, member)),
		})
	}
	p.say(say{
		name: "ask whether lee is a member", method: http.MethodGet,
		path: "/Groups?" + filter(`id eq "`+id+`" and members eq "`+lee+`"`) + "&attributes=id", want: []int{200}, demands: []demand{is("totalResults", 1.0)},
	})
	p.say(say{
		name: "read the group without members", method: http.MethodGet, path: at + "?excludedAttributes=members", want: []int{200},
		demands: []demand{is("displayName", name), is("members", nil)},
	})
	p.say(say{
		name: "remove kim by a list of values", method: http.MethodPatch, path: at, want: []int{200, 204},
		body: patch(fmt.Sprintf(`{"op":"Remove","path":"members","value":[{"$ref":null,"value":%q}]}`, kim)),
	})
	p.say(say{name: "lee is left", method: http.MethodGet, path: at, want: []int{200}, demands: []demand{members(lee)}})
	p.say(say{
		name: "remove lee by a filter", method: http.MethodPatch, path: at, want: []int{200, 204},
		body: patch(fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"}`, lee)),
	})
	p.say(say{name: "nobody is left", method: http.MethodGet, path: at, want: []int{200}, demands: []demand{members()}})
	p.say(say{name: "delete the group", method: http.MethodDelete, path: at, want: []int{204}})
}
