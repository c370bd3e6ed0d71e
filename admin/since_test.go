package admin_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

// A dated world has a store whose clock goes a day on with each change.
type dated struct {
	*world
	clock time.Time
}

const day = 24 * time.Hour

func newDated(t *testing.T, c store.Config) *dated {
	t.Helper()
	w := &dated{clock: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	c.Now = func() time.Time { return w.clock }
	w.world = newWorldWith(t, c)
	return w
}

// next performs changes a day later, and returns when.
func (w *dated) next(changes ...directory.Change) time.Time {
	w.t.Helper()
	w.clock = w.clock.Add(day)
	w.apply(changes...)
	return w.clock
}

func (w *dated) joins(group directory.GroupID, member string) time.Time {
	w.t.Helper()
	return w.next(directory.AddMembers{Group: group, Source: directory.Local, Values: []string{member}})
}

func (w *dated) leaves(group directory.GroupID, member string) {
	w.t.Helper()
	w.next(directory.RemoveMembers{Group: group, Source: directory.Local, Values: []string{member}})
}

// since is the beginning of each of a user's groups by name.
func (w *dated) since(user directory.UserID) map[string]time.Time {
	w.t.Helper()
	all, err := w.Belongings(w.t.Context(), string(user))
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]time.Time{}
	for _, b := range all {
		out[b.Name] = b.Since
	}
	return out
}

func TestSinceWhenSomebodyIsInAGroup(t *testing.T) {
	w := newDated(t, store.Config{})
	ann := w.user("ann")
	team, unit, firm, side := w.group("Team"), w.group("Unit"), w.group("Firm"), w.group("Side")
	check := func(claim string, want map[string]time.Time) {
		t.Helper()
		got := w.since(ann)
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", claim, got, want)
		}
		for name, at := range want {
			if !got[name].Equal(at) {
				t.Errorf("%s: in %s since %s, want %s", claim, name, got[name], at)
			}
		}
	}
	w.joins(firm, string(unit))
	link := w.joins(unit, string(team))
	joined := w.joins(team, string(ann))
	check("by a young membership under old nesting", map[string]time.Time{"Team": joined, "Unit": joined, "Firm": joined})
	w.leaves(firm, string(unit))
	again := w.joins(firm, string(unit))
	check("by an old membership under young nesting", map[string]time.Time{"Team": joined, "Unit": joined, "Firm": again})
	w.joins(firm, string(side))
	other := w.joins(side, string(ann))
	check("of two ways the one that has held longer", map[string]time.Time{"Team": joined, "Unit": joined, "Side": other, "Firm": again})
	direct := w.joins(firm, string(ann))
	check("directly before nesting", map[string]time.Time{"Team": joined, "Unit": joined, "Side": other, "Firm": direct})
	w.joins(team, string(firm)) // a circle
	check("in a circle", map[string]time.Time{"Team": joined, "Unit": joined, "Side": other, "Firm": direct})
	w.leaves(team, string(ann))
	back := w.joins(team, string(ann))
	check("anew after coming back", map[string]time.Time{"Team": back, "Unit": direct.Add(day), "Side": other, "Firm": direct})
	page, err := w.User(t.Context(), string(ann))
	if err != nil || len(page.Groups) != 3 || !slices.ContainsFunc(page.Groups, func(g admin.UserGroup) bool { return g.Name == "Firm" && g.Since.Equal(direct) }) {
		t.Errorf("User = %+v, %v; want three groups, Firm since %s", page.Groups, err, direct)
	}
	if link.After(joined) {
		t.Fatal("the link must be the older one")
	}
}

