package admin_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// renames gives a local user another userName.
func (w *world) renames(id directory.UserID, name string) {
	w.t.Helper()
	w.apply(directory.ReplaceUser{ID: id, Source: directory.Local, Profile: directory.Profile{UserName: name, Active: true}})
}

// told is what each question about the past says of a name: the decision, the
// id, and what is told about the name.
func (w *world) told(ctx context.Context, name string, at directory.Revision) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	e, err := w.Explain(ctx, question(name, "access", "feature", "part-list", fmt.Sprint(at)))
	out["explain"] = fmt.Sprint(e.Answer.Decision, " ", e.User, " ", e.Note, errorText(err))
	if e.Note != "" && !strings.Contains(e.Text, e.Note+"\n") {
		w.t.Errorf("the text lacks %q:\n%s", e.Note, e.Text)
	}
	p, err := w.PermissionsOf(ctx, name, admin.PermissionsQuery{At: fmt.Sprint(at)})
	out["permissions"] = fmt.Sprint(len(p.Access) == 1, " ", p.User, " ", p.Note, errorText(err))
	c, err := w.CompareTimes(ctx, name, fmt.Sprint(at), "")
	out["diff"] = fmt.Sprint(len(c.Second)+len(c.First) == 1, " ", c.One.User, " ", c.Note, errorText(err))
	if c.Note != "" && !strings.HasPrefix(c.Text, c.Note+"\n") {
		w.t.Errorf("the text lacks %q:\n%s", c.Note, c.Text)
	}
	return out
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// wantTold fails unless the questions say what is wanted.
func (w *world) wantTold(claim, name string, at directory.Revision, want map[string]string) {
	w.t.Helper()
	got := w.told(w.t.Context(), name, at)
	for what, text := range want {
		if got[what] != text {
			w.t.Errorf("%s: %s of %s says\n  %q, want\n  %q", claim, what, name, got[what], text)
		}
	}
}

// all is the same of each question.
func all(text string) map[string]string {
	return map[string]string{"explain": text, "permissions": text, "diff": text}
}

// A name means who bears it now, and if nobody does, who bore it then; each
// question about the past does so, and says if it was somebody else's.
func TestNamesOfThePast(t *testing.T) {
	w := newWorld(t)
	w.policy(questionsPolicy)
	ann := w.user("old1")
	w.apply(accessGrant("", ann, "part-list"))
	then := w.revision()
	w.apply(directory.EndGrant{Grant: accessGrant("", ann, "part-list").Grant}) // so that each comparison differs by one
	w.renames(ann, "new1")

	yes := "true " + string(ann) + " "
	w.wantTold("by the name of now", "new1", then, all(yes))
	w.wantTold("by the name of then", "old1", then, all(yes+fmt.Sprintf("Who was old1 at revision %d is new1 now.", then)))
	w.wantTold("by id", string(ann), then, all(yes))

	w.user("old1")
	other := fmt.Sprintf("t revision %d old1 was the name of somebody else, now new1: ask by id %s", then, ann)
	gone := `false  not found: whom "old1" means now was not there then: a` + other
	w.wantTold("a name that is somebody else's now, who was not there then", "old1", then,
		map[string]string{"explain": "false  A" + other + ".", "permissions": gone, "diff": gone})
	w.wantTold("by the name of now", "new1", then, all(yes))

	w.apply(directory.DeleteUser{ID: ann, Source: directory.Local})
	other = fmt.Sprintf("A%s, who is gone: ask by id %s.", strings.TrimSuffix(other[:strings.Index(other, ", now")], "."), ann)
	if e, err := w.Explain(t.Context(), question("old1", "access", "feature", "part-list", fmt.Sprint(then))); err != nil || e.Note != other {
		t.Errorf("of who is gone it says %q, %v; want %q", e.Note, err, other)
	}
	got := w.told(t.Context(), "new1", w.revision()-1)
	if !strings.HasPrefix(got["permissions"], "false "+string(ann)+" ") || !strings.Contains(got["diff"], `whom "new1" meant is gone by now`) {
		t.Errorf("of somebody deleted it says %q", got)
	}
}

