package storetest

import (
	"slices"
	"testing"

	"github.com/usherd/usherd/directory"
)

// A testCase is a claim about stores.
type testCase struct {
	name string
	run  func(*testing.T, directory.Store)
}

// Run tests the stores that open returns. Each must be new and empty; open
// arranges for its own cleanup with tb.Cleanup.
func Run(t *testing.T, open func(tb testing.TB) directory.Store) {
	for _, tt := range slices.Concat(applyCases, historyCases, subjectCases, catalogCases, queryCases, journalCases, timelineCases, sinceCases, keptCases, listingCases) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, open(t))
		})
	}
}