func TestMembersSaySinceWhen(t *testing.T) {
	w := newDated(t, store.Config{})
	ann, ben, cleo := w.user("ann"), w.user("ben"), w.user("cleo")
	w.apply(directory.PutSource{Source: directory.Source{Name: "hr", Kind: directory.KindLDAP, State: directory.SourceActive}})
	staff, part := directory.GroupID(directory.NewID()), directory.GroupID(directory.NewID())
	dora, ed := directory.UserID(directory.NewID()), directory.UserID(directory.NewID())
	w.next(
		directory.CreateUser{ID: dora, Source: "hr", Profile: directory.Profile{UserName: "dora", ExternalID: "e-4", Active: true}},
		directory.CreateUser{ID: ed, Source: "hr", Profile: directory.Profile{UserName: "ed", ExternalID: "e-5", Active: true}},
		directory.CreateGroup{ID: staff, Source: "hr", Name: "Staff"}, directory.CreateGroup{ID: part, Source: "hr", Name: "Part"},
	)
	crew := w.group("Crew")
	times := map[string]time.Time{}
	for _, m := range []struct{ name, id string }{{"cleo", string(cleo)}, {"dora", string(dora)}, {"ann", string(ann)}, {"hr/Part", string(part)}, {"ben", string(ben)}} {
		times[m.name] = w.joins(crew, m.id)
	}
	list := func(group directory.GroupID, f admin.MemberFilter) (names []string) {
		t.Helper()
		f.Limit = 2
		total := 0
		for {
			page, err := w.Members(t.Context(), string(group), f)
			if err != nil {
				t.Fatalf("Members(%+v) = %v", f, err)
			}
			total = page.Total
			for _, m := range page.Items {
				names = append(names, m.Name)
				if want := times[m.Name]; !m.Since.Equal(want) {
					t.Errorf("%s since %s, want %s", m.Name, m.Since, want)
				}
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				break
			}
		}
		if total != len(names) {
			t.Errorf("Members(%+v) counts %d and lists %d", f, total, len(names))
		}
		return names
	}
	for _, tt := range []struct {
		claim string
		f     admin.MemberFilter
		want  []string
	}{
		{"by name, groups first", admin.MemberFilter{}, []string{"hr/Part", "ann", "ben", "cleo", "dora"}},
		{"by name", admin.MemberFilter{Sort: "name"}, []string{"hr/Part", "ann", "ben", "cleo", "dora"}},
		{"by name, turned round", admin.MemberFilter{Sort: "-name"}, []string{"dora", "cleo", "ben", "ann", "hr/Part"}},
		{"by when they were added", admin.MemberFilter{Sort: "added"}, []string{"cleo", "dora", "ann", "hr/Part", "ben"}},
		{"the newest first", admin.MemberFilter{Sort: "-added"}, []string{"ben", "hr/Part", "ann", "dora", "cleo"}},
		{"of a source", admin.MemberFilter{Source: "hr"}, []string{"hr/Part", "dora"}},
		{"of a source, the newest first", admin.MemberFilter{Source: directory.Local, Sort: "-added"}, []string{"ben", "ann", "cleo"}},
		{"that a search finds", admin.MemberFilter{Q: "N", Sort: "-name"}, []string{"ben", "ann"}},
	} {
		if got := list(crew, tt.f); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.claim, got, tt.want)
		}
	}
	if _, err := w.Members(t.Context(), string(crew), admin.MemberFilter{Sort: "status"}); admin.ProblemOf(err).Status != 400 {
		t.Errorf("an order that there is not = %v, want 400", err)
	}
	times["dora"] = w.next(directory.AddMembers{Group: staff, Source: "hr", Values: []string{string(dora), "later", "e-9"}})
	times["later"], times["e-9"] = times["dora"], times["dora"]
	times["hr/Part"] = w.next(directory.AddMembers{Group: staff, Source: "hr", Values: []string{string(part)}})
	w.next(directory.AddMembers{Group: staff, Source: "hr", Values: []string{string(dora)}, Via: directory.ViaPrimaryGroup})
	if got, want := list(staff, admin.MemberFilter{}), []string{"hr/Part", "dora", "e-9", "later"}; !slices.Equal(got, want) {
		t.Errorf("who belongs by two edges is one member, and who is pending the last: %v, want %v", got, want)
	}
	if got, want := list(staff, admin.MemberFilter{Sort: "-added"}), []string{"hr/Part", "later", "e-9", "dora"}; !slices.Equal(got, want) {
		t.Errorf("by when they were added: %v, want %v", got, want)
	}
	times["dora"] = w.clock // the older edge ends
	w.apply(directory.RemoveMembers{Group: staff, Source: "hr", Values: []string{string(dora), "later"}})
	if got, want := list(staff, admin.MemberFilter{Sort: "added", Source: "hr"}), []string{"e-9", "hr/Part", "dora"}; !slices.Equal(got, want) {
		t.Errorf("after an edge ended: %v, want %v", got, want)
	}
}

func TestWhatIsOlderThanRecordsIsBefore(t *testing.T) {
	w := newDated(t, store.Config{HistoryKeep: 30 * day, AuditKeep: 40 * day})
	ann, crew := w.user("ann"), w.group("Crew")
	w.joins(crew, string(ann))
	oldest := w.next(directory.SetBlock{User: ann, Blocked: true})
	w.clock = w.clock.Add(40 * day)
	ben := w.user("ben")
	added := w.joins(crew, string(ben))
	w.clock = w.clock.Add(2 * day)
	if err := w.store.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := w.Members(t.Context(), string(crew), admin.MemberFilter{})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("Members = %+v, %v; want ann and ben", page, err)
	}
	if got := page.Items[0]; !got.Since.IsZero() || !got.SinceBefore.Equal(oldest) {
		t.Errorf("ann = %+v, want before %s", got.Began, oldest)
	}
	if got := page.Items[1]; !got.Since.Equal(added) || !got.SinceBefore.IsZero() {
		t.Errorf("ben = %+v, want since %s", got.Began, added)
	}
}

// BenchmarkLargeGroup lists a page of the 50,000 members of a group.
func BenchmarkLargeGroup(b *testing.B) {
	w := newWorld(b)
	const many = 50_000
	crew := w.group("Crew")
	for first := 0; first < many; first += 1000 {
		var made []directory.Change
		var ids []string
		for i := range 1000 {
			id := directory.UserID(directory.NewID())
			made = append(made, directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{
				UserName: fmt.Sprintf("user%06d@example.com", first+i), DisplayName: fmt.Sprintf("Person %06d", first+i), Active: true,
			}})
			ids = append(ids, string(id))
		}
		w.apply(append(made, directory.AddMembers{Group: crew, Source: directory.Local, Values: ids})...)
	}
	if err := w.WarmLists(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, f := range []admin.MemberFilter{{}, {Sort: "-name"}, {Sort: "-added"}, {Q: "0999"}} {
		b.Run(fmt.Sprintf("sort=%s,q=%s", f.Sort, f.Q), func(b *testing.B) {
			for b.Loop() {
				page, err := w.Members(b.Context(), string(crew), f)
				if err != nil || len(page.Items) == 0 {
					b.Fatalf("Members = %+v, %v", page, err)
				}
			}
		})
	}
}
