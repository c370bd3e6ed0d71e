package console_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
)

// A site is a town with somebody who administers alpha alone, and a group of
// alpha with ana and ben.
type site struct {
	*town
	boss  directory.UserID
	tower directory.GroupID
	in    *http.Client // boss, signed in
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{town: newTown(t)}
	s.boss = s.user("boss@example.com")
	s.tower = s.group("Tower crew", "alpha", s.ana, s.ben)
	s.apply(
		directory.PutGrant{Grant: directory.Grant{User: s.boss, Project: "alpha", Role: directory.RoleProjectAdmin, Origin: directory.ByHand, By: "test"}},
		directory.PutGrant{Grant: directory.Grant{Group: s.tower, Project: "alpha", Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}, Origin: directory.ByHand, By: "test"}},
		directory.PutGrant{Grant: directory.Grant{Group: s.tower, Project: "alpha", Role: directory.RoleProjectAdmin, Origin: directory.ByHand, By: "test"}},
	)
	s.in = s.signedIn(s.boss)
	return s
}

var tag = regexp.MustCompile(`<[^>]*>|\s+`)

// rowsWith are the rows of a page's tables that hold a text, as words.
func rowsWith(page, text string) (rows []string) {
	for _, row := range strings.Split(page, "<tr")[1:] {
		row = row[strings.Index(row, ">")+1:]
		row, _, _ = strings.Cut(row, "</tr>")
		if words := strings.Join(strings.Fields(tag.ReplaceAllString(row, " ")), " "); strings.Contains(words, text) {
			rows = append(rows, words)
		}
	}
	return rows
}

func TestWhatCountsInAProjectSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, tt := range []struct{ name, path string }{
		{"of a user", "/users/" + string(s.ana) + "/access"}, {"of a group", "/groups/" + string(s.tower) + "/privileges/all"},
	} {
		for _, key := range []string{"part-list", "project.manage"} {
			rows := rowsWith(s.body(s.in, tt.path, http.StatusOK), key)
			if len(rows) != 1 || !strings.Contains(rows[0], "Alpha tower") || strings.Contains(rows[0], "Organization") {
				t.Errorf("%s, the project's administrator sees %q of %s; want one row of Alpha tower", tt.name, rows, key)
			}
			rows = rowsWith(s.body(s.signedIn(s.owner), tt.path, http.StatusOK), key)
			if len(rows) != 1 || !strings.Contains(rows[0], "Alpha tower") {
				t.Errorf("%s, the owner sees %q of %s; want one row of Alpha tower", tt.name, rows, key)
			}
		}
	}
}

func TestWhoAdministersTwoProjectsSeesWhatCountsInBoth(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.apply(
		directory.PutGrant{Grant: directory.Grant{User: s.boss, Project: "beta", Role: directory.RoleProjectAdmin, Origin: directory.ByHand, By: "test"}},
		directory.PutGrant{Grant: directory.Grant{User: s.ana, Project: "beta", Privilege: directory.Privilege{Kind: directory.OutputPrivilege, Key: "cut-list-pdf"}, Origin: directory.ByHand, By: "test"}},
		directory.PutGrant{Grant: directory.Grant{User: s.ana, Project: "beta", Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}, Origin: directory.ByHand, By: "test"}},
	)
	page := s.body(s.in, "/users/"+string(s.ana)+"/access", http.StatusOK)
	if rows := rowsWith(page, "cut-list-pdf"); len(rows) != 1 || !strings.Contains(rows[0], "Beta bridge") {
		t.Errorf("what counts in the second project is %q; want one row of Beta bridge", rows)
	}
	if rows := rowsWith(page, "project.manage"); len(rows) != 1 || !strings.Contains(rows[0], "Alpha tower") {
		t.Errorf("what counts in the first project is %q; want one row of Alpha tower", rows)
	}
}

