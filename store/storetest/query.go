package storetest

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usherd/usherd/directory"
)

var queryCases = []testCase{
	{"a query selects living things of its source in the order of their making", testQueryOrder},
	{"a page begins at the offset or after a place", testQueryPages},
	{"a limit of 0 is none, and the total only if asked", testQueryLimits},
	{"sorting puts absent values last, or first if descending", testQuerySort},
	{"operators compare as RFC 7644 says", testQueryOperators},
	{"what can't be asked is ErrInvalid", testQueryInvalid},
	{"conditions on people agree with a simple evaluation", testIdentitiesAgree},
	{"conditions on groups agree with a simple evaluation", testGroupsAgree},
}

// crowd makes people and groups whose names are hard to search for.
func crowd(f fixture) {
	type person struct {
		source directory.SourceName
		directory.Profile
	}
	mail := func(addresses ...string) (all []directory.Email) {
		for _, a := range addresses {
			all = append(all, directory.Email{Value: a})
		}
		return all
	}
	people := []person{
		{okta, directory.Profile{UserName: "Ann", ExternalID: "E1", DisplayName: "Ann % Berg", Active: true, Emails: mail("ann@corp.test", "zed@b.test")}},
		{okta, directory.Profile{UserName: "anna_b", ExternalID: "e1", DisplayName: "straße", Emails: mail("Anna@Corp.test")}},
		{okta, directory.Profile{UserName: "Änn", DisplayName: "", Active: true, Type: directory.Service}},
		{okta, directory.Profile{UserName: "Kelvin \u212a", ExternalID: "7%", DisplayName: "STRASSE", Active: true}},
		{corp, directory.Profile{UserName: "bob", ExternalID: "E1", DisplayName: "Bob\\", Active: true, Emails: mail("bob@corp.test")}},
		{corp, directory.Profile{UserName: "𝒜nn2", ExternalID: "_", Active: true}},
	}
	var ids []directory.UserID
	for _, p := range people {
		p.Type = cmp.Or(p.Type, directory.Standard)
		ids = append(ids, directory.UserID(directory.NewID()))
		f.apply(directory.CreateUser{ID: ids[len(ids)-1], Source: p.source, Profile: p.Profile})
	}
	gone := f.user(corp, "gone")
	f.apply(directory.SetPresence{ID: gone, Source: corp, Presence: directory.Gone})
	f.apply(directory.DeleteUser{ID: f.user(okta, "deleted", "ann@corp.test"), Source: okta})
	f.apply(directory.SetPolicy{
		Policy: directory.Policy{Projects: []directory.Project{{Key: "alpha"}}}, Sections: []directory.Section{directory.SectionProjects},
	})
	eng, empty := f.group(okta, "Eng", ids[0], ids[1]), f.group(okta, "eng 2")
	scoped := f.group(corp, "ENG", ids[4])
	ours := f.group(directory.Local, "ours", ids[0], ids[4])
	f.apply(
		directory.AddMembers{Group: eng, Source: okta, Values: []string{string(empty), "pending%"}},
		directory.SetGroupStatus{Group: empty, Status: directory.GroupBlocked},
		directory.SetGroupScope{Group: scoped, Project: "alpha"},
		directory.SetGroupScope{Group: ours, Project: "alpha"},
		directory.DeleteGroup{ID: f.group(okta, "ended", ids[0]), Source: okta},
	)
}

// everybody returns all living identities, in order, as conditions see them.
func everybody(f fixture, source directory.SourceName) ([]directory.UserID, []resource) {
	f.Helper()
	page, err := f.Identities(f.Context(), directory.Query{Source: source, Limit: math.MaxInt32})
	if err != nil {
		f.Fatalf("Identities = %v", err)
	}
	var ids []directory.UserID
	var all []resource
	for _, i := range page.Items {
		ids = append(ids, i.ID)
		all = append(all, identityResource(i, groupsSeen(f, source, i.ID)))
	}
	return ids, all
}

