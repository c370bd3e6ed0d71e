package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/usherd/usherd/directory"
)

var historyCases = []testCase{
	{"the empty store has the zero stamp", testEmptyHead},
	{"Head knows every point of its history and no other", testHeadKnows},
	{"Stretch continues a history, at most limit records", testStretch},
	{"Stretch has the facts of its last record", testStretchFacts},
	{"Stretch refuses a stamp of another history", testStretchLost},
	{"Recent is the end of the feed with the facts there", testRecent},
	{"every past revision can be read as it was", testPastIsKept},
	{"a revision that never was is lost", testFutureFacts},
	{"a policy has one revision, that of its last change", testPolicyRevision},
	{"facts and stretches are of one single revision", testFactsAreOneRevision},
	{"a reader that is cancelled harms nobody", testCancelledReader},
	{"what is read shares no memory", testSharesNoMemory},
}

func testEmptyHead(t *testing.T, s directory.Store) {
	h, err := s.Head(t.Context(), directory.Stamp{})
	if want := (directory.Head{Known: true}); err != nil || h != want {
		t.Errorf("Head = %+v, %v; want %+v", h, err, want)
	}
	facts, records, err := s.Recent(t.Context(), 10)
	if err != nil || len(records) != 0 || facts.At != (directory.Stamp{}) || len(facts.Groups) != 0 {
		t.Errorf("Recent = %+v, %v, %v; want nothing at the zero stamp", facts, records, err)
	}
	if len(facts.Policy.Sources) != 1 || facts.Policy.Sources[0].Name != directory.Local {
		t.Errorf("Recent has the sources %+v, want local alone", facts.Policy.Sources)
	}
	st, err := s.Stretch(t.Context(), directory.Stamp{}, 10)
	if err != nil || len(st.Records) != 0 || st.Head != (directory.Stamp{}) {
		t.Errorf("Stretch = %+v, %v; want nothing", st, err)
	}
}

func testHeadKnows(t *testing.T, s directory.Store) {
	f := fill(t, s)
	stamps := []directory.Stamp{{}, f.head()}
	for _, name := range []string{"ann", "bob", "cid"} {
		f.user(okta, name)
		stamps = append(stamps, f.head())
	}
	last := stamps[len(stamps)-1]
	for i, mine := range stamps {
		if mine.Revision != directory.Revision(i) {
			t.Errorf("stamp %d has revision %d: revisions are dense", i, mine.Revision)
		}
		h, err := s.Head(t.Context(), mine)
		if err != nil || !h.Known || h.Stamp != last {
			t.Errorf("Head(%s) = %+v, %v; want %s, known", mine, h, err, last)
		}
		other := directory.Stamp{Revision: mine.Revision, Fingerprint: mine.Fingerprint + 1}
		if h, err = s.Head(t.Context(), other); err != nil || h.Known || h.Stamp != last {
			t.Errorf("Head(%s) = %+v, %v; want %s, unknown", other, h, err, last)
		}
	}
	future := directory.Stamp{Revision: last.Revision + 1, Fingerprint: last.Fingerprint}
	if h, err := s.Head(t.Context(), future); err != nil || h.Known {
		t.Errorf("Head(%s) = %+v, %v; want unknown", future, h, err)
	}
}

func testStretch(t *testing.T, s directory.Store) {
	f := fill(t, s)
	since := f.head()
	ann := f.user(okta, "ann", "Ann@Corp.test")
	bob := f.user(okta, "bob")
	st, err := s.Stretch(t.Context(), since, 1)
	if err != nil || len(st.Records) != 1 || st.Head != f.head() {
		t.Fatalf("Stretch(%s, 1) = %+v, %v; want one record and the head %s", since, st, err, f.head())
	}
	r := st.Records[0]
	if r.Stamp.Revision != since.Revision+1 || r.Policy || r.Time.IsZero() {
		t.Errorf("record = %+v, want revision %d without policy", r, since.Revision+1)
	}
	for _, k := range []directory.SubjectKey{byID(ann), byName("ann"), byEmail("ann@corp.test"), byExternal(okta, "x-ann")} {
		if !slices.Contains(r.Keys, k) {
			t.Errorf("record of ann's creation has keys %v, which lack %s", r.Keys, k)
		}
	}
	st, err = s.Stretch(t.Context(), r.Stamp, 10)
	if err != nil || len(st.Records) != 1 || st.Records[0].Stamp != f.head() || !slices.Contains(st.Records[0].Keys, byID(bob)) {
		t.Errorf("Stretch(%s, 10) = %+v, %v; want the record of bob", r.Stamp, st, err)
	}
	st, err = s.Stretch(t.Context(), f.head(), 10)
	if err != nil || len(st.Records) != 0 || st.Head != f.head() {
		t.Errorf("Stretch of the head = %+v, %v; want no records", st, err)
	}
}

