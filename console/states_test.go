package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// send posts fields to a path, as a form of the page that is open would.
func (b *browser) send(path string, fields map[string]string) {
	b.t.Helper()
	text, err := json.Marshal(fields)
	must(b.t, err)
	eval[bool](b, fmt.Sprintf(`((f) => {
		f.method = "post"; f.action = %q;
		for (const [name, value] of Object.entries(%s)) f.append(Object.assign(document.createElement("input"), {name, value}));
		document.body.append(f); f.submit(); return true;
	})(document.createElement("form"))`, path, text))
}

// told waits until what is wrong with a field stands beside it, is said of it to
// a screen reader, and the field has the focus.
func (b *browser) told(field, words string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`((f, p) => f && p && f.getAttribute("aria-invalid") === "true" && f.getAttribute("aria-describedby").split(" ").includes(p.id)
		&& p.innerText.includes(%q) && document.activeElement === f)(document.querySelector("#%s"), document.querySelector("#%s-problem"))`, words, field, field),
		words+" at the field "+field)
}

func TestEveryStateOfAGroupIsAPage(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.group("Tower crew", "alpha", w.eve)
	w.apply(directory.PutGrant{Grant: directory.Grant{
		Group: w.crew, Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}, Origin: directory.ByHand,
	}})
	b := w.browse()
	w.enter(b, w.owner)
	at := "/groups/" + string(w.crew)
	t.Run("many are blocked or deleted after a look", func(t *testing.T) {
		for button, done := range map[string]string{"Block": "Block 3 groups", "Delete": "Delete 3 groups"} {
			b.open("/groups")
			b.click("input[data-all]")
			b.press(button)
			b.sees(done)
			b.look("groups-many-" + button)
		}
	})
	t.Run("columns beyond those of the beginning are seen whole", func(t *testing.T) {
		b.open("/groups?cols=name.members.roles.users.status.scope.menu")
		b.until(`((s) => s.scrollWidth <= s.clientWidth)(document.querySelector(".rows .scroll"))`, "a table that does not scroll")
		b.look("groups-seven")
		b.open("/groups?cols=name.members.roles.users.status.menu")
	})
	t.Run("what is wrong with a new one stands at its field", func(t *testing.T) {
		b.open("/groups/new?project=alpha")
		b.look("group-new-project")
		b.fill("#name", "tower CREW")
		b.press("Add user group")
		b.told("name", "already")
		b.look("group-new-refused")
	})
	t.Run("so does what is wrong with an edit, and what others changed stands beside", func(t *testing.T) {
		w.group("Other crew", "")
		b.open(at + "/details")
		b.fill("#name", "Other crew")
		b.press("Save")
		b.told("name", "already")
		b.open(at + "/details")
		b.fill("#name", "Mine")
		other := "Everybody on site"
		_, err := w.EditGroup(t.Context(), root, string(w.crew), admin.GroupEdit{Description: &other})
		must(t, err)
		b.press("Save")
		b.sees("Theirs:")
		b.look("group-theirs")
	})
	t.Run("privileges of every kind, by title and key", func(t *testing.T) {
		b.open(at + "/privileges/access")
		b.until(`[...document.querySelectorAll(".tree label")].some(e => e.innerText.includes("Part list part-list"))`, "title and key")
		for _, kind := range []string{"access", "role", "output", "integration", "roles", "all"} {
			b.open(at + "/privileges/" + kind)
			b.look("group-privileges-" + kind)
		}
		b.open(at + "/privileges/access")
		b.click(`input[name="g"][value="access:part-list"]`)
		eval[bool](b, `(document.querySelector('input[name="g"][value="access:viewer-3d"]').click(), true)`)
		b.press("Preview and save")
		b.sees("− access Part list part-list")
		b.sees("+ access 3D viewer viewer-3d")
		b.look("group-preview")
	})
	t.Run("activity, mappings, deleting, removing a member, and picking groups", func(t *testing.T) {
		for _, tab := range []string{"activity", "delete", "mappings"} {
			b.open(at + "/" + tab)
			b.look("group-" + tab)
		}
		b.open(at)
		b.look("group-members-local")
		b.click(`button[aria-label="Remove eve@example.com"]`)
		b.sees("Remove 1 member")
		b.look("group-remove")
		b.open(at + "/add")
		b.choose("#kind", "Groups")
		b.until(`document.querySelector("#picking .picks").innerText.includes("Engineering")`, "groups")
		b.look("group-selector-groups")
	})
}

