package scim

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// A strange is a resource of the source okta that entra tries to reach.
type strange struct{ kind, id string }

// ways are all routes and methods by which an id can be named, each with the
// answer that a source gets for an id that nobody has. ID stands for the id.
func ways(kind string) []step {
	body := `{"schemas":[],"userName":"w","displayName":"w","externalId":"w"}`
	patch := `{"Operations":[{"op":"replace","path":"displayName","value":"w"}]}`
	var out []step
	add := func(method, path, body string, headers ...string) {
		out = append(out, step{method: method, path: path, body: body, headers: headers})
	}
	own := "/" + kind + "/ID"
	for _, query := range []string{"", "?attributes=id", "?excludedAttributes=members"} {
		add("GET", own+query, "")
		add("HEAD", own+query, "")
		add("PUT", own+query, body)
		add("PATCH", own+query, patch)
	}
	add("DELETE", own, "")
	for _, match := range []string{"*", `W/"1"`} {
		add("PUT", own, body, "If-Match", match)
		add("PATCH", own, patch, "If-Match", match)
		add("DELETE", own, "", "If-Match", match)
		add("GET", own, "", "If-None-Match", match)
	}
	add("PATCH", own, `{"Operations":[{"op":"add","path":"members","value":[{"value":"w"}]}]}`)
	add("PATCH", own, `{"Operations":[{"op":"remove","path":"members"}]}`)
	add("PATCH", own, `{"Operations":[{"op":"remove","path":"members[display sw \"a\"]"}]}`)
	return out
}

// finds are all queries that could tell that an id exists.
func finds(id string) []string {
	var out []string
	for _, attr := range []string{"id", "externalId", "members", "members.value", "groups", "groups.value", "userName", "meta.location"} {
		out = append(out, fmt.Sprintf(`%s eq %q`, attr, id), fmt.Sprintf(`%s co %q`, attr, id))
	}
	return append(out, fmt.Sprintf(`members[value eq %q]`, id), fmt.Sprintf(`id eq %q or id eq "none"`, id), fmt.Sprintf(`id eq %q and id pr`, id))
}

func TestNoIDOfAnotherSourceIsReached(t *testing.T) { onBoth(t, testNoIDOfAnotherSourceIsReached) }

func testNoIDOfAnotherSourceIsReached(t *testing.T) {
	s := start(t)
	uid := fmt.Sprint(s.as("okta", "POST", "/Users", `{"schemas":[],"userName":"kim","externalId":"E1"}`).want(t, "POST", 201).at("id"))
	inner := fmt.Sprint(s.as("okta", "POST", "/Groups", `{"schemas":[],"displayName":"Inner"}`).want(t, "POST", 201).at("id"))
	gid := fmt.Sprint(s.as("okta", "POST", "/Groups", `{"schemas":[],"displayName":"Ops","members":["`+uid+`","`+inner+`","pending"]}`).want(t, "POST", 201).at("id"))
	before := s.as("okta", "GET", "/Users/"+uid, "").raw + s.as("okta", "GET", "/Groups/"+gid, "").raw + s.as("okta", "GET", "/Groups/"+inner, "").raw
	const nobody = "0192f0a0-0000-7000-8000-000000000000"
	for _, of := range []strange{{"Users", uid}, {"Groups", gid}, {"Groups", inner}, {"Users", gid}, {"Groups", uid}} {
		for _, w := range ways(of.kind) {
			path := strings.ReplaceAll(w.path, "ID", of.id)
			got := s.as("entra", w.method, path, w.body, w.headers...)
			none := s.as("entra", w.method, strings.ReplaceAll(w.path, "ID", nobody), w.body, w.headers...)
			if got.status != 404 && got.status != none.status || got.status < 400 || strings.ReplaceAll(got.raw, of.id, nobody) != none.raw {
				t.Errorf("%s %s = %d %s, want what an unknown id gets: %d %s", w.method, path, got.status, got.raw, none.status, none.raw)
			}
			// Another source's address takes no token but its own.
			if got := s.as("okta", w.method, path, w.body, append(w.headers, "Authorization", "Bearer token-entra")...); got.status != 401 {
				t.Errorf("%s %s of okta with the token of entra = %d", w.method, path, got.status)
			}
		}
		for _, filter := range finds(of.id) {
			search := `{"schemas":["` + searchURN + `"],"filter":` + mustJSON(filter) + `}`
			for _, r := range []reply{
				s.as("entra", "GET", "/Users?filter="+url.QueryEscape(filter), ""), s.as("entra", "GET", "/Groups?filter="+url.QueryEscape(filter), ""),
				s.as("entra", "GET", "/?filter="+url.QueryEscape(filter), ""), s.as("entra", "POST", "/.search", search),
				s.as("entra", "POST", "/Users/.search", search), s.as("entra", "POST", "/Groups/.search", search),
			} {
				if n := r.at("totalResults"); r.status == 200 && fmt.Sprint(n) != "0" || r.status != 200 && r.status != 400 {
					t.Errorf("%s finds %v: %d %s", filter, n, r.status, r.raw)
				}
			}
		}
		for _, method := range []string{"PUT", "PATCH", "DELETE"} {
			op := func(id string) string {
				return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"` + method + `","path":"/` + of.kind + `/` + id +
					`","data":{"schemas":[],"userName":"w","displayName":"w","Operations":[{"op":"replace","path":"displayName","value":"w"}]}}]}`
			}
			got, none := s.as("entra", "POST", "/Bulk", op(of.id)), s.as("entra", "POST", "/Bulk", op(nobody))
			if got.at("Operations/0/status") != "404" || strings.ReplaceAll(got.raw, of.id, nobody) != none.raw {
				t.Errorf("Bulk %s of %s = %s, want %s", method, of.kind, got.raw, none.raw)
			}
		}
	}
	if r := s.as("entra", "GET", "/Me", ""); r.status != 501 {
		t.Errorf("/Me = %d, want 501", r.status)
	}
	if r := s.as("okta", "GET", "/Me", "", "Authorization", "Bearer token-entra"); r.status != 401 {
		t.Errorf("/Me of another source = %d, want 401", r.status)
	}
	testStrangeMembers(t, s, uid, gid)
	after := s.as("okta", "GET", "/Users/"+uid, "").raw + s.as("okta", "GET", "/Groups/"+gid, "").raw + s.as("okta", "GET", "/Groups/"+inner, "").raw
	if after != before {
		t.Errorf("the owner's resources were\n%s\nand are\n%s", before, after)
	}
}

// testStrangeMembers adds ids of another source to a group: they wait for ever.
func testStrangeMembers(t *testing.T, s *server, uid, gid string) {
	body := `{"schemas":[],"displayName":"Trap","members":["` + uid + `","` + gid + `","E1"]}`
	trap := "/Groups/" + fmt.Sprint(s.as("entra", "POST", "/Groups", body).want(t, "POST", 201).at("id"))
	r := s.as("entra", "GET", trap, "").want(t, "GET", 200)
	if strings.Contains(r.raw, `"type":`) || strings.Contains(r.raw, "/Users/"+uid) || strings.Contains(r.raw, "/Groups/"+gid) {
		t.Errorf("ids of another source became members: %s", r.raw)
	}
	if r := s.as("okta", "GET", "/Users/"+uid, ""); strings.Contains(r.raw, "Trap") {
		t.Errorf("a user has a group of another source: %s", r.raw)
	}
}