func testStretchFacts(t *testing.T, s directory.Store) {
	f := fill(t, s)
	gone := f.group(okta, "gone")
	since := f.head()
	goneNum := f.num(gone)
	eng := f.group(okta, "eng")
	all := f.group(okta, "all")
	f.apply(directory.AddMembers{Group: all, Source: okta, Values: []string{string(eng)}},
		directory.PutGrant{Grant: directory.Grant{Group: eng, Role: "viewer", Origin: directory.ByHand}})
	f.apply(directory.DeleteGroup{ID: gone, Source: okta})
	at := f.head()
	later := "later"
	f.apply(directory.UpdateGroup{ID: eng, Source: okta, Name: &later})

	st, err := s.Stretch(t.Context(), since, int(at.Revision-since.Revision))
	if err != nil {
		t.Fatal(err)
	}
	if last := st.Records[len(st.Records)-1].Stamp; last != at {
		t.Fatalf("the last record is %s, want %s", last, at)
	}
	if st.Policy != nil {
		t.Errorf("Stretch without a change of policy has policy %+v", st.Policy)
	}
	if want := []directory.GroupNum{goneNum}; !slices.Equal(st.Ended, want) {
		t.Errorf("Ended = %v, want %v", st.Ended, want)
	}
	want := slices.DeleteFunc(f.facts(at.Revision).Groups, func(g directory.GroupFacts) bool { return g.ID != eng && g.ID != all })
	if d := diff(want, st.Groups); d != "" {
		t.Errorf("groups of the stretch differ from the facts at %s (-facts +stretch):\n%s", at, d)
	}
	if len(want) != 2 || want[0].Name != "eng" || !slices.Equal(want[0].Parents, []directory.GroupNum{f.num(all)}) || len(want[0].Grants) != 1 {
		t.Errorf("facts of eng at %s = %+v, want its old name, one parent and one grant", at, want)
	}
}

func testStretchLost(t *testing.T, s directory.Store) {
	f := fill(t, s)
	f.user(okta, "ann")
	head := f.head()
	for _, since := range []directory.Stamp{
		{Revision: head.Revision, Fingerprint: head.Fingerprint + 1},
		{Revision: head.Revision - 1, Fingerprint: head.Fingerprint},
		{Revision: head.Revision + 1, Fingerprint: head.Fingerprint},
		{Revision: 0, Fingerprint: 1},
		{Revision: -1},
	} {
		if st, err := s.Stretch(t.Context(), since, 10); !errors.Is(err, directory.ErrHistoryLost) {
			t.Errorf("Stretch(%s) = %+v, %v; want ErrHistoryLost", since, st, err)
		}
	}
}

func testRecent(t *testing.T, s directory.Store) {
	f := fill(t, s)
	for _, name := range []string{"ann", "bob", "cid"} {
		f.user(okta, name)
	}
	f.group(okta, "eng")
	head := f.head()
	facts, records, err := s.Recent(t.Context(), 2)
	if err != nil || len(records) != 2 || records[1].Stamp != head || records[0].Stamp.Revision != head.Revision-1 {
		t.Fatalf("Recent(2) = %+v, %v; want two records up to %s", records, err, head)
	}
	if d := diff(f.facts(0), facts); d != "" || facts.At != head {
		t.Errorf("facts of Recent at %s differ from Facts(0) (-facts +recent):\n%s", facts.At, d)
	}
	if _, records, err = s.Recent(t.Context(), 100); err != nil || len(records) != int(head.Revision) {
		t.Errorf("Recent(100) = %d records, %v; want all %d", len(records), err, head.Revision)
	}
}

// testPastIsKept changes everything that decides, keeps what was read after
// each step, and reads it all again from the end.
func testPastIsKept(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, bob := f.user(okta, "ann", "ann@corp.test"), f.user(corp, "bob")
	eng, all, local := f.group(okta, "eng", ann), f.group(okta, "all"), f.group(directory.Local, "ours", ann, bob)
	keys := []directory.SubjectKey{
		byID(ann), byID(bob), byName("ann"), byName("anna"), byName("bob"),
		byEmail("ann@corp.test"), byExternal(okta, "x-ann"), byExternal(corp, "x-bob"), byID("nobody"),
	}
	type seen struct {
		facts    directory.Facts
		subjects []directory.Subject
	}
	var history []seen
	look := func() {
		now := seen{facts: f.facts(0)}
		for _, k := range keys {
			now.subjects = append(now.subjects, f.subject(k, directory.Stamp{}))
		}
		history = append(history, now)
	}
	look()
	for _, step := range pastSteps(ann, bob, eng, all, local) {
		f.apply(step...)
		look()
	}
	for _, was := range history {
		facts := f.facts(was.facts.At.Revision)
		facts.Policy.Tokens, was.facts.Policy.Tokens = nil, nil // tokens have no history
		for i := range facts.Policy.Sources {                   // nor does when a source was altered
			facts.Policy.Sources[i].Modified = was.facts.Policy.Sources[i].Modified
		}
		if d := diff(was.facts, facts); d != "" {
			t.Errorf("facts of %s read later differ (-then +now):\n%s", was.facts.At, d)
		}
		for i, k := range keys {
			if d := diff(was.subjects[i], f.subject(k, was.facts.At)); d != "" {
				t.Errorf("subject %s as of %s read later differs (-then +now):\n%s", k, was.facts.At, d)
			}
		}
	}
}

