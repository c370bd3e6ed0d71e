package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// says makes a user of a source who has attributes.
func (w *world) says(source directory.SourceName, of directory.UserID, name, attributes string) directory.UserID {
	w.t.Helper()
	id := directory.UserID(directory.NewID())
	w.apply(directory.CreateUser{ID: id, Source: source, User: of, Profile: directory.Profile{
		UserName: name, ExternalID: "x-" + name, Active: true, Attributes: json.RawMessage(attributes),
	}})
	return id
}

func (w *world) attributes(ctx context.Context) string {
	w.t.Helper()
	all, err := w.Attributes(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, use := range all {
		out = append(out, fmt.Sprint(use.Name, "=", use.Users))
	}
	return strings.Join(out, " ")
}

func TestListsShowTheAttributesThatSourcesDeliver(t *testing.T) {
	w := newWorld(t)
	w.source("hr", "")
	w.source("okta", "")
	ann := w.says("hr", "", "ann", `{"title":"Engineer","urn:x:User":{"department":"Bridges"},"password":"hunter2"}`)
	w.says("okta", ann, "ann", `{"title":"Boss","urn:x:User":{"costCenter":"4711"}}`)
	ben := w.says("okta", "", "ben", `{"title":"Clerk"}`)
	gone := w.says("okta", "", "gone", `{"nickName":"G"}`)
	w.apply(directory.DeleteUser{ID: gone, Source: "okta"})
	if got := w.attributes(t.Context()); got != "title=2 costCenter=1 department=1" {
		t.Errorf("attributes are %s", got)
	}
	list := func(names ...string) map[string]map[string]string {
		t.Helper()
		page, err := w.Users(t.Context(), admin.UserFilter{Sort: "userName", Attributes: names})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]map[string]string{}
		for _, u := range page.Items {
			out[u.UserName] = u.Attributes
		}
		return out
	}
	want := map[string]map[string]string{
		"ann": {"title": "Engineer", "department": "Bridges", "costCenter": "4711"}, "ben": {"title": "Clerk"},
	}
	if got := list("title", "department", "costCenter"); !reflect.DeepEqual(got, want) {
		t.Errorf("the list says %v, want %v: of two sources the one of the better rank counts", got, want)
	}
	if got := list(); got["ann"] != nil {
		t.Errorf("nothing was asked for, and the list says %v", got)
	}
	w.apply(directory.ReplaceUser{ID: ben, Source: "okta", Profile: directory.Profile{UserName: "ben", ExternalID: "x-ben", Active: true, Attributes: []byte(`{"locale":"nb-NO"}`)}})
	if got := w.attributes(t.Context()); got != "costCenter=1 department=1 locale=1 title=1" {
		t.Errorf("after ben was changed attributes are %s", got)
	}
	_, err := w.Users(t.Context(), admin.UserFilter{Attributes: make([]string, 51)})
	wantErr(t, "asking for too many", err, directory.ErrInvalid)
	srv := w.server(true)
	for names, want := range map[string]int{"title,locale": 200, "titel": 400, "password": 400} {
		got := call(t, srv, "GET", "/api/v1/users?attributes="+names, "")
		if detail, _ := got.body["detail"].(string); got.status != want || want == 400 && !strings.Contains(detail, "nobody has") {
			t.Errorf("asking for %s = %d %v, want %d", names, got.status, got.body, want)
		}
	}
}

// TestAttributesAreThoseOfWhomSomebodySees: whoever reads one project is not told
// what others have.
func TestAttributesAreThoseOfWhomSomebodySees(t *testing.T) {
	w := newWorld(t)
	w.policy("projects: [{key: alpha}]\n")
	w.source("hr", "")
	w.user("olga")
	w.grantUser("olga", admin.GrantSpec{Roles: []directory.RoleName{"owner"}})
	ann := w.says("hr", "", "ann", `{"title":"Engineer"}`)
	w.says("hr", "", "ben", `{"nickName":"B"}`)
	w.user("lead")
	w.grantUser("lead", admin.GrantSpec{Roles: []directory.RoleName{"project-admin"}, Project: "alpha"})
	w.made(admin.NewGroup{Name: "Crew", Project: "alpha"})
	if _, err := w.AddMembers(t.Context(), by, "local/Crew", []string{string(ann)}); err != nil {
		t.Fatal(err)
	}
	lead := admin.WithPrincipal(t.Context(), w.as("lead"))
	if got := w.attributes(lead); got != "title=1" {
		t.Errorf("the lead of a project is told of %s, want title alone", got)
	}
	page, err := w.Users(lead, admin.UserFilter{Attributes: []string{"title", "nickName"}})
	if err != nil || page.Total != 2 || len(page.Items[0].Attributes) != 1 {
		t.Errorf("the list is %+v, %v; want ann with her title, and the lead", page, err)
	}
}

