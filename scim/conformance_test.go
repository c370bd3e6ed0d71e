package scim

import (
	"fmt"
	"testing"

	"github.com/usherd/usherd/directory"
)

// What the public suites of the folder conformance found stays found.

func TestActiveCanBeRemoved(t *testing.T) { onBoth(t, testActiveCanBeRemoved) }

func testActiveCanBeRemoved(t *testing.T) {
	s := start(t)
	path := "/Users/" + fmt.Sprint(s.do("POST", "/Users", `{"schemas":[],"userName":"kim"}`).want(t, "POST", 201).at("id"))
	s.do("POST", "/Users", `{"schemas":[],"userName":"lee","active":false}`).want(t, "POST", 201)
	r := s.do("PATCH", path, `{"Operations":[{"op":"remove","path":"active"}]}`).want(t, "a removal", 200)
	if v := r.at("active"); v != nil {
		t.Errorf("active is %v after its removal, want none", v)
	}
	if u, err := s.store.Identity(t.Context(), "okta", userID(r)); err != nil || u.Active {
		t.Errorf("the user is active (%v), want a removal to let nobody in", err)
	}
	for filter, want := range map[string]string{"active eq false": "1", "not (active pr)": "1", "active ne true": "2", "active eq true": "0"} {
		if r := s.do("GET", "/Users?filter="+escapeQuery(filter), ""); fmt.Sprint(r.at("totalResults")) != want {
			t.Errorf("%s finds %v, want %s", filter, r.at("totalResults"), want)
		}
	}
	s.do("PUT", path, `{"schemas":[],"userName":"kim"}`).want(t, "PUT", 200)
	if u, err := s.store.Identity(t.Context(), "okta", userID(r)); err != nil || u.Active {
		t.Errorf("a PUT without active lets the user in (%v)", err)
	}
}

func TestSchemasSayWhatIs(t *testing.T) {
	s := start(t)
	r := s.do("GET", "/Schemas/"+enterpriseURN, "").want(t, "GET", 200)
	if r.at("name") != "EnterpriseUser" {
		t.Errorf("the enterprise extension is named %v, want the RFC's name", r.at("name"))
	}
	r = s.do("GET", "/Schemas/"+groupURN, "").want(t, "GET", 200)
	if got := fmt.Sprint(r.at("attributes/1/subAttributes/3/name"), r.at("attributes/1/subAttributes/3/mutability")); got != "displayreadOnly" {
		t.Errorf("the display of a member is %s, want it read-only: what is sent is not kept", got)
	}
	g := fmt.Sprint(s.do("POST", "/Groups", `{"schemas":[],"displayName":"g","members":[{"value":"a","display":"A"}]}`).want(t, "POST", 201).at("id"))
	s.do("PATCH", "/Groups/"+g, `{"Operations":[{"op":"replace","path":"members[value eq \"a\"].display","value":"B"}]}`).want(t, "sent all the same", 200)
}

func userID(r reply) directory.UserID { return directory.UserID(fmt.Sprint(r.at("id"))) }
