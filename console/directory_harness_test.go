package console_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// townPolicy is a catalogue of every kind, two projects and a mapping.
const townPolicy = `
projects: [{key: alpha, title: Alpha tower}, {key: beta, title: Beta bridge}]
features:
  - {key: part-list, title: Part list, actions: [edit, export], seat: {monthly: "4.00", currency: EUR}}
  - {key: viewer-3d, title: 3D viewer, actions: [measure]}
outputs: [{key: cut-list-pdf, title: Cut list, feature: part-list}]
integrations: [{key: aws-prod, title: AWS production}]
resources: {record: {actions: [read, write], ids: [record-1]}}
roles: [{name: releaser, role: ["record:*:read"]}]
mappings:
  - {name: engineers, when: {source: okta, group: {name: Engineering}}, grant: [{access: [viewer-3d]}]}
`

// A town is a house with people of a directory and of our own.
type town struct {
	*house
	owner, ana, ben, eve directory.UserID // ana and ben come from okta, eve is local
	engineering, crew    directory.GroupID
}

// newTown fills a house.
func newTown(t testing.TB) *town {
	t.Helper()
	h := newHouse(t)
	w := &town{house: h}
	w.owner = h.user("olga@example.com", directory.RoleOwner)
	_, err := h.AddSource(t.Context(), root, admin.NewSource{Name: "okta", Kind: directory.KindSCIM})
	must(t, err)
	w.ana, w.ben = w.delivered("ana", "Ana Ng"), w.delivered("ben", "Ben <b>Bold</b>")
	w.engineering = directory.GroupID(directory.NewID())
	h.apply(
		directory.CreateGroup{ID: w.engineering, Source: "okta", Name: "Engineering"},
		directory.AddMembers{Group: w.engineering, Source: "okta", Values: []string{string(w.ana), string(w.ben)}},
	)
	h.policy(townPolicy)
	w.eve = h.user("eve@example.com")
	w.crew = w.group("Site crew", "", w.eve)
	return w
}

// delivered makes a user that okta delivers.
func (w *town) delivered(name, display string) directory.UserID {
	w.t.Helper()
	id := directory.UserID(directory.NewID())
	address := name + "@example.com"
	w.apply(directory.CreateUser{ID: id, Source: "okta", Profile: directory.Profile{
		UserName: address, DisplayName: display, ExternalID: "okta-" + name, Active: true,
		Emails:     []directory.Email{{Value: address, Primary: true}},
		Attributes: []byte(fmt.Sprintf(`{"userName":%q}`, address)),
	}})
	return id
}

// group makes a local group.
func (w *town) group(name string, project directory.ProjectKey, members ...directory.UserID) directory.GroupID {
	w.t.Helper()
	id := directory.GroupID(directory.NewID())
	w.apply(directory.CreateGroup{ID: id, Source: directory.Local, Name: name, Project: project})
	for _, m := range members {
		w.apply(directory.AddMembers{Group: id, Source: directory.Local, Values: []string{string(m)}})
	}
	return id
}

// crowd adds members to a group by the dozen.
func (w *town) crowd(group directory.GroupID, n int) {
	w.t.Helper()
	for i := range n {
		id := w.user(fmt.Sprintf("crowd%03d@example.com", i))
		w.apply(directory.AddMembers{Group: group, Source: directory.Local, Values: []string{string(id)}})
	}
}

// can asks the check that applications ask.
func (w *town) can(user directory.UserID, action, resource, project string) bool {
	w.t.Helper()
	q := admin.Question{User: string(user), Action: action, Project: directory.ProjectKey(project)}
	q.Resource.Type, q.Resource.ID, _ = strings.Cut(resource, "/")
	a, err := w.Check(admin.WithPrincipal(w.t.Context(), root), q)
	must(w.t, err)
	return a.Decision
}

// choose picks an option of a select by its words.
func (b *browser) choose(sel, words string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`(() => {
		const s = document.querySelector(%q);
		const o = s && [...s.options].find((o) => o.text.trim() === %q);
		if (!o) return false;
		s.value = o.value;
		s.dispatchEvent(new Event("change", {bubbles: true}));
		return true;
	})()`, sel, words), words+" in "+sel)
}

// fetched is the body of a page.
func fetched(t testing.TB, client *http.Client, url string) string {
	t.Helper()
	res, err := client.Get(url)
	must(t, err)
	text, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d: %s", url, res.StatusCode, text)
	}
	return string(text)
}
