package console

import (
	"time"

	"github.com/usherd/usherd/admin"
)

// began is a cell of since when something holds. Where the record of that time is
// not kept any more, it is before the oldest that is.
func began(b admin.Began) Cell {
	if b.SinceBefore.IsZero() {
		return Time(b.Since)
	}
	return Cell{Text: "before " + b.SinceBefore.UTC().Format(time.RFC3339), Show: beforeTemplate(b.SinceBefore)}
}
