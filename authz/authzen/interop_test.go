package authzen

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
)

// This file answers the vectors of the working group's interop scenarios.

// fields reads a file of testdata: words in lines, no comments.
func fields(t *testing.T, name string) (lines [][]string) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			lines = append(lines, words)
		}
	}
	return lines
}

// todoUsers are the ids of rick, morty, summer, beth and jerry.
var todoUsers = [...]string{
	"CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
	"CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
	"CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
	"CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
	"CiRmZDQ2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
}

// todo makes the users of the Todo scenario. Ownership is a grant on the thing.
func todo(t *testing.T, policy string) (*deployment, server) {
	t.Helper()
	d, s := deploy(t, policy)
	var all []directory.UserID
	for n := range todoUsers {
		all = append(all, d.user(todoUsers[n]))
	}
	d.group("everybody", all...)
	d.group("editors", all[1:3]...)
	d.group("admins", all[0])
	d.group("geniuses", all[0])
	if policy == "todo.yaml" {
		for n, id := range map[int]string{1: "7240d0db-8ff0-41ec-98b2-34a096273b91", 2: "7240d0db-8ff0-41ec-98b2-34a096273b93"} {
			d.own(all[n], "todo:"+id+":can_update_todo", "todo:"+id+":can_delete_todo")
		}
	}
	return d, s
}

func TestInteropTodo(t *testing.T) {
	_, s := todo(t, "todo.yaml")
	asked := 0
	for _, w := range fields(t, "todo.txt") {
		who, action, typ, id, owner, want := w[0], w[1], w[2], w[3], w[4], w[5]
		body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":%q},"resource":{"type":%q,"id":%q,"properties":{"ownerID":%q}}}`, who, action, typ, id, owner)
		if typ == "user" { // reserved: no policy declares it, so nobody may
			want = "false"
		}
		asked++
		if r := s.post(PathEvaluation, body); r.Body != `{"decision":`+want+`}` {
			t.Errorf("POST %s = %s, want %s", body, r.Body, want)
		}
	}
	if asked != 40 {
		t.Errorf("%d evaluations, want 40", asked)
	}
}

// The same question about people passes under a type of the catalogue.
func TestInteropTodoPeople(t *testing.T) {
	_, s := todo(t, "todo.yaml")
	for n := range todoUsers {
		body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"can_read_user"},"resource":{"type":"member","id":"beth@the-smiths.com"}}`, todoUsers[n])
		if r := s.post(PathEvaluation, body); r.Body != allowed {
			t.Errorf("POST %s = %s, want %s", body, r.Body, allowed)
		}
	}
}

func TestInteropTodoEvaluations(t *testing.T) {
	_, s := todo(t, "todo.yaml")
	for _, tt := range []struct {
		user   int
		second string
		want   string
	}{
		{0, "7240d0db-8ff0-41ec-98b2-34a096273b95", answers(allowed, allowed)},
		{1, "7240d0db-8ff0-41ec-98b2-34a096273b91", answers(denied, allowed)},
		{4, "7240d0db-8ff0-41ec-98b2-34a096273b95", answers(denied, denied)},
	} {
		body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"can_update_todo"},"evaluations":[`+
			`{"resource":{"type":"todo","id":"7240d0db-8ff0-41ec-98b2-34a096273b92","properties":{"ownerID":"rick@the-citadel.com"}}},`+
			`{"resource":{"type":"todo","id":%q,"properties":{"ownerID":"somebody"}}}]}`, todoUsers[tt.user], tt.second)
		wantBody(t, s, PathEvaluations, body, tt.want)
	}
}

// The gateway's vectors name subjects of the type identity, which we do not
// know; as users they pass.
func TestInteropGateway(t *testing.T) {
	_, s := todo(t, "gateway.yaml")
	for n := range todoUsers {
		for route, want := range map[string]string{
			"GET /users/{userId}": allowed, "GET /todos": allowed, "POST /todos": denied, "PUT /todos/{todoId}": denied, "DELETE /todos/{todoId}": denied,
		} {
			if n <= 2 {
				want = allowed
			}
			method, id, _ := strings.Cut(route, " ")
			body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":%q},"resource":{"type":"route","id":%q}}`, todoUsers[n], method, id)
			if r := s.post(PathEvaluation, body); r.Body != want {
				t.Errorf("POST %s = %s, want %s", body, r.Body, want)
			}
		}
	}
}

