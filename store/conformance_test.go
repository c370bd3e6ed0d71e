package store_test

import (
	"testing"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store/storetest"
)

func TestConformance(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			storetest.Run(t, func(tb testing.TB) directory.Store { return open(tb, engine.dsn(tb)) })
		})
	}
}
