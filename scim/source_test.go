package scim

import (
	"fmt"
	"strings"
	"testing"
)

func TestSourcesReachNothingOfEachOther(t *testing.T) { onBoth(t, testSourcesReachNothingOfEachOther) }

func testSourcesReachNothingOfEachOther(t *testing.T) {
	s := start(t)
	uid := fmt.Sprint(s.as("okta", "POST", "/Users", `{"schemas":[],"userName":"kim","externalId":"E1"}`).want(t, "POST", 201).at("id"))
	gid := fmt.Sprint(s.as("okta", "POST", "/Groups", `{"schemas":[],"displayName":"Ops","members":["`+uid+`"]}`).want(t, "POST", 201).at("id"))
	for _, path := range []string{"/Users/" + uid, "/Groups/" + gid} {
		body := `{"schemas":[],"userName":"x","displayName":"x"}`
		patch := `{"Operations":[{"op":"replace","path":"displayName","value":"x"}]}`
		for _, r := range []reply{
			s.as("entra", "GET", path, ""), s.as("entra", "PUT", path, body),
			s.as("entra", "PATCH", path, patch), s.as("entra", "DELETE", path, ""),
			s.as("entra", "DELETE", path, "", "If-Match", `W/"1"`), s.as("entra", "PATCH", path, patch, "If-Match", "*"),
		} {
			made := strings.NewReplacer(uid, "", gid, "").Replace(r.raw)
			none := s.as("entra", "GET", "/Users/0192f0a0-0000-7000-8000-000000000000", "")
			if r.status != 404 || len(made) > len(none.raw)+1 {
				t.Errorf("%s with another source's token = %d %s, want what an unknown id gets", path, r.status, r.raw)
			}
		}
		s.as("okta", "GET", path, "").want(t, "the owner still reads "+path, 200)
	}
	for _, query := range []string{"/Users", "/Groups", "/Users?filter=userName%20eq%20%22kim%22", "/Groups?filter=members%20eq%20%22" + uid + "%22", "/Users?filter=title%20eq%20null", "/"} {
		if r := s.as("entra", "GET", query, ""); fmt.Sprint(r.at("totalResults")) != "0" {
			t.Errorf("entra finds by %s: %s", query, r.raw)
		}
	}
}

func TestNamesAcrossSources(t *testing.T) { onBoth(t, testNamesAcrossSources) }

func testNamesAcrossSources(t *testing.T) {
	s := start(t)
	uid := fmt.Sprint(s.as("okta", "POST", "/Users", `{"schemas":[],"userName":"kim","externalId":"E1"}`).want(t, "POST", 201).at("id"))
	r := s.as("entra", "POST", "/Users", `{"schemas":[],"userName":"KIM"}`).want(t, "a userName of another source", 409)
	detail := fmt.Sprint(r.at("detail"))
	if !strings.Contains(detail, "okta") || strings.Contains(r.raw, uid) || r.header.Get("Location") != "" {
		t.Errorf("409 says %s: it names the source, the ways out, and no id", r.raw)
	}
	s.as("okta", "PATCH", "/Users/"+uid, `{"Operations":[{"op":"replace","path":"active","value":false}]}`).want(t, "PATCH", 200)
	s.as("entra", "POST", "/Users", `{"schemas":[],"userName":"kim"}`).want(t, "an inactive user of another source does not come back", 409)

	s.as("okta", "POST", "/Groups", `{"schemas":[],"displayName":"Ops"}`).want(t, "POST", 201)
	r = s.as("entra", "POST", "/Groups", `{"schemas":[],"displayName":"Ops","members":["`+uid+`"]}`).want(t, "the same group name in another source", 201)
	if got := fmt.Sprint(r.at("members")); got != "[map[value:"+uid+"]]" {
		t.Errorf("members %s, want the id of another source to be unknown here", got)
	}
	s.as("entra", "POST", "/Users", `{"schemas":[],"userName":"lee","externalId":"E1"}`).want(t, "the same externalId in another source", 201)
}