func TestTheActivityOfARoleSaysWhoWasGivenIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.apply(directory.PutGrant{Grant: directory.Grant{User: s.eve, Role: directory.RoleAuditor, Origin: directory.ByHand, By: "test"}})
	s.policy(strings.Replace(townPolicy, "access: [viewer-3d]}", "access: [viewer-3d], roles: [releaser]}", 1))
	owner := s.signedIn(s.owner)
	for _, tt := range []struct {
		role string
		want []string
	}{
		{"auditor", []string{"Permission granted role auditor eve@example.com"}},
		{"project-admin", []string{
			"Permission granted role project-admin local/Tower crew in project alpha",
			"Permission granted role project-admin boss@example.com in project alpha",
		}},
		{"releaser", []string{"~mappings/engineers"}},
	} {
		page := s.body(owner, "/roles/"+tt.role+"/activity", http.StatusOK)
		for _, want := range tt.want {
			if rows := rowsWith(page, want); len(rows) != 1 {
				t.Errorf("the activity of %s says %q of %q; want one row", tt.role, rowsWith(page, ""), want)
			}
		}
	}
	// None of them is about a Role whose name begins alike, or that is only near.
	if rows := rowsWith(s.body(owner, "/roles/project-viewer/activity", http.StatusOK), "granted"); len(rows) > 0 {
		t.Errorf("a Role that nobody was given has the activity %q", rows)
	}
}

func TestTheActivityOfAConnectionIsNotThatOfOneWhoseKeyBeginsAlike(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.policy(strings.Replace(townPolicy, "integrations: [", "integrations: [{key: aws}, ", 1))
	s.apply(directory.PutGrant{Grant: directory.Grant{
		User: s.eve, Privilege: directory.Privilege{Kind: directory.IntegrationLevel, Key: "aws-prod", Level: directory.Consumer}, Origin: directory.ByHand, By: "test",
	}})
	owner := s.signedIn(s.owner)
	if rows := rowsWith(s.body(owner, "/integrations/aws-prod/activity", http.StatusOK), "integration aws-prod=consumer eve@example.com"); len(rows) != 1 {
		t.Errorf("who was given a level is %q; want one row", rows)
	}
	if rows := rowsWith(s.body(owner, "/integrations/aws/activity", http.StatusOK), "aws-prod"); len(rows) > 0 {
		t.Errorf("the activity of aws tells of another: %q", rows)
	}
}

func TestADayThatIsNoneIsSaidWhereItWasTyped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.signedIn(s.owner)
	for _, path := range []string{"/audit?action=user&", "/runs?result=held&", "/sources/okta/requests?result=failed&"} {
		for _, days := range []string{"from=2026-13-01", "from=x&to=y"} {
			page := s.body(owner, path+days, http.StatusBadRequest)
			if !strings.Contains(page, "is not a day; write days as 2026-03-31") {
				t.Errorf("%s does not say how a day is written", path+days)
			}
			if !strings.Contains(page, " selected>") || !strings.Contains(page, "From: "+days[len("from="):][:1]) {
				t.Errorf("%s lost what was chosen", path+days)
			}
			s.body(owner, path+days+"&format=csv", http.StatusBadRequest)
		}
		if path != "/sources/okta/requests?result=failed&" { // it has no last day
			s.body(owner, path+"from=2026-01-01&to=31.12.2026", http.StatusBadRequest)
		}
		s.body(owner, path+"from=2026-01-01&to=2026-01-31", http.StatusOK)
		s.body(s.in, path+"from=x", http.StatusForbidden)
	}
}

