package ldapsync

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain sees that no connection, however it ended, leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