func pastSteps(ann, bob directory.UserID, eng, all, local directory.GroupID) [][]directory.Change {
	renamed, inactive, group := profile("anna", "ann@corp.test"), profile("anna"), "engineering"
	renamed.ExternalID, inactive.Active = "x-ann", false
	return [][]directory.Change{
		{directory.AddMembers{Group: all, Source: okta, Values: []string{string(eng), "not-yet-known"}}},
		{directory.SetPolicy{Policy: directory.Policy{
			Projects: []directory.Project{{Key: "alpha", Title: "Alpha"}},
			Features: []directory.Feature{{Key: "part-list", Actions: []string{"edit"}}},
			Mappings: []directory.Mapping{{
				Name: "engineers", When: directory.Selector{Source: okta, ID: "x-eng"},
				Grants: []directory.GrantSet{{Roles: []directory.RoleName{"viewer"}}},
			}},
			Tests: "- {as: {groups: []}}\n",
		}, Sections: []directory.Section{directory.SectionProjects, directory.SectionFeatures, directory.SectionMappings, directory.SectionTests}}},
		{directory.PutGrant{Grant: directory.Grant{User: ann, Role: "viewer", Origin: directory.ByHand}}},
		{directory.PutGrant{Grant: directory.Grant{
			Group: eng, Project: "alpha", Origin: directory.ByHand,
			Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"},
		}}},
		{directory.ReplaceUser{ID: ann, Source: okta, Profile: renamed}},
		{directory.SetBlock{User: bob, Blocked: true, Reason: "left"}},
		{directory.SetGroupStatus{Group: eng, Status: directory.GroupBlocked}},
		{directory.SetGroupScope{Group: local, Project: "alpha"}},
		{directory.UpdateGroup{ID: eng, Source: okta, Name: &group}},
		{directory.SetPresence{ID: bob, Source: corp, Presence: directory.Gone}},
		{directory.SetOverride{User: ann, Project: "alpha", Reason: "asked", Grants: []directory.GrantSet{{
			Privileges: []directory.Privilege{{Kind: directory.Access, Key: "part-list"}},
		}}}},
		{directory.SetSourceState{Source: corp, State: directory.SourceDisabled}},
		{directory.EndOverride{User: ann, Project: "alpha"}},
		{directory.EndGrant{Grant: directory.Grant{User: ann, Role: "viewer"}}},
		{directory.RemoveMembers{Group: eng, Source: okta, Values: []string{string(ann)}}},
		{directory.ReplaceUser{ID: ann, Source: okta, Profile: inactive}},
		{directory.DeleteGroup{ID: all, Source: okta}},
		{directory.SetPolicy{Sections: []directory.Section{directory.SectionMappings}}},
		{directory.DeleteUser{ID: ann, Source: okta}},
	}
}

func testFutureFacts(t *testing.T, s directory.Store) {
	head := fill(t, s).head()
	for _, at := range []directory.Revision{head.Revision + 1, -1} {
		if facts, err := s.Facts(t.Context(), at); !errors.Is(err, directory.ErrHistoryLost) {
			t.Errorf("Facts(%d) at head %d = %+v, %v; want ErrHistoryLost", at, head.Revision, facts.At, err)
		}
	}
}

func testPolicyRevision(t *testing.T, s directory.Store) {
	f := fill(t, s)
	set := func(title string) directory.Revision {
		return f.apply(directory.SetPolicy{
			Policy:   directory.Policy{Outputs: []directory.Output{{Key: "pdf", Title: title}}},
			Sections: []directory.Section{directory.SectionOutputs},
		}).Revision
	}
	first := set("One")
	f.user(okta, "ann")
	between := f.head()
	second := set("Two")
	f.user(okta, "bob")
	for at, want := range map[directory.Revision]directory.Revision{first: first, between.Revision: first, second: second, 0: second} {
		if got := f.facts(at).Policy.Revision; got != want {
			t.Errorf("Facts(%d).Policy.Revision = %d, want %d", at, got, want)
		}
	}
	p, err := s.Policy(t.Context())
	if err != nil || p.Revision != second || p.Policy.Outputs[0].Title != "Two" {
		t.Errorf("Policy = %+v, %v; want Two of %d", p, err, second)
	}
	st, err := s.Stretch(t.Context(), between, 1)
	if err != nil || st.Policy == nil || st.Policy.Revision != second {
		t.Errorf("Stretch over the change = %+v, %v; want the policy of %d", st.Policy, err, second)
	}
}

