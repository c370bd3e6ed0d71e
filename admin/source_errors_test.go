package admin_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// TestErrorsOfADirectory: an entry is told of for as long as complete reads say
// so, with the time since when; runs that read nothing are told of until one
// succeeds.
func TestErrorsOfADirectory(t *testing.T) {
	w := newWorld(t)
	w.apply(directory.PutSource{Source: directory.Source{Name: "corp", Kind: directory.KindLDAP, State: directory.SourceActive}})
	begun := w.now.UTC()
	kim := admin.SourceError{ID: "e1", Kind: "user", Object: "kim", Attribute: "userName", Message: "taken"}
	lee := admin.SourceError{ID: "e2", Kind: "user", Object: "cn=lee", Attribute: "userName", Message: "no usable userName"}
	note := func(complete bool, found ...admin.SourceError) {
		t.Helper()
		if err := w.NoteErrors(t.Context(), "corp", found, complete); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Hour)
	}
	want := func(what string, ids ...string) []admin.SourceError {
		t.Helper()
		got, err := w.SourceErrors(t.Context(), "corp")
		if err != nil || len(got) != len(ids) {
			t.Fatalf("%s: %+v, %v; want %q", what, got, err, ids)
		}
		for i, id := range ids {
			if got[i].ID != id {
				t.Errorf("%s: number %d is %+v, want %s", what, i, got[i], id)
			}
		}
		return got
	}
	note(true, kim)
	note(true, kim, lee)
	all := want("seen again", "e1", "e2")
	if e := all[0]; e.Count != 2 || !e.First.Equal(begun) || !e.Last.Equal(begun.Add(time.Hour)) || e.Retry != admin.RetryRun {
		t.Errorf("seen twice: %+v", e)
	}
	note(false, lee)
	want("a read of what changed ends nothing", "e2", "e1")
	note(true, lee)
	want("mended", "e2")

	run := func(id string, result directory.RunResult) {
		w.now = w.now.Add(time.Hour)
		if err := w.store.PutRun(t.Context(), directory.Run{ID: id, Source: "corp", Started: w.now, Result: result, Message: "unreachable"}); err != nil {
			t.Fatal(err)
		}
	}
	run("r1", directory.RunApplied)
	run("r2", directory.RunIncomplete)
	run("r3", directory.RunFailed)
	if e := want("unreachable", "r3", "e2")[0]; e.Count != 2 || e.Kind != admin.ErrorOfRun || !e.First.Equal(w.now.Add(-time.Hour).Truncate(time.Millisecond)) && !e.First.Equal(w.now.Add(-time.Hour)) {
		t.Errorf("two runs that read nothing: %+v", e)
	}
	run("r4", directory.RunUnchanged)
	want("reachable again", "e2")
	note(true)
	want("all is well")
}

// TestErrorsOfAProvider: what was refused, until it succeeds.
func TestErrorsOfAProvider(t *testing.T) {
	w := newWorld(t)
	if _, err := w.AddSource(t.Context(), by, admin.NewSource{Name: "okta", Kind: directory.KindSCIM}); err != nil {
		t.Fatal(err)
	}
	n := 0
	log := func(method, path string, status int, detail, body string) {
		t.Helper()
		n++
		err := w.store.LogRequests(t.Context(), directory.Request{
			ID: string(rune('a' + n)), Source: "okta", Time: w.now.Add(time.Duration(n) * time.Second), Method: method, Path: "/scim/okta/v2" + path, Status: status,
			Detail: detail, Body: []byte(body),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	log(http.MethodGet, "/Users/1", 404, "User not found", "")
	log(http.MethodPost, "/Users", 400, `attribute "userName" must be a string`, `{"displayName":"Kim"}`)
	log(http.MethodPost, "/Users", 400, `attribute "userName" must be a string`, `{"displayName":"Kim"}`)
	log(http.MethodPost, "/Users", 409, "taken", `{"userName":"lee"}`)
	log(http.MethodPatch, "/Users/2", 400, "no path", `{}`)
	log(http.MethodPost, "/Users", 201, "", `{"userName":"Lee"}`)
	got, err := w.SourceErrors(t.Context(), "okta")
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v; want those of Kim and of /Users/2", got, err)
	}
	if e := got[0]; e.Object != "PATCH /Users/2" || e.Message != "no path" || e.Retry != admin.RetryReplay {
		t.Errorf("the last: %+v", e)
	}
	if e := got[1]; e.Object != "POST /Users Kim" || e.Attribute != "userName" || e.Count != 2 || !e.First.Before(e.Last) || e.ID != "d" {
		t.Errorf("refused twice: %+v", e)
	}
	log(http.MethodPut, "/Users/2", 200, "", `{}`)
	log(http.MethodPost, "/Users", 201, "", `{"displayName":"kim"}`)
	if got, err := w.SourceErrors(t.Context(), "okta"); err != nil || len(got) != 0 {
		t.Errorf("all done: %+v, %v", got, err)
	}
	wantErr(t, "of nobody", second(w.SourceErrors(t.Context(), "nosuch")), directory.ErrNotFound)
}
