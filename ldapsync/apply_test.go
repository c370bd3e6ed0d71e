package ldapsync

import (
	"testing"
	"time"
)

func TestBatchesArePaced(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit int
		took  time.Duration
		want  int
	}{
		{"a quick batch stays as large as may be", batchMost, time.Second, batchMost},
		{"a slow one makes the next smaller", batchMost, 6 * time.Second, batchMost / 2},
		{"but not smaller than is worth a commit", batchLeast, time.Minute, batchLeast},
		{"neither quick nor slow alters nothing", 200, 4 * time.Second, 200},
		{"a quick one makes the next larger", 200, time.Second, 400},
		{"up to the most", 400, time.Second, batchMost},
	} {
		if got := pace(c.limit, c.took); got != c.want {
			t.Errorf("%s: %d after %v is followed by %d, want %d", c.name, c.limit, c.took, got, c.want)
		}
	}
}