// searchRecords are the department and the owner of the records 101 to 120.
var searchRecords = strings.Fields(`Legal:alice Legal:bob Legal:carol Accounting:dan Legal:erin Accounting:felix Sales:alice
	Legal:bob Accounting:carol Sales:dan Accounting:erin Legal:felix Sales:alice Accounting:bob Finance:carol Legal:dan
	Legal:erin Accounting:felix Legal:alice Accounting:bob`)

// searchWorld makes the organization of the Search scenario.
func searchWorld(t *testing.T) server {
	t.Helper()
	d, s := deploy(t, "search.yaml")
	users, in, manages := map[string]directory.UserID{}, map[string][]directory.UserID{}, map[string]directory.UserID{}
	for _, who := range strings.Fields("alice:manager:Sales bob:employee:Legal carol:contractor:Legal dan:manager:Finance erin:employee:Finance felix:contractor:Accounting") {
		w := strings.Split(who, ":")
		users[w[0]] = d.user(w[0])
		in[w[2]] = append(in[w[2]], users[w[0]])
		if w[1] == "manager" {
			manages[w[2]] = users[w[0]]
		}
	}
	d.group("managers", manages["Sales"], manages["Finance"])
	departments := map[string]directory.GroupID{}
	for name, members := range in {
		departments[name] = d.group(name, members...)
	}
	for i, record := range searchRecords {
		department, owner, _ := strings.Cut(record, ":")
		id := fmt.Sprint("record:", 101+i, ":")
		d.own(users[owner], id+"view", id+"edit", id+"delete")
		d.apply(directory.PutGrant{Grant: directory.Grant{
			Group: departments[department], Privilege: directory.Privilege{Kind: directory.RolePrivilege, Key: id + "view"}, Origin: directory.ByHand,
		}})
		if boss := manages[department]; boss != "" {
			d.own(boss, id+"edit")
		}
	}
	return s
}

func TestInteropSearch(t *testing.T) {
	s := searchWorld(t)
	names := map[rune]string{'v': "view", 'e': "edit", 'd': "delete"}
	bySubject, byResource := map[string][]string{}, map[string][]string{} // who may, what one may
	for _, w := range fields(t, "search.txt") {
		for _, one := range w[1:] {
			id, may, _ := strings.Cut(one, ":")
			var want []string
			for _, c := range strings.Trim(may, "-") {
				want = append(want, fmt.Sprintf(`{"name":%q}`, names[c]))
				bySubject[id+" "+names[c]] = append(bySubject[id+" "+names[c]], w[0])
				byResource[w[0]+" "+names[c]] = append(byResource[w[0]+" "+names[c]], id)
			}
			body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"resource":{"type":"record","id":%q}}`, w[0], id)
			wantBody(t, s, PathActionSearch, body, `{"results":[`+strings.Join(want, ",")+`]}`)
		}
	}
	for i := range searchRecords {
		for _, action := range names {
			id := fmt.Sprint(101 + i)
			body := fmt.Sprintf(`{"subject":{"type":"user"},"action":{"name":%q},"resource":{"type":"record","id":%q}}`, action, id)
			wantBody(t, s, PathSubjectSearch, body, entities("user", bySubject[id+" "+action]...))
		}
	}
	for _, who := range []string{"alice", "bob", "carol", "dan", "erin", "felix"} {
		for _, action := range names {
			body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":%q},"resource":{"type":"record"}}`, who, action)
			wantBody(t, s, PathResourceSearch, body, entities("record", byResource[who+" "+action]...))
		}
	}
}

// What a token issuer puts into its tokens: the same search, page by page.
func TestInteropIdentityProvider(t *testing.T) {
	s := searchWorld(t)
	for who, want := range map[string]string{
		"alice": "101 107 113 119", "bob": "102 108 114 120", "carol": "103 109 115",
		"dan": "104 110 116", "erin": "105 111 117", "felix": "106 112 118",
	} {
		body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"delete"},"resource":{"type":"record"}}`, who)
		r := s.post(PathResourceSearch, body)
		var got searchAnswer
		if err := json.Unmarshal([]byte(r.Body), &got); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, found := range got.Results {
			ids = append(ids, found.ID)
		}
		if !slices.Equal(ids, strings.Fields(want)) {
			t.Errorf("%s may delete %v, want %s", who, ids, want)
		}
		pagesHold(t, s, PathResourceSearch, body, strings.Fields(want)...)
	}
}
