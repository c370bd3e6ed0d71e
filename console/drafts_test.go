package console_test

import (
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func TestRowI5ADraftIsSavedPreviewedMendedAndApplied(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := s.browse()
	s.enter(b, s.owner)
	t.Run("without any the list says what a draft is", func(t *testing.T) {
		b.open("/mappings")
		b.press("Drafts")
		b.sees("No drafts.")
		b.look("drafts-empty")
	})
	t.Run("the editor of a mapping saves a draft, which gives nothing", func(t *testing.T) {
		b.open("/mappings/new?source=okta&group=Sales")
		b.fill("#name", "sellers")
		b.click(`input[name="g0.access"][value="part-list"]`)
		b.until(`document.querySelector("#preview").innerText.includes("+4.00")`, "the money")
		b.press("Save draft")
		b.sees("Saved in the draft Mapping sellers.")
		b.sees("ben@example.com")
		if may := s.may("ben@example.com"); may {
			t.Error("a draft gave something")
		}
	})
	t.Run("what must hold is judged while somebody types", func(t *testing.T) {
		b.fill("#assertions", "ana@example.com keeps owner")
		b.until(`document.querySelector("#preview").innerText.includes("would not hold owner")`, "the failing assertion")
		b.press("Save draft")
		b.sees("Saved the draft Mapping sellers.")
		b.until(`[...document.querySelectorAll('button[aria-disabled="true"]')].some(e => e.innerText === "Apply")`, "the disabled Apply")
		b.sees("an assertion fails")
		b.look("draft-fails")
	})
	t.Run("the bill lists it with what it costs", func(t *testing.T) {
		b.open("/billing")
		b.sees("Does not hold")
		b.sees("+1 part-list")
		b.sees("+4.00 EUR")
		b.look("billing-drafts")
	})
	t.Run("the list says at once what there is, and then what each would do", func(t *testing.T) {
		if got := body(t, s.signedIn(s.owner), s.url+"/mappings/drafts"); !strings.Contains(got, `aria-busy="true"`) || strings.Contains(got, "4.00 EUR") {
			t.Errorf("the list works out what its drafts would do before it answers: %s", got)
		}
		b.open("/mappings/drafts")
		b.sees("+4.00 EUR")
		b.sees("Does not hold")
		b.until(`!document.querySelector("[aria-busy=true]")`, "no row that still loads")
		b.look("drafts-open")
	})
	t.Run("a row that can't be worked out says so and stays", func(t *testing.T) {
		b.open("/mappings/drafts")
		b.sees("+4.00 EUR")
		broken := eval[string](b, `(() => {
			const row = document.querySelector("tr[data-row]");
			const late = document.createElement("tr");
			for (const [name, value] of Object.entries({"hx-get": "/mappings/drafts/none?plan=x", "hx-trigger": "load", "hx-select": "#late", "hx-swap": "outerMorph",
				"hx-status:4xx": "swap:none", "hx-status:5xx": "swap:none", "aria-busy": "true", id: "late"})) late.setAttribute(name, value);
			const link = document.createElement("a");
			link.href = "/mappings/drafts/none?plan=x";
			late.insertCell().append(link);
			row.after(late);
			htmx.process(late);
			return late.id;
		})()`)
		b.until(`document.querySelector("#`+broken+`")?.innerText.includes("did not work")`, "that it did not work")
	})
	t.Run("the list is searched by what a draft is, not by what is worked out", func(t *testing.T) {
		for q, want := range map[string]string{"work": "No drafts match.", "SELLERS": "1 draft", "mappings/sellers": "1 draft"} {
			if got := body(t, s.signedIn(s.owner), s.url+"/mappings/drafts?q="+q); !strings.Contains(got, want) {
				t.Errorf("searching %q does not say %q: %s", q, want, got)
			}
		}
	})
	t.Run("mended, what would be more than was shown is refused and said", func(t *testing.T) {
		b.open("/mappings/drafts")
		b.press("Mapping sellers")
		b.fill("#assertions", "owner@example.com keeps owner")
		b.until(`document.querySelector("#preview").innerText.includes("holds")`, "the assertion that holds")
		b.press("Save draft")
		b.until(`[...document.querySelectorAll("button.primary")].some(e => e.innerText === "Apply")`, "Apply")
		sales, err := s.Groups(admin.WithPrincipal(t.Context(), root), admin.GroupFilter{Name: "Sales"})
		must(t, err)
		s.apply(directory.AddMembers{Group: sales.Items[0].ID, Source: "okta", Values: []string{string(s.pushed("cyd@example.com", "Cyd"))}})
		b.press("Apply")
		b.sees("It is not applied.")
		b.sees("cyd@example.com would gain access part-list")
		b.look("draft-stale")
	})
	t.Run("applied, it gives what it showed, and the audit log leads to it", func(t *testing.T) {
		b.press("Apply")
		b.sees("Applied the draft Mapping sellers as revision")
		b.look("draft-applied")
		if may := s.may("ben@example.com"); !may {
			t.Error("what was applied gives nothing")
		}
		b.click(".banner a")
		b.sees("draft.applied")
		b.press("Mapping sellers")
		b.sees("It can be read for 90 days.")
		b.open("/mappings/drafts?state=applied")
		b.sees("1 draft")
		b.look("drafts")
	})
}

// may asks whether somebody has access to the part list.
func (s *shop) may(user string) bool {
	s.t.Helper()
	q := admin.Question{User: user, Action: "access"}
	q.Resource.Type, q.Resource.ID = "feature", "part-list"
	a, err := s.Check(admin.WithPrincipal(s.t.Context(), root), q)
	must(s.t, err)
	return a.Decision
}

func TestOfTwoWhoWorkOnADraftNobodyLosesAnything(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ctx := admin.WithPrincipal(t.Context(), root)
	b := s.browse()
	s.enter(b, s.owner)
	t.Run("a price is drafted from the bill", func(t *testing.T) {
		b.open("/billing")
		b.click(`a[href="/mappings/drafts/new?feature=part-list"]`)
		b.until(`document.querySelector("#text").value.includes("monthly: 4.00")`, "the feature as it is")
		text := eval[string](b, `document.querySelector("#text").value`)
		b.fill("#text", strings.Replace(text, "4.00", "6.50", 1))
		b.until(`document.querySelector("#preview").innerText.includes("+2.50")`, "the money")
		b.press("Save draft")
		b.sees("Saved the draft Price of part-list.")
	})
	all, err := s.Drafts(ctx)
	must(t, err)
	d := all[0]
	t.Run("who saves second sees what the first saved beside their own", func(t *testing.T) {
		spec := d.DraftSpec
		spec.Note = "agreed with the board"
		_, err := s.EditDraft(ctx, root, d.ID, spec, d.Version)
		must(t, err)
		b.fill("#note", "mine")
		b.press("Save draft")
		b.sees("somebody changed the draft")
		b.sees("agreed with the board")
		b.look("draft-conflict")
		b.press("Save draft")
		b.sees("Saved the draft")
		b.until(`document.querySelector("#note").value === "mine"`, "what was saved over it")
	})
	t.Run("an item that somebody else changed is shown beside, and kept by a rebase", func(t *testing.T) {
		_, err := s.PutFeature(ctx, root, directory.Feature{Key: "part-list", Title: "Parts", Actions: []string{"edit", "export"}, Seat: &directory.Seat{Monthly: "5.00", Currency: "EUR"}}, admin.Keep, 0)
		must(t, err)
		b.open("/mappings/drafts/" + d.ID)
		b.sees("Somebody else changed features/part-list since")
		b.look("draft-moved")
		b.press("Keep mine over theirs")
		b.sees("The draft is over the policy of now.")
	})
	t.Run("a form edits a mapping of it", func(t *testing.T) {
		b.press("Add a mapping in a form")
		b.fill("#name", "sellers")
		b.choose("#source", "okta")
		b.fill("#value", "Sales")
		b.click(`input[name="g0.access"][value="part-list"]`)
		b.look("draft-mapping")
		b.press("Save in the draft")
		b.sees("Saved in the draft Price of part-list.")
		b.click(`a[href$="/mapping?name=sellers"]`)
		b.until(`document.querySelector("#name").readOnly`, "the name that stays")
	})
	t.Run("discarded it is gone", func(t *testing.T) {
		b.open("/mappings/drafts/" + d.ID)
		eval[bool](b, "(window.confirm = () => true, true)")
		b.press("Discard")
		b.sees("Discarded the draft Price of part-list.")
		b.sees("No drafts.")
	})
}

func TestADraftWorksWithFormsAloneAndOnlyForWhoMayChangeThePolicy(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	owner := s.signedIn(s.owner)
	form := map[string][]string{
		"version": {"0"}, "title": {"<b>Sellers"}, "remove": {"mappings/engineers"}, "assertions": {"at most 5 hold owner\r\n\r\nana@example.com keeps owner"},
	}
	res, err := owner.PostForm(s.url+"/mappings/drafts/save", form)
	must(t, err)
	must(t, res.Body.Close())
	path := res.Header.Get("Location")
	if got := body(t, owner, s.url+path); !strings.Contains(got, "&lt;b&gt;Sellers") || !strings.Contains(got, "tests of the policy fail") || !strings.Contains(got, "− ") {
		t.Errorf("%s is %s", path, got)
	}
	if got := body(t, owner, s.url+path+"/people"); !strings.Contains(got, "ana@example.com,\"access part-list") {
		t.Errorf("the CSV is %s", got)
	}
	if got := body(t, owner, s.url+"/mappings/drafts?format=csv"); !strings.Contains(got, "<b>Sellers,Does not hold,mappings/engineers") {
		t.Errorf("the list as CSV is %s", got)
	}
	if got := body(t, owner, s.url+path+"?show=gain"); strings.Contains(got, ">ana@example.com</bdi></a>") {
		t.Errorf("who only loses is among who gain: %s", got)
	}
	if got := body(t, owner, s.url+path+"?show=lose"); !strings.Contains(got, ">ana@example.com</bdi></a>") {
		t.Errorf("who loses is not told of: %s", got)
	}
	_, err = s.GrantToUser(t.Context(), root, string(s.ana), admin.GrantSpec{Roles: []directory.RoleName{directory.RoleAuditor}})
	must(t, err)
	for role, told := range map[string]bool{"auditor": true, "owner": false} {
		if got := body(t, owner, s.url+path+"?show=lose&role="+role); strings.Contains(got, ">ana@example.com</bdi></a>") != told {
			t.Errorf("of those with the Role %s ana is told of: %v, want %v: %s", role, !told, told, got)
		}
		if got := body(t, owner, s.url+path+"/people?role="+role); strings.Contains(got, "ana@example.com,") != told {
			t.Errorf("the CSV of those with the Role %s is %s", role, got)
		}
	}
	res, err = owner.PostForm(s.url+"/mappings/engineers/draft-deletion", nil)
	must(t, err)
	must(t, res.Body.Close())
	if got := body(t, owner, s.url+res.Header.Get("Location")); !strings.Contains(got, "Without mapping engineers") {
		t.Errorf("a deletion is not drafted: %s", got)
	}
	reader := s.signedIn(s.user("reader@example.com", directory.RoleAuditor))
	for _, at := range []string{"/mappings/drafts", "/mappings/drafts/new", path} {
		res, err := reader.Get(s.url + at)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != 403 {
			t.Errorf("%s without the right: status %d", at, res.StatusCode)
		}
	}
	for _, at := range []string{"/mappings/drafts/save", path + "/apply", path + "/rebase", path + "/discard", "/mappings/drafts/mapping"} {
		res, err := reader.PostForm(s.url+at, form)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != 403 {
			t.Errorf("%s without the right: status %d", at, res.StatusCode)
		}
	}
	if got := body(t, reader, s.url+"/mappings"); strings.Contains(got, "/mappings/drafts") {
		t.Error("drafts are offered to who may not see them")
	}
	if got := body(t, reader, s.url+"/billing"); strings.Contains(got, "Draft a price") {
		t.Error("the bill offers drafts to who may not see them")
	}
}