func TestEveryStateOfAProjectIsAPage(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.group("Tower crew", "alpha", w.eve)
	w.apply(directory.PutGrant{Grant: directory.Grant{User: w.eve, Role: directory.RoleProjectAdmin, Project: "alpha", Origin: directory.ByHand, By: "test"}})
	b := w.browse()
	w.enter(b, w.owner)
	b.open("/projects")
	b.look("projects")
	b.press("New project")
	b.look("project-new")
	b.fill("#key", "a*b")
	b.press("Add project")
	b.told("key", "which is not allowed here")
	b.look("project-refused")
	b.fill("#key", "alpha")
	b.press("Add project")
	b.told("key", "already")
	for _, tab := range []string{"", "/groups", "/roles", "/activity", "/edit"} {
		b.open("/projects/alpha" + tab)
		b.look("project-" + map[bool]string{true: "users"}[tab == ""] + tab[min(1, len(tab)):])
	}
	b.open("/projects/beta/edit")
	b.look("project-edit-unused")
	b.open("/projects/beta")
	b.look("project-empty")
}

func TestWhatIsWrongWithAPolicyIsToldInTheWordsOfPages(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := s.browse()
	s.enter(b, s.owner)
	t.Run("an empty catalogue says what would be there", func(t *testing.T) {
		h := newHouse(t)
		b := h.browse()
		h.enter(b, h.user("owner@example.com", directory.RoleOwner))
		b.open("/catalogue")
		b.sees("No features yet")
		b.look("catalogue-empty")
	})
	t.Run("every value at its field, without the place in a file", func(t *testing.T) {
		b.open("/catalogue/features")
		b.fill("#key", "orders")
		b.fill("#actions", "approve approve")
		b.fill("#monthly", "4,00")
		b.fill("#currency", "EUR")
		b.press("Save")
		b.told("actions", `"approve" is given twice`)
		b.until(`document.querySelector("#monthly-problem").innerText.includes("is not an amount of money; write e.g. 4.00") && !document.body.innerText.includes("features[")`, "the price")
		b.look("catalogue-refused")
		b.open("/catalogue/resources")
		b.fill("#key", "feature")
		b.press("Save")
		b.told("key", "is reserved; choose another")
		b.open("/roles/new")
		b.fill("#name", "owner")
		b.press("Save")
		b.told("name", "already")
		b.look("role-refused")
		b.open("/integrations/new")
		b.fill("#key", "a*")
		b.press("Add")
		b.told("key", "which is not allowed here")
		b.look("integration-refused")
	})
	t.Run("what uses an item, by name", func(t *testing.T) {
		b.open("/catalogue/features?key=part-list")
		b.fill("#actions", "export")
		b.press("Save")
		b.sees("part-list saved.") // nobody needs edit
		b.open("/catalogue")
		eval[bool](b, `(window.confirm = () => true)()`)
		b.click(`button[aria-label="Remove part-list"]`)
		b.sees("output Cut list (PDF) uses it, mapping engineers uses it, test 1 of the policy uses it")
	})
	t.Run("the catalogue is searched and narrowed by kind", func(t *testing.T) {
		b.open("/catalogue")
		b.sees("7 items")
		b.fill("#q", "part")
		b.sees("2 items") // the feature, and the output that needs it
		b.until(`document.querySelectorAll("tr[draggable]").length === 0`, "nothing to put in order")
		b.choose("select[name=kind]", "Outputs")
		b.sees("1 item")
		b.look("catalogue-narrowed")
		b.open("/catalogue?q=nothing")
		b.sees("No items match.")
		b.look("catalogue-nothing")
	})
	t.Run("Roles are narrowed by who gives them", func(t *testing.T) {
		b.open("/roles?group=engin")
		b.sees("1 Role")
		b.sees("Releaser")
		b.look("roles-by-group")
	})
	t.Run("members of an integration are a list with columns and a file", func(t *testing.T) {
		b.open("/integrations/aws-prod/members")
		b.press("Columns")
		b.click(`.pop input[value="kind"]`)
		b.press("Show these")
		b.until(`[...document.querySelectorAll("th")].some(e => e.innerText === "Kind")`, "the column")
		b.look("integration-columns")
		_, err := s.SetConnectionMember(t.Context(), root, "aws-prod", string(s.ben), directory.Viewer)
		must(t, err)
		file := fetched(t, s.signedIn(s.owner), s.url+"/integrations/aws-prod/members?format=csv&q=ben&cols=who.kind.role.effective.via")
		if want := "Who,Kind,Role here,Effective,Via\nBen Ode,User,viewer,Viewer,Direct\n"; file != want {
			t.Errorf("the file is %q, want %q", file, want)
		}
	})
	t.Run("a long change of the policy opens", func(t *testing.T) {
		for i := range 9 {
			_, err := s.CreateRole(t.Context(), root, admin.RoleSpec{Name: directory.RoleName(fmt.Sprintf("extra-%d", i))})
			must(t, err)
		}
		s.policy("roles:\n  - {name: releaser, title: Releaser, rights: [integrations.use_all], role: [\"record:*:read\"]}\n")
		s.policy("roles:\n  - {name: releaser, title: Releasing, rights: [integrations.use_all], role: [\"record:*:read\"]}\n" +
			"  - {name: b1}\n  - {name: b2}\n  - {name: b3}\n  - {name: b4}\n  - {name: b5}\n  - {name: b6}\n  - {name: b7}\n  - {name: b8}\n")
		b.open("/roles/b8/activity")
		b.press("2 more")
		b.until(`document.querySelector("details[open] li:last-child")?.innerText === "+roles/b8"`, "the rest of the list")
		b.look("role-activity-long")
	})
}