// groupsSeen returns the groups that a query of a source sees an identity in:
// those of the source, or all if the source is empty.
func groupsSeen(f fixture, source directory.SourceName, id directory.UserID) (refs []directory.GroupRef) {
	f.Helper()
	page, err := f.Groups(f.Context(), directory.Query{Source: source, Limit: math.MaxInt32})
	if err != nil {
		f.Fatalf("Groups = %v", err)
	}
	for _, g := range page.Items {
		if slices.ContainsFunc(members(f.T, f.Store, g.ID), func(m directory.Member) bool { return m.ID == string(id) }) {
			refs = append(refs, directory.GroupRef{ID: g.ID})
		}
	}
	return refs
}

func names(page directory.Page[directory.Identity]) (all []string) {
	for _, i := range page.Items {
		all = append(all, i.UserName)
	}
	return all
}

func testQueryOrder(t *testing.T, s directory.Store) {
	f := fill(t, s)
	crowd(f)
	for source, want := range map[directory.SourceName]string{
		okta: "Ann anna_b Änn Kelvin \u212a", corp: "bob 𝒜nn2 gone", "nowhere": "",
		"": "Ann anna_b Änn Kelvin \u212a bob 𝒜nn2 gone",
	} {
		page, err := s.Identities(t.Context(), directory.Query{Source: source, Limit: 100})
		if got := strings.Join(names(page), " "); err != nil || got != want || page.Total != -1 {
			t.Errorf("Identities of %q = %q total %d, %v; want %q", source, got, page.Total, err, want)
		}
	}
	page, err := s.Groups(t.Context(), directory.Query{Source: okta, Limit: 100, Desc: true, Total: true})
	if err != nil || len(page.Items) != 2 || page.Items[0].Name != "eng 2" || page.Total != 2 {
		t.Errorf("Groups of okta, descending = %+v, %v; want eng 2 and Eng", page, err)
	}
}

func testQueryPages(t *testing.T, s directory.Store) {
	f := fill(t, s)
	crowd(f)
	ids, _ := everybody(f, "")
	for _, desc := range []bool{false, true} {
		if desc {
			slices.Reverse(ids)
		}
		for from := range len(ids) + 1 {
			want := ids[from:min(from+2, len(ids))]
			page, err := s.Identities(t.Context(), directory.Query{Offset: from, Limit: 2, Total: true, Desc: desc})
			if err != nil || page.Total != len(ids) || !slices.EqualFunc(want, page.Items, isIdentity) {
				t.Errorf("2 from %d, descending %v: %q of %d, %v; want %q of %d", from, desc, names(page), page.Total, err, want, len(ids))
			}
		}
		var walked []directory.UserID
		var after *directory.Place
		for range len(ids) + 1 {
			q := directory.Query{After: after, Limit: 2, Desc: desc}
			if after != nil {
				q.Offset = 99 // not used
			}
			page, err := s.Identities(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Items) == 0 {
				break
			}
			for _, i := range page.Items {
				walked = append(walked, i.ID)
				after = &directory.Place{Created: i.Created, ID: string(i.ID)}
			}
		}
		if !slices.Equal(walked, ids) {
			t.Errorf("pages after places, descending %v, walk %q, want %q", desc, walked, ids)
		}
	}
}

func isIdentity(id directory.UserID, i directory.Identity) bool { return i.ID == id }

func testQueryLimits(t *testing.T, s directory.Store) {
	f := fill(t, s)
	crowd(f)
	bob := directory.Compare{Attr: directory.AttrUserName, Op: directory.Eq, Value: "BOB"}
	for _, tt := range []struct {
		q            directory.Query
		items, total int
	}{
		{directory.Query{}, 0, -1},
		{directory.Query{Total: true}, 0, 7},
		{directory.Query{Total: true, Where: bob}, 0, 1},
		{directory.Query{Total: true, Where: bob, Limit: 5}, 1, 1},
		{directory.Query{Total: true, Where: bob, Limit: 5, Offset: 1}, 0, 1},
		{directory.Query{Total: true, Where: bob, Source: okta, Limit: 5}, 0, 0},
		{directory.Query{Where: directory.And{}, Limit: 5}, 5, -1},
		{directory.Query{Where: directory.Or{}, Limit: 5, Total: true}, 0, 0},
	} {
		page, err := s.Identities(t.Context(), tt.q)
		if err != nil || len(page.Items) != tt.items || page.Total != tt.total {
			t.Errorf("Identities(%+v) = %d of %d, %v; want %d of %d", tt.q, len(page.Items), page.Total, err, tt.items, tt.total)
		}
	}
}

