package main

import (
	"strings"
	"testing"
)

func TestATightDiskIsWorthAWarning(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for name, c := range map[string]struct {
		room
		tight bool
	}{
		"plenty":                     {room{50 * gib, 100 * gib}, false},
		"a tenth":                    {room{10 * gib, 100 * gib}, false},
		"less than a tenth":          {room{10*gib - 1, 100 * gib}, true},
		"less than 1 GiB of a small": {room{gib - 1, 2 * gib}, true},
		"nothing":                    {room{0, 2 * gib}, true},
	} {
		if got := diagnoseRoom("/data", c.room); (got.Result == warning) != c.tight || !strings.Contains(got.Detail, "/data") || c.tight != (got.Do != "") {
			t.Errorf("%s: %+v, want a warning: %v", name, got, c.tight)
		}
	}
	if r, err := roomOf(t.TempDir()); err != nil || r.all == 0 || r.free > r.all {
		t.Errorf("roomOf = %v, %v", r, err)
	}
	if _, err := roomOf("/no/such/folder"); err == nil {
		t.Error("a folder that is not there has a disk")
	}
}
