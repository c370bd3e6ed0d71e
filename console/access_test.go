package console_test

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A shop is a house with a catalogue, people in groups of a directory, and
// mappings.
type shop struct {
	*house
	owner, ana, ben directory.UserID
	engineers       directory.GroupID
}

const shopPolicy = `projects: [{key: alpha, title: Alpha tower}]
features:
  - {key: part-list, title: Part list, actions: [edit, export], seat: {monthly: 4.00, currency: EUR}}
  - {key: reports, title: Reports, actions: [edit], seat: {monthly: 10.00, currency: USD}}
  - {key: help, title: Help}
outputs: [{key: cut-list-pdf, title: Cut list (PDF), feature: part-list}]
integrations: [{key: aws-prod, title: AWS production}, {key: github, title: GitHub}]
resources: {record: {actions: [read, write], ids: [record-1]}}
roles:
  - {name: releaser, title: Releaser, rights: [integrations.use_all], role: ["record:*:read"]}
mappings:
  - name: engineers
    when: {source: okta, group: {name: Engineering}}
    grant:
      - {roles: [releaser], access: [part-list]}
tests:
  - {as: {groups: [okta/Engineering]}, can: ["access feature/part-list"], cannot: ["manage integration/aws-prod"]}
`

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{house: newHouse(t)}
	s.owner = s.user("owner@example.com", directory.RoleOwner)
	_, err := s.AddSource(admin.WithPrincipal(t.Context(), root), root, admin.NewSource{Name: "okta", Kind: directory.KindSCIM})
	must(t, err)
	s.policy(shopPolicy)
	s.ana, s.ben = s.pushed("ana@example.com", "Ana Pérez"), s.pushed("ben@example.com", "Ben Ode")
	s.engineers = s.grouped("Engineering", s.ana)
	s.grouped("Sales", s.ben)
	return s
}

// pushed makes a user as an identity provider does.
func (s *shop) pushed(name, display string) directory.UserID {
	s.t.Helper()
	id := directory.UserID(directory.NewID())
	s.apply(directory.CreateUser{ID: id, Source: "okta", Profile: directory.Profile{UserName: name, DisplayName: display, ExternalID: "x-" + name, Active: true}})
	return id
}

// grouped makes a group as an identity provider does.
func (s *shop) grouped(name string, members ...directory.UserID) directory.GroupID {
	s.t.Helper()
	id := directory.GroupID(directory.NewID())
	s.apply(directory.CreateGroup{ID: id, Source: "okta", Name: name, ExternalID: "g-" + name})
	for _, m := range members {
		s.apply(directory.AddMembers{Group: id, Source: "okta", Values: []string{string(m)}})
	}
	return id
}

func TestExplainShowsThePathsOfAnAnswer(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := s.browse()
	s.enter(b, s.owner)
	t.Run("a person and a thing are found by typing", func(t *testing.T) {
		b.open("/explain")
		b.fill("#user", "pér")
		b.until(`[...document.querySelectorAll("#people option")].some(o => o.value === "ana@example.com")`, "Ana to be offered")
		b.fill("#what", "part")
		b.until(`[...document.querySelectorAll("#things option")].some(o => o.value === "edit feature/part-list")`, "the feature to be offered")
	})
	t.Run("a yes marks the winning path", func(t *testing.T) {
		b.fill("#user", "ana@example.com")
		b.fill("#what", "access feature/part-list")
		b.click("form.ask button.primary")
		b.sees("Ana Pérez may access part-list")
		b.until(`document.querySelector(".chain.wins").innerText.includes("Engineering") && document.querySelector(".chain.wins").innerText.includes("SCIM: okta") && document.querySelector(".chain.wins").innerText.includes("engineers")`, "the winning path")
		b.sees("same as the store")
		b.look("explain-yes")
		b.press("Purge from the cache")
		b.sees("read from the store just now")
	})
	t.Run("a no says who can change it, and how", func(t *testing.T) {
		b.open("/explain?user=ben%40example.com&what=access+feature%2Fpart-list")
		b.sees("Ben Ode may not access part-list")
		b.sees("usherd user grant ben@example.com")
		b.sees("grants.manage")
		b.look("explain-no")
	})
	t.Run("somebody unknown is said, with who may be meant", func(t *testing.T) {
		b.open("/explain?user=nobody%40example.com&what=access+feature%2Fpart-list")
		b.sees("nobody living has that name")
	})
	t.Run("what can't be read is said beside the form", func(t *testing.T) {
		b.open("/explain?user=ana%40example.com&what=access+feature%2Fpart-list&at=tomorrow")
		b.sees("is neither a revision")
		b.until(`document.querySelector("#at").value === "tomorrow"`, "what was typed")
	})
}

func TestExplainAnswersOfThePastAndAsJSON(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	before := s.revision()
	s.policy("mappings: []\ntests: []\n")
	client := s.signedIn(s.owner)
	for name, c := range map[string]struct{ at, want string }{
		"now it is a no":                       {"", "may not access part-list"},
		"before the mapping went it was a yes": {strconv.FormatInt(int64(before), 10), "may access part-list"},
	} {
		t.Run(name, func(t *testing.T) {
			q := url.Values{"user": {"ana@example.com"}, "what": {"access feature/part-list"}, "at": {c.at}}
			for _, format := range []string{"", "json"} {
				q.Set("format", format)
				res, err := client.Get(s.url + "/explain?" + q.Encode())
				must(t, err)
				body, err := io.ReadAll(res.Body)
				must(t, err)
				must(t, res.Body.Close())
				if !strings.Contains(string(body), c.want) {
					t.Errorf("explain as %q does not say %q: %s", format, c.want, body)
				}
				if format == "json" && res.Header.Get("Content-Type") != "application/json" {
					t.Errorf("JSON is sent as %s", res.Header.Get("Content-Type"))
				}
			}
		})
	}
}

// body is what a page says.
func body(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	res, err := client.Get(url)
	must(t, err)
	text, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, res.Body.Close())
	return string(text)
}
