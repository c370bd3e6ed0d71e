package console_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
)

// TestNoPageShowsWhatASchemaDoesNotReturn: no column is offered, none can be asked
// for, no CSV has one, and the raw text of a user is without it.
func TestNoPageShowsWhatASchemaDoesNotReturn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cara := directory.UserID(directory.NewID())
	s.apply(
		directory.PutSource{Source: directory.Source{Name: "hr", Kind: directory.KindSCIM, Rank: 7, Settings: json.RawMessage(`{"schemas":[{"id":"urn:x:User","name":"X","attributes":[
			{"name":"answer","type":"string","returned":"never"},{"name":"note","type":"string","returned":"request"},{"name":"badge","type":"string"}]}]}`)}},
		directory.CreateUser{ID: cara, Source: "hr", Profile: directory.Profile{
			UserName: "cara", ExternalID: "c", Active: true, Attributes: json.RawMessage(`{"urn:x:User":{"answer":"hunter2","note":"hunter3","badge":"B-7007"}}`),
		}},
	)
	client := s.signedIn(s.owner)
	for _, path := range []string{
		"/users?cols=name&cols=attr:badge&cols=attr:answer&cols=attr:note",
		"/users?format=csv&cols=name&cols=attr:badge&cols=attr:answer&cols=attr:note",
		"/users?format=csv&all=1",
		"/users/" + string(cara) + "/raw",
	} {
		page := s.body(client, path, http.StatusOK)
		if !strings.Contains(page, "B-7007") {
			t.Errorf("%s does not show the badge: %s", path, page)
		}
		for _, hidden := range []string{"hunter", "answer", "note"} {
			if strings.Contains(page, hidden) {
				t.Errorf("%s tells of %s: %s", path, hidden, page)
			}
		}
	}
	if page := s.body(client, "/users", http.StatusOK); !strings.Contains(page, `value="attr:badge"`) || strings.Contains(page, "attr:answer") || strings.Contains(page, "attr:note") {
		t.Error("the list does not offer the columns that it has, and no other")
	}
}