func TestWhatIsSeldomSeenIsAPageToo(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	_, err := w.AddSource(t.Context(), root, admin.NewSource{Name: "corp", Kind: directory.KindLDAP, Settings: json.RawMessage(`{}`)})
	must(t, err)
	must(t, w.store.PutRun(t.Context(), directory.Run{
		ID: directory.NewID(), Source: "corp", Started: time.Now().Add(-time.Minute), Result: directory.RunRunning, Counts: map[string]int64{"users.read": 1200},
	}))
	b := w.browse()
	w.enter(b, w.owner)
	t.Run("a run in progress", func(t *testing.T) {
		b.open("/runs")
		b.look("runs-running")
		b.click("tbody a")
		b.look("run-running")
	})
	t.Run("a refusal says once why", func(t *testing.T) {
		b.open("/groups")
		b.send("/groups/"+string(w.engineering)+"/delete", map[string]string{"typed": "Engineering"})
		b.sees("Status 409.")
		b.look("problem-409")
		b.open("/groups")
		b.send("/groups/"+string(w.crew)+"/delete", map[string]string{"typed": "no"})
		b.sees("Status 400.")
		b.look("problem-400")
	})
	t.Run("columns and account on a phone", func(t *testing.T) {
		b.resize(390)
		b.open("/groups")
		b.press("Columns")
		b.look("phone-columns")
		b.resize(390)
		b.open("/groups")
		b.click(".account > summary")
		b.look("phone-account")
		b.resize(1280)
	})
	t.Run("somebody else changed the user meanwhile", func(t *testing.T) {
		b.open("/users/" + string(w.eve))
		b.fill("#name", "Eve Late")
		name := "Eve Other"
		_, err := w.EditUser(t.Context(), root, string(w.eve), admin.UserEdit{Name: &name})
		must(t, err)
		b.click("form.stack button.primary")
		b.sees("Somebody changed this user meanwhile")
		b.look("user-theirs")
	})
}

// TestTheAPIReferenceFollowsTheThemeOfTheConsole opens the reference beside the
// console, as the daemon serves both.
func TestTheAPIReferenceFollowsTheThemeOfTheConsole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mux := http.NewServeMux()
	(&admin.API{Service: h.Service, Log: zap.NewNop()}).RegisterDocument(mux)
	mux.Handle("/", h.console.Handler())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	h.url = server.URL
	b := h.browse()
	h.enter(b, h.user("owner@example.com", directory.RoleOwner))
	const scheme = `getComputedStyle(document.documentElement).colorScheme`
	b.open("/docs/api")
	b.until(scheme+` === "light dark"`, "what the system likes")
	for _, theme := range []string{"dark", "light"} {
		b.open("/")
		eval[bool](b, fmt.Sprintf(`(localStorage.setItem("usherd-theme", %q), true)`, theme))
		b.open("/docs/api")
		b.until(fmt.Sprintf(scheme+` === %q`, theme), "the theme "+theme)
	}
	eval[bool](b, `(document.querySelector("details").open = true)`)
	b.look("api-reference")
}