func TestSourceDeclaresSchemas(t *testing.T) {
	s := start(t)
	s.addSource("corp", `{"schemas":[{"id":"urn:corp:My_App:2.0:User","name":"App","description":"","attributes":[
		{"name":"badge","type":"string","multiValued":false,"mutability":"immutable","returned":"default","uniqueness":"server"}]}]}`)
	uid := fmt.Sprint(s.as("corp", "POST", "/Users", `{"schemas":[],"userName":"b","urn:corp:my_app:2.0:USER":{"badge":"7"}}`).want(t, "POST", 201).at("id"))
	r := s.as("corp", "GET", "/Users?filter=urn:corp:My_App:2.0:User:badge%20eq%20%227%22", "").want(t, "filter", 200)
	if r.at("Resources/0/id") != uid || r.at("Resources/0/schemas/1") != "urn:corp:My_App:2.0:User" {
		t.Errorf("found %s", r.raw)
	}
	r = s.as("corp", "PATCH", "/Users/"+uid, `{"Operations":[{"op":"replace","path":"urn:corp:My_App:2.0:User:badge","value":"8"}]}`).want(t, "an immutable attribute", 400)
	if r.at("scimType") != "mutability" {
		t.Errorf("scimType %v, want mutability", r.at("scimType"))
	}
	r = s.as("corp", "GET", "/Schemas/urn:corp:My_App:2.0:User", "").want(t, "discovery", 200)
	if r.at("attributes/0/uniqueness") != "none" {
		t.Errorf("uniqueness %v, want none: nothing holds a source's own attributes to it", r.at("attributes/0/uniqueness"))
	}
	r = s.as("corp", "GET", "/Schemas/"+groupURN, "").want(t, "discovery", 200)
	if r.at("attributes/0/name") != "displayName" || r.at("attributes/0/uniqueness") != "server" {
		t.Errorf("the name of a group is %v, want it to be unique", r.at("attributes/0"))
	}
	s.as("okta", "GET", "/Schemas/urn:corp:My_App:2.0:User", "").want(t, "discovery of another source", 404)
	if r := s.as("corp", "GET", "/Schemas", ""); strings.Contains(r.raw, `:""`) {
		t.Errorf("an empty string in %.2000s", r.raw)
	}
}

// A schema may be named by an address, which is no path by the grammar.
func TestSchemasNamedByAddresses(t *testing.T) {
	s := start(t)
	const uri = "http://schemas.corp.test/App_1"
	s.addSource("corp", `{"schemas":[{"id":"`+uri+`","name":"App","attributes":[
		{"name":"badge","type":"string","multiValued":false,"mutability":"readWrite","returned":"default","uniqueness":"none"}]}]}`)
	path := "/Users/" + fmt.Sprint(s.as("corp", "POST", "/Users", `{"schemas":[],"userName":"b","`+uri+`":{"badge":"7"}}`).want(t, "POST", 201).at("id"))
	badge := func(r reply) string {
		doc, _ := r.doc.(map[string]any)
		return fmt.Sprint(doc[uri])
	}
	for _, c := range []struct{ claim, query, op, want string }{
		{"its attribute is replaced", "", `{"op":"replace","path":"` + uri + `:badge","value":"8"}`, "map[badge:8]"},
		{"it is asked for", "?attributes=" + uri, `{"op":"replace","path":"title","value":"T"}`, "map[badge:8]"},
		{"it is left out", "?excludedAttributes=" + uri, `{"op":"replace","path":"title","value":"U"}`, "<nil>"},
		{"it is added as a whole", "", `{"op":"add","path":"` + uri + `","value":{"badge":"9"}}`, "map[badge:9]"},
		{"it is removed as a whole", "", `{"op":"remove","path":"` + uri + `"}`, "<nil>"},
	} {
		r := s.as("corp", "PATCH", path+c.query, `{"Operations":[`+c.op+`]}`).want(t, c.claim, 200)
		if got := badge(r); got != c.want {
			t.Errorf("%s: %s, want %s", c.claim, got, c.want)
		}
	}
}