// Two who swapped names are each found by the name of now.
func TestSwappedNamesOfThePast(t *testing.T) {
	w := newWorld(t)
	w.policy(questionsPolicy)
	ann, ben := w.user("left"), w.user("right")
	w.apply(accessGrant("", ann, "part-list"))
	then := w.revision()
	w.renames(ann, "middle")
	w.renames(ben, "left")
	w.renames(ann, "right")
	note := fmt.Sprintf("At revision %d left was the name of somebody else, now right: ask by id %s.", then, ann)
	w.wantTold("who had nothing", "left", then, map[string]string{
		"explain": "false " + string(ben) + " " + note, "permissions": "false " + string(ben) + " " + note, "diff": "false " + string(ben) + " " + note,
	})
	note = fmt.Sprintf("At revision %d right was the name of somebody else, now left: ask by id %s.", then, ben)
	w.wantTold("who had something", "right", then, map[string]string{
		"explain": "true " + string(ann) + " " + note, "permissions": "true " + string(ann) + " " + note,
	})
	c, err := w.CompareUsers(t.Context(), "left", "right", fmt.Sprint(then))
	if err != nil || c.One.User != ben || c.Two.User != ann || len(c.Second) != 1 || strings.Count(c.Note, "somebody else") != 2 {
		t.Errorf("CompareUsers = %+v, %v", c, err)
	}

	// Who may ask about themselves alone is not told who it was.
	ctx := admin.WithPrincipal(t.Context(), w.as("left"))
	for what, text := range w.told(ctx, "left", then) {
		if strings.Contains(text, string(ann)) || strings.Contains(text, "now right") || !strings.Contains(text, "was the name of somebody else.") {
			t.Errorf("%s tells somebody without rights: %q", what, text)
		}
	}
	for what, text := range w.told(ctx, "right", then) {
		if !strings.HasPrefix(text, "false  not allowed") {
			t.Errorf("%s answers somebody without rights about another: %q", what, text)
		}
	}
}

// A name that more than one user bears now, or bore then, is not taken for one
// of them without a word.
func TestAmbiguousNamesOfThePast(t *testing.T) {
	w := newWorld(t)
	w.policy(questionsPolicy)
	w.source("corp", `{}`)
	w.source("okta", `{}`)
	kim := w.from("corp", "kim", "team@example.com")
	w.apply(accessGrant("", kim, "part-list"))
	then := w.revision()
	other := w.from("okta", "lee", "team@example.com")
	both := w.revision()
	const name = "email:team@example.com"
	note := fmt.Sprintf("This is about who %s was at revision %d; now it is the name of more than one user.", name, then)
	got := w.told(t.Context(), name, then)
	if want := "true " + string(kim) + " " + note; got["explain"] != want || got["permissions"] != want {
		t.Errorf("of a name that is two people's now it says %q, want %q", got, want)
	}
	if _, err := w.CompareTimes(t.Context(), name, fmt.Sprint(then), ""); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("CompareTimes of two people's name = %v, want it refused", err)
	}
	w.apply(directory.ReplaceUser{ID: other, Source: "okta", Profile: person("lee")})
	note = fmt.Sprintf("At revision %d %s was the name of more than one user.", both, name)
	got = w.told(t.Context(), name, both)
	if want := "true " + string(kim) + " " + note; got["explain"] != want || got["permissions"] != want {
		t.Errorf("of a name that was two people's then it says %q, want %q", got, want)
	}
	e, err := w.Explain(t.Context(), question("lee", "access", "feature", "part-list", fmt.Sprint(then)))
	if err != nil || e.Answer.Decision || !strings.Contains(e.Text, "\nNo - whom \"lee\" means now was not there then.\n") {
		t.Errorf("Explain of somebody not yet there = %v:\n%s", err, e.Text)
	}
	_, err = w.PermissionsOf(t.Context(), "lee", admin.PermissionsQuery{At: fmt.Sprint(then)})
	if !errors.Is(err, directory.ErrNotFound) || !strings.Contains(err.Error(), fmt.Sprintf("was not there at revision %d", then)) {
		t.Errorf("Permissions of somebody not yet there = %v", err)
	}
}
