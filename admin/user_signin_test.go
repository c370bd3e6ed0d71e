package admin_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

const issuer = "https://login.example.com"

func account(subject string) admin.Account { return admin.Account{Issuer: issuer, Subject: subject} }

// bound wants an account to be a user's, or nobody's if that is empty.
func (w *world) bound(what string, of admin.Account, want directory.UserID) {
	w.t.Helper()
	got, err := w.UserOfAccount(w.t.Context(), of)
	if errors.Is(err, directory.ErrNotFound) {
		got, err = "", nil
	}
	if err != nil || got != want {
		w.t.Errorf("%s: the account is of %q, %v; want %q", what, got, err, want)
	}
}

// bind binds an account and returns whose the error says that another is.
func (w *world) bind(of admin.Account, user directory.UserID) directory.UserID {
	w.t.Helper()
	err := w.BindAccount(w.t.Context(), of, user)
	refused, ok := errors.AsType[*admin.BoundError](err)
	if err != nil && !ok {
		w.t.Fatalf("BindAccount(%v, %s) = %v", of, user, err)
	}
	if ok {
		return refused.User
	}
	return ""
}

// noted returns the records of an action.
func (w *world) noted(action string) []directory.AuditRecord {
	w.t.Helper()
	found, err := w.FindAudit(w.t.Context(), admin.AuditQuery{Action: action, Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return found.Items
}

// session keeps a session as the console does.
func (w *world) session(key string, user directory.UserID, via string) {
	w.t.Helper()
	value, err := json.Marshal(admin.Session{User: user, Via: via, Begun: w.now, Seen: w.now})
	if err == nil {
		_, err = w.store.PutKept(w.t.Context(), directory.Kept{Space: admin.SessionSpace, Key: key, Value: value, Expires: w.now.Add(time.Hour)})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// keys lists what is kept in a space.
func (w *world) keys(space string) (keys []string) {
	w.t.Helper()
	records, err := w.store.ListKept(w.t.Context(), space, "", 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range records {
		keys = append(keys, r.Key)
	}
	return keys
}

func TestOneAccountOfAnIssuerIsBoundToAUser(t *testing.T) {
	w := newWorld(t)
	ann, bea := w.user("ann"), w.user("bea")
	one, two := account("hash-1"), account("hash-2")
	w.bound("at first", one, "")
	if by := w.bind(one, ann); by != "" {
		t.Fatalf("the first account is refused as %s", by)
	}
	if by := w.bind(one, ann); by != "" {
		t.Errorf("the same account again is refused as %s", by)
	}
	w.bound("bound", one, ann)
	for range 3 {
		if by := w.bind(two, ann); by != ann {
			t.Errorf("a second account is refused as %q; want %s", by, ann)
		}
	}
	w.bound("refused", two, "")
	if by := w.bind(admin.Account{Issuer: issuer + "/other", Subject: "hash-3"}, ann); by != "" {
		t.Errorf("an account of another issuer is refused as %s", by)
	}
	if by := w.bind(two, bea); by != "" {
		t.Errorf("the account that was refused is refused to another user, as %s", by)
	}
	w.bound("elsewhere", two, bea)
	w.bound("the first still", one, ann)

	records := w.noted("sign-in")
	if len(records) != 1 || records[0].Actor.Kind != directory.ActorSystem || !strings.Contains(string(records[0].Changes), string(ann)) || strings.Contains(string(records[0].Changes), "hash-") {
		t.Errorf("three refusals within an hour are noted as %v; want once, with the user and without an account", records)
	}
	w.now = w.now.Add(time.Hour)
	w.bind(account("hash-4"), ann)
	if n := len(w.noted("sign-in.refused")); n != 2 {
		t.Errorf("an hour later there are %d notes of refusals; want 2", n)
	}
	page, err := w.User(t.Context(), "ann")
	if err != nil || len(page.SignIns) != 2 || page.SignIns[0].Issuer != issuer || !page.SignIns[0].Refused.Equal(w.now.Truncate(time.Millisecond)) || page.SignIns[0].Since.IsZero() {
		t.Errorf("User(ann).SignIns = %+v, %v", page.SignIns, err)
	}
	if text, err := json.Marshal(page); err != nil || strings.Contains(string(text), "hash-") {
		t.Errorf("the page of a user tells an account: %s, %v", text, err)
	}
}

func TestOfAccountsThatComeAtOnceOneIsBound(t *testing.T) {
	w := newWorld(t)
	for round := range 5 {
		user := w.user("user-" + strconv.Itoa(round))
		var wg sync.WaitGroup
		errs := make([]error, 12) // two requests of each of six accounts
		of := func(i int) admin.Account { return account("hash-" + strconv.Itoa(round) + "-" + strconv.Itoa(i/2)) }
		for i := range errs {
			wg.Go(func() { errs[i] = w.BindAccount(t.Context(), of(i), user) })
		}
		wg.Wait()
		winners := map[admin.Account]int{}
		for i, err := range errs {
			if _, refused := errors.AsType[*admin.BoundError](err); err != nil && !refused {
				t.Fatalf("BindAccount = %v", err)
			}
			if err == nil {
				winners[of(i)]++
			}
		}
		if len(winners) != 1 {
			t.Fatalf("of six accounts these were bound: %v; want one", winners)
		}
		for winner, n := range winners {
			w.bound("the winner", winner, user)
			if n != 2 {
				t.Errorf("of two requests of the winner %d succeeded", n)
			}
		}
	}
}

// TestAccountsThatOlderVersionsBound had no record of the user.
func TestAccountsThatOlderVersionsBound(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	value, err := json.Marshal(ann)
	if err != nil {
		t.Fatal(err)
	}
	var first directory.Kept
	for _, key := range []string{"hash-2", "hash-1"} {
		if first, err = w.store.PutKept(t.Context(), directory.Kept{Space: "console-subject", Key: key, Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	w.now = w.now.Add(time.Hour)
	w.bound("the first that comes", account("hash-1"), ann)
	w.bound("again", account("hash-1"), ann)
	_, err = w.UserOfAccount(t.Context(), account("hash-2"))
	if _, refused := errors.AsType[*admin.BoundError](err); !refused {
		t.Errorf("the second that an older version bound = %v; want refused", err)
	}
	page, err := w.User(t.Context(), "ann")
	if err != nil || len(page.SignIns) != 1 || !page.SignIns[0].Since.Equal(first.Modified) {
		t.Errorf("SignIns = %+v, %v; want one since %v", page.SignIns, err, first.Modified)
	}
	out, err := w.ReleaseSignIn(t.Context(), by, "ann")
	if err != nil || out.Accounts != 2 {
		t.Errorf("ReleaseSignIn = %+v, %v; want both accounts", out, err)
	}
	w.bound("released", account("hash-1"), "")
	w.bound("released with it", account("hash-2"), "")
}

func TestAnAccountGoesOnToWhoeverIsTheSamePersonNow(t *testing.T) {
	w := newWorld(t)
	before, one := w.user("ann"), account("hash-1")
	w.bind(one, before)
	w.apply(directory.DeleteUser{ID: before, Source: directory.Local})
	now := w.user("ann")
	if refused := w.bind(one, now); refused != "" {
		t.Fatalf("the account is refused as %s", refused)
	}
	w.bound("made anew", one, now)
	if keys := w.keys("console-signin"); !slices.Equal(keys, []string{string(now) + "/" + issuer}) {
		t.Errorf("bound are %v; want the new user alone", keys)
	}
	if _, err := w.EraseUser(t.Context(), by, string(now)); err != nil {
		t.Fatal(err)
	}
	if left := append(w.keys("console-signin"), w.keys("console-subject")...); len(left) > 0 {
		t.Errorf("of who was erased %v is left", left)
	}
}

func TestReleasingASignIn(t *testing.T) {
	w := newWorld(t)
	ann, bea := w.user("ann"), w.user("bea")
	w.bind(account("hash-1"), ann)
	w.bind(account("hash-b"), bea)
	w.session("1-account", ann, issuer)
	w.session("2-link", ann, admin.ViaLink)
	w.session("3-of-bea", bea, issuer)
	dry, err := w.ReleaseSignIn(admin.WithDryRun(t.Context()), by, "ann")
	if err != nil || dry.Accounts != 1 || dry.Sessions != 1 || dry.Changed || dry.Preview == nil {
		t.Errorf("tried, ReleaseSignIn = %+v, %v", dry, err)
	}
	w.bound("tried", account("hash-1"), ann)

	actor := by
	actor.Reason = "renamed"
	out, err := w.ReleaseSignIn(t.Context(), actor, "ann")
	if err != nil || out.Accounts != 1 || out.Sessions != 1 || !out.Changed || out.Note == "" {
		t.Errorf("ReleaseSignIn = %+v, %v", out, err)
	}
	w.bound("released", account("hash-1"), "")
	w.bound("not asked for", account("hash-b"), bea)
	if got := w.keys(admin.SessionSpace); !slices.Equal(got, []string{"2-link", "3-of-bea"}) {
		t.Errorf("sessions %v go on; want that by the link and that of somebody else", got)
	}
	records := w.noted("sign-in.released")
	if len(records) != 1 || records[0].Actor.Reason != "renamed" || !strings.Contains(string(records[0].Changes), string(ann)) ||
		!strings.Contains(string(records[0].Changes), issuer) || strings.Contains(string(records[0].Changes), "hash-1") {
		t.Errorf("noted is %v", records)
	}
	if refused := w.bind(account("hash-2"), ann); refused != "" {
		t.Errorf("after the release another account is refused as %s", refused)
	}
	w.bound("the one before", account("hash-1"), "")
	if refused := w.bind(account("hash-1"), ann); refused != ann {
		t.Error("the account of before is bound beside the new one")
	}
	if out, err := w.ReleaseSignIn(t.Context(), by, "nobody"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("of somebody unknown, ReleaseSignIn = %+v, %v", out, err)
	}
	w.user("cleo")
	out, err = w.ReleaseSignIn(t.Context(), by, "cleo")
	if err != nil || out.Changed || out.Accounts != 0 || out.Stamp == "" || out.Note == "" {
		t.Errorf("of somebody who is not bound, ReleaseSignIn = %+v, %v", out, err)
	}
}

// TestAReleaseThatWasCutShort holds that an account of which half is forgotten
// signs nobody in by what was.
func TestAReleaseThatWasCutShort(t *testing.T) {
	w := newWorld(t)
	ann, one := w.user("ann"), account("hash-1")
	w.bind(one, ann)
	if err := w.store.DropKept(t.Context(), "console-signin", string(ann)+"/"+issuer); err != nil {
		t.Fatal(err)
	}
	w.bound("without the record of the user", one, "")
	w.bind(one, ann)
	if err := w.store.DropKept(t.Context(), "console-subject", one.Subject); err != nil {
		t.Fatal(err)
	}
	w.bound("without the record of the account", one, "")
	if refused := w.bind(account("hash-2"), ann); refused != ann {
		t.Error("without the record of the account another one is bound")
	}
	if out, err := w.ReleaseSignIn(t.Context(), by, "ann"); err != nil || out.Accounts != 1 {
		t.Errorf("ReleaseSignIn = %+v, %v", out, err)
	}
	if refused := w.bind(account("hash-2"), ann); refused != "" {
		t.Error("released again, another one is refused")
	}
	if err := w.store.DropKept(t.Context(), "console-signin", string(ann)+"/"+issuer); err != nil {
		t.Fatal(err)
	}
	w.bind(account("hash-3"), ann)
	w.bound("beside the account that came after", account("hash-2"), "")
}

func TestAReleaseThatLeftSessionsIsFinishedByAnother(t *testing.T) {
	w := newWorld(t)
	w.session("1", w.user("ann"), issuer)
	if out, err := w.ReleaseSignIn(t.Context(), by, "ann"); err != nil || out.Sessions != 1 || !out.Changed {
		t.Errorf("ReleaseSignIn = %+v, %v", out, err)
	}
	if left := w.keys(admin.SessionSpace); len(left) > 0 {
		t.Errorf("sessions %v are left", left)
	}
}

func TestNobodyReleasesWhoIsAboveThem(t *testing.T) {
	w := newWorld(t)
	w.policy("roles: [{name: clerk, rights: [directory.read, users.manage]}]\n")
	boss, ann := w.user("boss"), w.user("ann")
	w.grantUser("boss", admin.GrantSpec{Roles: []directory.RoleName{"owner"}})
	w.user("clerk")
	w.grantUser("clerk", admin.GrantSpec{Roles: []directory.RoleName{"clerk"}})
	w.user("operator")
	w.grantUser("operator", admin.GrantSpec{Roles: []directory.RoleName{"operator"}})
	w.bind(account("hash-1"), boss)
	w.bind(account("hash-2"), ann)
	clerk, operator := w.as("clerk"), w.as("operator")
	_, err := w.ReleaseSignIn(t.Context(), clerk, "boss")
	wantErr(t, "releasing who owns the organization", err, admin.ErrForbidden)
	w.bound("refused", account("hash-1"), boss)
	_, err = w.ReleaseSignIn(t.Context(), operator, "ann")
	wantErr(t, "releasing by who may only block", err, admin.ErrForbidden)
	for who, want := range map[string]int{"boss": 0, "ann": 1} {
		page, err := w.User(admin.WithPrincipal(t.Context(), clerk), who)
		if err != nil || len(page.SignIns) != want {
			t.Errorf("the clerk is shown %d accounts of %s, %v; want %d", len(page.SignIns), who, err, want)
		}
	}
	_, err = w.ReleaseSignIn(t.Context(), clerk, "ann")
	wantErr(t, "releasing somebody", err, nil)
	w.bound("released", account("hash-2"), "")
}