func testQuerySort(t *testing.T, s directory.Store) {
	f := fill(t, s)
	crowd(f)
	for _, tt := range []struct {
		sort directory.Attribute
		desc bool
		want string
	}{
		{directory.AttrUserName, false, "Ann 𝒜nn2 anna_b bob gone Kelvin \u212a Änn"},
		{directory.AttrUserName, true, "Änn Kelvin \u212a gone bob anna_b 𝒜nn2 Ann"},
		{directory.AttrName, false, "Ann bob gone anna_b Kelvin \u212a Änn 𝒜nn2"},
		{directory.AttrName, true, "Änn 𝒜nn2 anna_b Kelvin \u212a gone bob Ann"},
		{directory.AttrEmail, false, "Ann anna_b bob Änn Kelvin \u212a 𝒜nn2 gone"},
		{directory.AttrActive, false, "anna_b Ann Änn Kelvin \u212a bob 𝒜nn2 gone"},
		{directory.AttrUserType, false, "Änn Ann anna_b Kelvin \u212a bob 𝒜nn2 gone"},
	} {
		page, err := s.Identities(t.Context(), directory.Query{Sort: tt.sort, Desc: tt.desc, Limit: 100})
		if got := strings.Join(names(page), " "); err != nil || got != tt.want {
			t.Errorf("sorted by %s, descending %v: %q, %v; want %q", tt.sort, tt.desc, got, err, tt.want)
		}
	}
}