// TestNobodyIsShownWhatASchemaDoesNotReturn: neither in a list, nor in an export of
// one, nor on the page of a user, as soon as the settings of the source say so.
func TestNobodyIsShownWhatASchemaDoesNotReturn(t *testing.T) {
	w := newWorld(t)
	const schemas = `[{"id":"urn:x:User","name":"X","attributes":[
		{"name":"answer","type":"string","multiValued":false,"returned":"never","uniqueness":"none"},
		{"name":"note","type":"string","multiValued":false,"returned":"request","uniqueness":"none"},
		{"name":"badge","type":"string","multiValued":false,"returned":"default","uniqueness":"none"},
		{"name":"desk","type":"complex","multiValued":false,"returned":"default","subAttributes":[
			{"name":"colour","type":"string","multiValued":false,"returned":"default","uniqueness":"none"},
			{"name":"code","type":"string","multiValued":false,"returned":"never","uniqueness":"none"}]}]}]`
	const said = `{"title":"Engineer","urn:x:User":{"answer":"hunter2","note":"hunter3","badge":"B7","desk":{"code":"hunter4","colour":"red"}}}`
	w.source("hr", "")
	w.source("okta", "")
	ann := w.says("okta", "", "ann", said)
	ben := w.says("hr", "", "ben", `{"urn:x:User":{"answer":"42"}}`)
	if got := w.attributes(t.Context()); got != "answer=2 badge=1 desk=1 note=1 title=1" {
		t.Fatalf("before there are schemas, attributes are %s", got)
	}
	if _, err := w.SetSource(t.Context(), by, "okta", map[string]json.RawMessage{"schemas": json.RawMessage(schemas)}); err != nil {
		t.Fatal(err)
	}
	if got := w.attributes(t.Context()); got != "answer=1 badge=1 desk=1 title=1" {
		t.Errorf("attributes are %s: those that okta withholds count for hr alone", got)
	}
	page, err := w.Users(t.Context(), admin.UserFilter{Sort: "userName", Attributes: []string{"answer", "note", "badge", "desk"}})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("the list is %+v, %v", page, err)
	}
	for i, want := range []map[string]string{{"badge": "B7", "desk": "red"}, {"answer": "42"}} {
		if got := page.Items[i].Attributes; !reflect.DeepEqual(got, want) {
			t.Errorf("of %s the list says %v, want %v", page.Items[i].UserName, got, want)
		}
	}
	srv := w.server(true)
	if got := call(t, srv, "GET", "/api/v1/users?attributes=note", ""); got.status != 400 {
		t.Errorf("asking for the column note = %d %v, want 400", got.status, got.body)
	}
	for path, shown := range map[string]string{
		"/users?attributes=answer,badge,desk":            "B7",
		"/users?attributes=answer,badge,desk&format=csv": "B7",
		"/users/" + string(ann):                          `"badge":"B7"`,
		"/users/" + string(ben):                          `"answer":"42"`,
	} {
		status, _, text := send(t, srv, "GET", "/api/v1"+path, "")
		if !strings.Contains(text, shown) || status != 200 || strings.Contains(text, "hunter") {
			t.Errorf("%s tells what is withheld, or not what is not: %d %s", path, status, text)
		}
	}
	w.apply(directory.SetSourceState{Source: "okta", State: directory.SourceDisabled})
	if _, err := w.RemoveSource(t.Context(), by, "okta", admin.Removal{KeepPeople: true}); err != nil {
		t.Fatal(err)
	}
	if got := w.attributes(t.Context()); got != "answer=1 title=1" {
		t.Errorf("once okta is gone with its schemas, attributes are %s", got)
	}
	if _, _, text := send(t, srv, "GET", "/api/v1/users/"+string(ann), ""); !strings.Contains(text, "Engineer") || strings.Contains(text, "hunter") {
		t.Errorf("once okta is gone, the page of ann says %s", text)
	}
}
