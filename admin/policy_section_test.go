package admin_test

import (
	"slices"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
)

func TestEverySectionOfAFileHasItems(t *testing.T) {
	got, want := admin.PolicySections(), slices.Clone(authz.Sections)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("sections with items are %v, those of a file %v", got, want)
	}
}
