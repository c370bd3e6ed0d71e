package ldapsync

import (
	"context"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// TestIssuesAreToldOf: with whom, with which attribute, and until they are
// mended.
func TestIssuesAreToldOf(t *testing.T) {
	t.Parallel()
	people := fakeEntries(3)
	people[1].Attrs["uid"] = nil
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: people, Contexts: []string{fakeBase}})
	var told []Issue
	calls, whole := 0, false
	p, err := New(Config{
		Source: "corp", Settings: fakeSettings(t, fake.URL), Store: newMapStore(),
		Issues: func(_ context.Context, source directory.SourceName, issues []Issue, complete bool) error {
			calls++
			told, whole = issues, complete
			if source != "corp" {
				t.Errorf("told of %s", source)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	runs(t, p, directory.RunApplied)
	if len(told) != 1 || told[0].Name != people[1].DN || told[0].Attribute != "userName" || told[0].Kind != KindUser || !strings.Contains(told[0].What, "no usable userName") {
		t.Errorf("told of %+v; want the one without uid", told)
	}
	people[1].Attrs["uid"] = []string{"u1"}
	fake.SetEntries(people)
	runs(t, p, directory.RunApplied)
	if len(told) != 0 || calls != 2 || !whole {
		t.Errorf("mended: told of %+v in %d calls", told, calls)
	}
	fake.SetEntries(nil)
	runs(t, p, directory.RunHeld)
	if whole {
		t.Error("a held read is said to have seen everything")
	}
	people[0].Attrs["entryUUID"] = nil
	fake.SetEntries(people)
	runs(t, p, directory.RunIncomplete)
	if calls != 3 {
		t.Error("an incomplete read is no reason to tell of anything")
	}
}