func TestWhoMayNotReadTheAuditLogKeepsNoViewOfIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	view := url.Values{"name": {"Mine"}, "query": {"action=user"}}
	if status, page := s.post(s.in, "/audit/views", view); status != http.StatusForbidden || !strings.Contains(page, "audit.read") {
		t.Errorf("saving a view = %d; want 403, and the right that is missing", status)
	}
	if status, _ := s.post(s.in, "/audit/views/forget", view); status != http.StatusForbidden {
		t.Errorf("forgetting a view = %d; want 403", status)
	}
	s.apply(directory.PutGrant{Grant: directory.Grant{User: s.boss, Role: directory.RoleAuditor, Origin: directory.ByHand, By: "test"}})
	if page := s.body(s.in, "/audit", http.StatusOK); strings.Contains(page, "Mine") {
		t.Error("the view was kept though it was refused")
	}
	if status, _ := s.post(s.in, "/audit/views", view); status != http.StatusSeeOther {
		t.Errorf("saving a view with the right = %d; want 303", status)
	}
	if page := s.body(s.in, "/audit", http.StatusOK); !strings.Contains(page, "Mine") {
		t.Error("the view was not kept")
	}
}

// offered are the addresses that a page leads to, but for its frame.
func offered(page string) (paths []string) {
	_, page, _ = strings.Cut(page, "<main")
	for _, m := range regexp.MustCompile(`href="(/[^"]*)"`).FindAllStringSubmatch(page, -1) {
		paths = append(paths, html.UnescapeString(m[1]))
	}
	return paths
}

func TestWhoAdministersAProjectIsOfferedNothingThatRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.apply(directory.PutGrant{Grant: directory.Grant{Group: s.engineering, Project: "alpha", Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}, Origin: directory.ByHand, By: "test"}})
	for _, path := range []string{
		"/", "/users", "/groups", "/projects", "/roles", "/integrations", "/catalogue", "/roles/project-admin",
		"/users/" + string(s.ana) + "/groups", "/users/" + string(s.ana), "/users/" + string(s.ana) + "/access", "/users/" + string(s.ana) + "/identities",
		"/groups/" + string(s.tower), "/groups/" + string(s.tower) + "/privileges/access", "/groups/" + string(s.engineering), "/projects/alpha",
	} {
		links := offered(s.body(s.in, path, http.StatusOK))
		if len(links) == 0 {
			t.Errorf("%s leads nowhere", path)
		}
		for _, to := range links {
			res, err := s.in.Get(s.url + to)
			must(t, err)
			must(t, res.Body.Close())
			if res.StatusCode >= 400 {
				t.Errorf("%s leads to %s, which answers %d", path, to, res.StatusCode)
			}
		}
	}
}

func TestWhoAdministersAProjectSeesARoleLikeTheAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := s.user("other@example.com")
	s.apply(directory.PutGrant{Grant: directory.Grant{User: other, Project: "beta", Role: directory.RoleProjectAdmin, Origin: directory.ByHand, By: "test"}})
	page := s.body(s.in, "/roles/project-admin", http.StatusOK)
	for _, name := range []string{"Ana Ng", "boss@example.com"} {
		if rows := rowsWith(page, name); len(rows) != 1 {
			t.Errorf("%s is shown in the rows %q; want one", name, rows)
		}
	}
	if strings.Contains(page, "other@example.com") {
		t.Error("who has the Role in another project is shown")
	}
	s.apply(directory.PutGrant{Grant: directory.Grant{User: s.ana, Project: "beta", Role: directory.RoleProjectViewer, Origin: directory.ByHand, By: "test"}})
	if page := s.body(s.in, "/roles/project-viewer", http.StatusOK); strings.Contains(page, "Ana Ng") {
		t.Error("a Role that somebody who is seen has in another project is told")
	}
	if page := s.body(s.in, "/roles/project-admin?q=ana", http.StatusOK); len(rowsWith(page, "Ana Ng")) != 1 || len(rowsWith(page, "boss@example.com")) != 0 {
		t.Error("the search does not narrow the users of a Role")
	}
	if file := s.body(s.in, "/roles/project-admin?format=csv", http.StatusOK); !strings.Contains(file, "Ana Ng") || strings.Contains(file, "other@example.com") {
		t.Errorf("the file of a Role's users is %q", file)
	}
	if page := s.body(s.in, "/roles/owner", http.StatusOK); strings.Contains(page, "olga@example.com") {
		t.Error("an owner outside the project is shown")
	}
}

func TestWhoAdministersAProjectAsksInIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	asks := "/explain?user=" + string(s.ana) + "&what=access+feature%2Fpart-list&project="
	if page := s.body(s.in, asks+"alpha", http.StatusOK); !strings.Contains(page, "Ana Ng may access feature/part-list in Alpha tower") ||
		!strings.Contains(page, "<code>granted</code>") || strings.Contains(page, "Tower crew") {
		t.Error("the page does not answer in the own project, or says why")
	}
	if page := s.body(s.in, strings.Replace(asks, string(s.ana), "eve%40example.com", 1)+"alpha", http.StatusOK); !strings.Contains(page, "no such user in project alpha") {
		t.Error("the page answers about somebody outside the project")
	}
	for _, elsewhere := range []string{asks, asks + "beta", asks + "alpha&at=" + strconv.FormatInt(int64(s.revision()), 10)} {
		if page := s.body(s.in, elsewhere, http.StatusOK); strings.Contains(page, `id="answer"`) || !strings.Contains(page, "Choose one of your projects") {
			t.Errorf("%s is answered, or does not say what may be asked", elsewhere)
		}
	}
	if page := s.body(s.in, "/explain?user="+string(s.ana), http.StatusOK); !strings.Contains(page, `value="alpha" selected`) {
		t.Error("the form does not offer the own project first")
	}
}

func TestOnlyGroupsThatMayBeChangedAreOffered(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	yard := s.group("Yard", "alpha")
	s.apply(directory.AddMembers{Group: s.crew, Source: directory.Local, Values: []string{string(s.ben)}},
		directory.PutGrant{Grant: directory.Grant{Group: s.crew, Project: "alpha", Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}, Origin: directory.ByHand, By: "test"}})
	page := s.body(s.in, "/users/"+string(s.ana)+"/groups", http.StatusOK)
	if !strings.Contains(page, `value="`+string(yard)+`"`) || strings.Contains(page, `value="`+string(s.crew)+`"`) {
		t.Error("the own group is not offered, or one of the organization is")
	}
	if status, _ := s.post(s.in, "/users/"+string(s.ana)+"/join", url.Values{"group": {string(yard)}}); status != http.StatusSeeOther {
		t.Errorf("joining the group that is offered = %d", status)
	}
}

// ofFrame are the addresses of the whole page, menu and all.
func ofFrame(page string) []string { return offered("<main" + page) }

func TestTheFirstPageOffersNothingThatRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.policy(walkPolicy)
	for _, role := range directory.BuiltinRoles() {
		who := h.user(string(role.Name) + "@example.com")
		grant := directory.Grant{User: who, Role: role.Name, Origin: directory.ByHand, By: "test"}
		if strings.HasPrefix(string(role.Name), "project-") {
			grant.Project = "alpha"
		}
		h.apply(directory.PutGrant{Grant: grant})
		client := h.signedIn(who)
		page := h.body(client, "/", http.StatusOK)
		for _, to := range ofFrame(page) {
			if strings.HasPrefix(to, "/static/") || to == "/docs/api" {
				continue
			}
			res, err := client.Get(h.url + to)
			must(t, err)
			must(t, res.Body.Close())
			if res.StatusCode >= 400 {
				t.Errorf("the first page of %s leads to %s, which answers %d", role.Name, to, res.StatusCode)
			}
		}
		for path, right := range map[string]string{"/sources/new?of=scim": "sources.manage", "/users/import": "users.manage", "/users/new": "users.manage"} {
			may := slices.Contains(role.Rights, directory.Right(right))
			if strings.Contains(page, `href="`+path+`"`) != may {
				t.Errorf("the first page of %s, with the right %s %t, offers or lacks %s", role.Name, right, may, path)
			}
			if !may {
				if refusal := h.body(client, path, http.StatusForbidden); !strings.Contains(refusal, right) {
					t.Errorf("%s refuses %s without the right that is needed", path, role.Name)
				}
			}
		}
	}
}