func testSharesNoMemory(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann", "ann@corp.test")
	f.group(okta, "eng", ann)
	facts, sub := f.facts(0), f.subject(byID(ann), directory.Stamp{})
	facts.Groups[0].Name, facts.Policy.Sources[0].Name = "spoilt", "spoilt"
	sub.Memberships[0].Group, sub.Sources[0] = 99, "spoilt"
	if again := f.facts(0); again.Groups[0].Name != "eng" || again.Policy.Sources[0].Name == "spoilt" {
		t.Errorf("Facts after spoiling an earlier answer = %+v", again)
	}
	if again := f.subject(byID(ann), directory.Stamp{}); again.Memberships[0].Group == 99 || again.Sources[0] == "spoilt" {
		t.Errorf("Subject after spoiling an earlier answer = %+v", again)
	}
}

// testFactsAreOneRevision adds a group, its grant and its nesting at once,
// while others read: nobody may see a part, and a follower that applies
// stretches must always have what Facts has.
func testFactsAreOneRevision(t *testing.T, s directory.Store) {
	f := fill(t, s)
	all := f.group(okta, "all")
	done := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() { readWhole(t, s, done) })
	readers.Go(func() { followAlong(t, s, done) })
	for i := range 12 {
		g := directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: okta, Name: fmt.Sprint("group ", i)}
		f.apply(g,
			directory.PutGrant{Grant: directory.Grant{Group: g.ID, Role: "viewer", Origin: directory.ByHand}},
			directory.AddMembers{Group: all, Source: okta, Values: []string{string(g.ID)}})
		if i%3 == 0 {
			f.apply(directory.DeleteGroup{ID: g.ID, Source: okta})
		}
	}
	close(done)
	readers.Wait()
}

// readWhole reads facts until done. Every group but the first has its grant and
// its parent.
func readWhole(t *testing.T, s directory.Store, done <-chan struct{}) {
	for {
		facts, err := s.Facts(t.Context(), 0)
		if err != nil {
			t.Errorf("Facts during writes = %v", err)
			return
		}
		for _, g := range facts.Groups[1:] {
			if len(g.Grants) != 1 || len(g.Parents) != 1 {
				t.Errorf("facts at %s have a part of %s: %+v", facts.At, g.Name, g)
				return
			}
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// followAlong keeps groups by stretches until done and compares them at the end.
func followAlong(t *testing.T, s directory.Store, done <-chan struct{}) {
	start, _, err := s.Recent(t.Context(), 1)
	if err != nil {
		t.Errorf("Recent = %v", err)
		return
	}
	at, groups := start.At, make(map[directory.GroupNum]directory.GroupFacts)
	for _, g := range start.Groups {
		groups[g.Num] = g
	}
	for last := false; ; {
		st, err := s.Stretch(t.Context(), at, 3)
		if err != nil {
			t.Errorf("Stretch(%s) = %v", at, err)
			return
		}
		for _, g := range st.Groups {
			groups[g.Num] = g
		}
		for _, n := range st.Ended {
			delete(groups, n)
		}
		if n := len(st.Records); n > 0 {
			at = st.Records[n-1].Stamp
			continue
		}
		if last {
			break
		}
		select {
		case <-done:
			last = true
		default:
		}
	}
	facts, err := s.Facts(t.Context(), at.Revision)
	got := slices.SortedFunc(maps.Values(groups), func(a, b directory.GroupFacts) int { return int(a.Num) - int(b.Num) })
	if d := diff(facts.Groups, got); err != nil || d != "" {
		t.Errorf("groups followed to %s: %v (-Facts +followed):\n%s", at, err, d)
	}
}

func testCancelledReader(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann := f.user(okta, "ann")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 { // more than there are connections
		if _, err := s.Facts(ctx, 0); !errors.Is(err, context.Canceled) {
			t.Fatalf("Facts with an ended context = %v, want context.Canceled", err)
		}
		if _, err := s.Subject(ctx, byID(ann), directory.Stamp{}); !errors.Is(err, context.Canceled) {
			t.Fatalf("Subject with an ended context = %v, want context.Canceled", err)
		}
	}
	if got := f.subject(byID(ann), directory.Stamp{}); got.ID != ann {
		t.Errorf("Subject after cancelled readers = %+v, want ann", got)
	}
}