func testQueryOperators(t *testing.T, s directory.Store) {
	f := fill(t, s)
	crowd(f)
	ann := f.subject(byName("ann"), directory.Stamp{}).ID
	for _, tt := range []struct {
		attr  directory.Attribute
		op    directory.Op
		value any
		want  string
	}{
		{directory.AttrUserName, directory.Eq, "ANN", "Ann"},
		{directory.AttrUserName, directory.Eq, "kelvin k", "Kelvin \u212a"},
		{directory.AttrUserName, directory.Sw, "an", "Ann anna_b 𝒜nn2"},
		{directory.AttrUserName, directory.Ew, "NN", "Ann Änn"},
		{directory.AttrUserName, directory.Co, "_", "anna_b"},
		{directory.AttrUserName, directory.Co, "\x07", ""},
		{directory.AttrName, directory.Eq, "Strasse", "anna_b Kelvin \u212a"},
		{directory.AttrName, directory.Co, "%", "Ann"},
		{directory.AttrName, directory.Ew, `\`, "bob"},
		{directory.AttrName, directory.Pr, nil, "Ann anna_b Kelvin \u212a bob gone"},
		{directory.AttrName, directory.Ne, "Ann % Berg", "anna_b Änn Kelvin \u212a bob 𝒜nn2 gone"},
		{directory.AttrExternalID, directory.Eq, "E1", "Ann bob"},
		{directory.AttrExternalID, directory.Eq, "", ""},
		{directory.AttrExternalID, directory.Lt, "E", "Kelvin \u212a"},
		{directory.AttrExternalID, directory.Le, "_", "Ann Kelvin \u212a bob 𝒜nn2"},
		{directory.AttrActive, directory.Eq, false, "anna_b"},
		{directory.AttrActive, directory.Ne, false, "Ann Änn Kelvin \u212a bob 𝒜nn2 gone"},
		{directory.AttrEmail, directory.Eq, "ANNA@corp.test", "anna_b"},
		{directory.AttrEmail, directory.Ew, "@b.test", "Ann"},
		{directory.AttrEmail, directory.Ne, "bob@corp.test", "Ann anna_b Änn Kelvin \u212a 𝒜nn2 gone"},
		{directory.AttrID, directory.Eq, string(ann), "Ann"},
		{directory.AttrUserType, directory.Eq, "service", "Änn"},
		{directory.AttrCreated, directory.Gt, someTime.AddDate(-100, 0, 0), "Ann anna_b Änn Kelvin \u212a bob 𝒜nn2 gone"},
		{directory.AttrModified, directory.Lt, time.Time{}, ""},
	} {
		q := directory.Query{Where: directory.Compare{Attr: tt.attr, Op: tt.op, Value: tt.value}, Limit: 100}
		page, err := s.Identities(t.Context(), q)
		if got := strings.Join(names(page), " "); err != nil || got != tt.want {
			t.Errorf("%s %s %v: %q, %v; want %q", tt.attr, tt.op, tt.value, got, err, tt.want)
		}
	}
}

func testQueryInvalid(t *testing.T, s directory.Store) {
	compare := func(a directory.Attribute, op directory.Op, v any) directory.Query {
		return directory.Query{Where: directory.Compare{Attr: a, Op: op, Value: v}, Limit: 1}
	}
	for _, q := range []directory.Query{
		compare("password", directory.Eq, "x"),
		compare(directory.AttrMember, directory.Eq, "x"), // of groups
		compare(directory.AttrUserName, directory.Eq, true),
		compare(directory.AttrUserName, "like", "x"),
		compare(directory.AttrUserName, "like", ""),
		compare(directory.AttrUserName, directory.Eq, "a\x00"),
		compare(directory.AttrExternalID, directory.Eq, "\xff"),
		compare(directory.AttrActive, directory.Eq, "true"),
		compare(directory.AttrActive, directory.Gt, true),
		compare(directory.AttrCreated, directory.Eq, "2026"),
		compare(directory.AttrCreated, directory.Co, time.Now()),
		{Where: directory.Not{Term: directory.And{directory.Compare{Attr: "x", Op: directory.Pr}}}},
		{Offset: -1},
		{Sort: directory.AttrMemberOf, Limit: 1},
		{Sort: "password; DROP TABLE users", Limit: 1},
		{Sort: directory.AttrUserName, After: &directory.Place{}, Limit: 1},
		{Source: "\x00"},
	} {
		if page, err := s.Identities(t.Context(), q); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("Identities(%+v) = %+v, %v; want ErrInvalid", q, page, err)
		}
	}
	if _, err := s.Groups(t.Context(), compare(directory.AttrUserName, directory.Eq, "x")); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("Groups by userName = %v, want ErrInvalid", err)
	}
}

// texts that conditions are made of: parts of the crowd's names, and wildcards.
var (
	someTexts = []string{
		"", "a", "an", "ANN", "ann", "nn", "_", "%", `\`, "e1", "E1", "7%", "ä", "ss", "straße", "k", "\u212a",
		"@corp.test", "ann@corp.test", "b.test", "eng", "ENG 2", "alpha", "active", "blocked", "service", "pending%", "'", " ",
	}
	textOps = []directory.Op{
		directory.Eq, directory.Ne, directory.Co, directory.Sw, directory.Ew, directory.Gt, directory.Ge, directory.Lt, directory.Le, directory.Pr,
	}
	timeOps = []directory.Op{directory.Eq, directory.Ne, directory.Gt, directory.Ge, directory.Lt, directory.Le, directory.Pr}
)

// conditions draws conditions over attributes; more are texts beside the known.
func conditions(attrs []directory.Attribute, more []string, times []time.Time) *rapid.Generator[directory.Expr] {
	values := slices.Concat(someTexts, more)
	leaf := rapid.Custom(func(t *rapid.T) directory.Expr {
		c := directory.Compare{Attr: rapid.SampledFrom(attrs).Draw(t, "attribute")}
		switch c.Attr {
		case directory.AttrActive:
			c.Op, c.Value = rapid.SampledFrom([]directory.Op{directory.Eq, directory.Ne}).Draw(t, "op"), rapid.Bool().Draw(t, "value")
		case directory.AttrCreated, directory.AttrModified:
			shift := rapid.SampledFrom([]time.Duration{0, time.Microsecond, -time.Microsecond, time.Hour}).Draw(t, "shift")
			c.Op, c.Value = rapid.SampledFrom(timeOps).Draw(t, "op"), rapid.SampledFrom(times).Draw(t, "value").Add(shift)
		default:
			c.Op, c.Value = rapid.SampledFrom(textOps).Draw(t, "op"), rapid.SampledFrom(values).Draw(t, "value")
		}
		return c
	})
	return rapid.Custom(func(t *rapid.T) directory.Expr { return condition(t, leaf, 3) })
}

func condition(t *rapid.T, leaf *rapid.Generator[directory.Expr], depth int) directory.Expr {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 || kind > 2 {
		return leaf.Draw(t, "leaf")
	}
	if kind == 0 {
		return directory.Not{Term: condition(t, leaf, depth-1)}
	}
	terms := make([]directory.Expr, rapid.IntRange(0, 3).Draw(t, "terms"))
	for i := range terms {
		terms[i] = condition(t, leaf, depth-1)
	}
	if kind == 1 {
		return directory.And(terms)
	}
	return directory.Or(terms)
}

func testIdentitiesAgree(t *testing.T, s directory.Store) {
	f := fill(t, s)
	crowd(f)
	page, err := s.Groups(t.Context(), directory.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	more := []string{string(directory.NewID())}
	for _, g := range page.Items {
		more = append(more, string(g.ID))
	}
	attrs := []directory.Attribute{
		directory.AttrID, directory.AttrUserName, directory.AttrName, directory.AttrExternalID, directory.AttrActive, directory.AttrEmail,
		directory.AttrMemberOf, directory.AttrCreated, directory.AttrModified, directory.AttrUserType,
	}
	type scope struct {
		source directory.SourceName
		ids    []directory.UserID
		all    []resource
	}
	var scopes []scope
	for _, source := range []directory.SourceName{"", okta, corp} {
		ids, all := everybody(f, source)
		scopes = append(scopes, scope{source, ids, all})
	}
	gen := conditions(attrs, slices.Concat(more, texts(scopes[0].ids)), createdTimes(scopes[0].all))
	rapid.Check(t, func(rt *rapid.T) {
		where, in := gen.Draw(rt, "where"), rapid.SampledFrom(scopes).Draw(rt, "scope")
		var want []directory.UserID
		for i, r := range in.all {
			if holds(where, r) {
				want = append(want, in.ids[i])
			}
		}
		page, err := s.Identities(t.Context(), directory.Query{Source: in.source, Where: where, Limit: 100, Total: true})
		if err != nil || page.Total != len(want) || !slices.EqualFunc(want, page.Items, isIdentity) {
			rt.Errorf("Identities of %q where %+v = %q of %d, %v; want %q", in.source, where, names(page), page.Total, err, want)
		}
	})
}

func createdTimes(all []resource) (times []time.Time) {
	for _, r := range all {
		times = append(times, r[directory.AttrCreated][0].(time.Time))
	}
	return times
}

func testGroupsAgree(t *testing.T, s directory.Store) {
	f := fill(t, s)
	crowd(f)
	page, err := s.Groups(t.Context(), directory.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var all []resource
	var more []string
	for _, g := range page.Items {
		of := members(t, s, g.ID)
		all = append(all, groupResource(g, of))
		more = append(more, string(g.ID))
		for _, m := range of {
			more = append(more, m.Value)
		}
	}
	attrs := []directory.Attribute{
		directory.AttrID, directory.AttrName, directory.AttrExternalID, directory.AttrMember, directory.AttrCreated,
		directory.AttrModified, directory.AttrGroupStatus, directory.AttrProject,
	}
	gen := conditions(attrs, more, createdTimes(all))
	rapid.Check(t, func(rt *rapid.T) {
		where := gen.Draw(rt, "where")
		source := rapid.SampledFrom([]directory.SourceName{"", okta, directory.Local}).Draw(rt, "source")
		var want, got []directory.GroupID
		for i, r := range all {
			if holds(where, r) && (source == "" || source == page.Items[i].Source) {
				want = append(want, page.Items[i].ID)
			}
		}
		answer, err := s.Groups(t.Context(), directory.Query{Source: source, Where: where, Limit: 100, Total: true})
		for _, g := range answer.Items {
			got = append(got, g.ID)
		}
		if err != nil || answer.Total != len(want) || !slices.Equal(got, want) {
			rt.Errorf("Groups of %q where %+v = %q of %d, %v; want %q", source, where, got, answer.Total, err, want)
		}
	})
}
