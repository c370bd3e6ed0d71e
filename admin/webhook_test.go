package admin_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/webhook"
)

// A listener asks for events from where it was.
type listener struct {
	events *admin.Events
	place  json.RawMessage
}

// next returns "type name" of what happened since, sorted.
func (l *listener) next(t *testing.T) (out []string) {
	t.Helper()
	for {
		events, place, err := l.events.Events(t.Context(), l.place)
		if err != nil {
			t.Fatalf("Events = %v", err)
		}
		for _, e := range events {
			data, err := json.Marshal(e.Data)
			if err != nil {
				t.Fatal(err)
			}
			var named map[string]json.RawMessage
			if err := json.Unmarshal(data, &named); err != nil {
				t.Fatal(err)
			}
			var thing admin.EventThing
			for _, member := range []string{"user", "group", "token"} {
				if named[member] != nil {
					if err := json.Unmarshal(named[member], &thing); err != nil {
						t.Fatal(err)
					}
				}
			}
			out = append(out, strings.TrimSpace(e.Type+" "+thing.Name))
		}
		if string(place) == string(l.place) {
			break
		}
		l.place = place
	}
	slices.Sort(out)
	return out
}

func TestEventsSayWhoGainsAndLosesWhat(t *testing.T) {
	w := newWorld(t)
	w.policy("features: [{key: part-list, actions: [edit]}]")
	w.user("before") // nobody is told of what was before
	l := &listener{events: &admin.Events{Service: w.Service}}
	l.next(t)
	ann, bob := w.user("ann"), w.user("bob")
	staff := w.group("Staff", ann, bob)
	want := func(what string, events ...string) {
		t.Helper()
		if got := l.next(t); !slices.Equal(got, events) {
			t.Errorf("%s: %q, want %q", what, got, events)
		}
	}
	want("people without permissions come")
	if _, err := w.GrantToGroup(t.Context(), by, "local/Staff", admin.GrantSpec{Access: []string{"part-list"}}); err != nil {
		t.Fatal(err)
	}
	want("a group is granted something", "permission.gained ann", "permission.gained bob")
	w.apply(directory.SetGroupStatus{Group: staff, Status: directory.GroupBlocked})
	want("it is blocked", "group.blocked Staff", "permission.lost ann", "permission.lost bob")
	w.apply(directory.SetGroupStatus{Group: staff, Status: directory.GroupActive})
	want("and active again", "permission.gained ann", "permission.gained bob")
	w.apply(directory.SetBlock{User: ann, Blocked: true})
	want("somebody is blocked", "permission.lost ann", "user.deactivated ann")
	w.apply(directory.SetBlock{User: ann})
	l.events = &admin.Events{Service: w.Service} // another replica takes over
	want("and unblocked", "permission.gained ann")
	w.apply(directory.RemoveMembers{Group: staff, Source: directory.Local, Values: []string{string(bob)}})
	want("a member leaves", "permission.lost bob")
}

func TestEventsWarnOfTokens(t *testing.T) {
	w := newWorld(t)
	if _, err := w.CreateToken(t.Context(), by, admin.NewToken{Kind: directory.TokenCheck, Name: "shop", Life: 40 * 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	l := &listener{events: &admin.Events{Service: w.Service}}
	for _, step := range []struct {
		days int
		want []string
	}{{0, nil}, {11, []string{"token.expiring shop"}}, {1, nil}, {22, []string{"token.expiring shop"}}, {5, []string{"token.expiring shop"}}, {2, nil}} {
		w.now = w.now.Add(time.Duration(step.days) * 24 * time.Hour)
		if got := l.next(t); !slices.Equal(got, step.want) {
			t.Errorf("%d days later: %q, want %q", step.days, got, step.want)
		}
	}
}

func TestEventsHoldNoPersonalDataButNames(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	l := &listener{events: &admin.Events{Service: w.Service}}
	l.next(t)
	id := directory.UserID(directory.NewID())
	w.apply(directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{
		UserName: "ann", DisplayName: "Ann Canary", Active: true, Emails: []directory.Email{{Value: "canary@example.com"}},
	}})
	w.grantUser("ann", admin.GrantSpec{Access: []string{"part-list"}})
	events, place, err := l.events.Events(t.Context(), l.place)
	if err != nil {
		t.Fatal(err)
	}
	w.apply(directory.SetBlock{User: id, Blocked: true, Reason: "canary"})
	more, _, err := l.events.Events(t.Context(), place)
	if events = append(events, more...); err != nil || len(events) != 3 {
		t.Fatalf("Events = %v, %v; want gained, lost and deactivated", events, err)
	}
	for _, e := range events {
		if text, err := json.Marshal(e.Data); err != nil || strings.Contains(strings.ToLower(string(text)), "canary") {
			t.Errorf("%s tells %s, %v", e.Type, text, err)
		}
	}
}

func TestWebhooksThroughTheAPI(t *testing.T) {
	w := newWorld(t)
	srv := w.server(true)
	made := call(t, srv, "POST", "/api/v1/webhooks", `{"url":"https://example.com/hook","events":["plan.held"]}`)
	id, _ := made.body["id"].(string)
	if made.status != 201 || !strings.HasPrefix(made.body["secret"].(string), "whsec_") {
		t.Fatalf("POST /webhooks = %d %v", made.status, made.body)
	}
	if a := call(t, srv, "POST", "/api/v1/webhooks/"+id+"/test", ""); a.status != 200 || a.body["event"] != webhook.Test {
		t.Errorf("test = %d %v", a.status, a.body)
	}
	list := call(t, srv, "GET", "/api/v1/webhooks/"+id+"/deliveries", "")
	first := list.body["items"].([]any)[0].(map[string]any)
	again := call(t, srv, "POST", "/api/v1/webhooks/"+id+"/deliveries", `{"delivery":"`+first["id"].(string)+`"}`)
	if again.status != 200 || again.body["state"] != webhook.Pending {
		t.Errorf("resend = %d %v", again.status, again.body)
	}
	if a := call(t, srv, "POST", "/api/v1/webhooks", `{"url":"http://169.254.169.254/"}`); a.status != 400 {
		t.Errorf("the metadata server = %d %v", a.status, a.body)
	}
	shown := call(t, srv, "GET", "/api/v1/webhooks/"+id, "")
	if text, err := json.Marshal(shown.body); err != nil || strings.Contains(string(text), "whsec_") || strings.Contains(string(text), "sealed") {
		t.Errorf("GET tells the secret: %s", text)
	}
	if a := call(t, srv, "DELETE", "/api/v1/webhooks/"+id, ""); a.status != 200 {
		t.Errorf("DELETE = %d %v", a.status, a.body)
	}
}