// TestReturnedIsKept: each attribute comes when its definition says (RFC 7643,
// section 2.2), whatever is asked for.
func TestReturnedIsKept(t *testing.T) {
	s := start(t)
	attr := func(name, returned, more string) string {
		return `{"name":"` + name + `","type":"string","multiValued":false,"mutability":"readWrite","returned":"` + returned + `","uniqueness":"none"` + more + `}`
	}
	s.addSource("corp", `{"schemas":[{"id":"urn:corp:app:User","name":"App","attributes":[`+
		attr("badge", "always", "")+`,`+attr("secret", "never", "")+`,`+attr("note", "request", "")+`,`+attr("floor", "default", "")+`,
		{"name":"desk","type":"complex","multiValued":false,"mutability":"readWrite","returned":"default","uniqueness":"none","subAttributes":[`+
		attr("row", "default", "")+`,`+attr("pin", "never", "")+`,{"name":"serial","type":"string","multiValued":false,"mutability":"immutable","returned":"default","uniqueness":"none"}]}]}]}`)
	const urn = "urn:corp:app:User"
	all := `{"schemas":[],"userName":"b","urn:corp:app:User":{"badge":"7","secret":"s","note":"n","floor":"1","desk":{"row":"r","pin":"p","serial":"x"}}}`
	r := s.as("corp", "POST", "/Users", all).want(t, "POST", 201)
	path := "/Users/" + fmt.Sprint(r.at("id"))
	for query, want := range map[string]string{
		"":                                      "map[badge:7 desk:map[row:r serial:x] floor:1]",
		"?attributes=userName":                  "map[badge:7]",
		"?attributes=" + urn:                    "map[badge:7 desk:map[row:r serial:x] floor:1]",
		"?attributes=" + urn + ":note":          "map[badge:7 note:n]",
		"?attributes=" + urn + ":secret":        "map[badge:7]",
		"?attributes=" + urn + ":desk.pin":      "map[badge:7 desk:map[]]",
		"?excludedAttributes=" + urn:            "map[badge:7]",
		"?excludedAttributes=" + urn + ":badge": "map[badge:7 desk:map[row:r serial:x] floor:1]",
		"?excludedAttributes=" + urn + ":desk":  "map[badge:7 floor:1]",
	} {
		doc, _ := s.as("corp", "GET", path+query, "").want(t, query, 200).doc.(map[string]any)
		if got := fmt.Sprint(doc[urn]); got != want {
			t.Errorf("GET %s returns %s, want %s", query, got, want)
		}
		list := s.as("corp", "GET", "/Users"+query, "").want(t, query, 200)
		first, _ := list.at("Resources/0").(map[string]any)
		if got := fmt.Sprint(first[urn]); got != want {
			t.Errorf("GET of the list %s returns %s, want %s", query, got, want)
		}
	}
	if doc, _ := r.doc.(map[string]any); strings.Contains(fmt.Sprint(doc[urn]), "secret") {
		t.Errorf("POST is answered with %v", doc[urn])
	}
	for _, body := range []string{
		`{"Operations":[{"op":"replace","path":"urn:corp:app:User:desk.serial","value":"y"}]}`,
		`{"Operations":[{"op":"replace","path":"urn:corp:app:User:desk","value":{"serial":"y"}}]}`,
		`{"Operations":[{"op":"remove","path":"urn:corp:app:User:desk.serial"}]}`,
	} {
		if r := s.as("corp", "PATCH", path, body); r.status != 400 || r.at("scimType") != "mutability" {
			t.Errorf("PATCH of an immutable part = %d %s, want a 400 mutability", r.status, r.raw)
		}
	}
	s.as("corp", "PATCH", path, `{"Operations":[{"op":"replace","path":"urn:corp:app:User:desk.row","value":"q"}]}`).want(t, "the part beside it", 200)
	// What is not returned is there.
	s.as("corp", "GET", "/Users?filter=urn:corp:app:User:secret%20eq%20%22s%22", "").want(t, "filter", 200)
}
