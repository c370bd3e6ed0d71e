package ldapsync

import (
	"errors"
	"os"
	"time"
)

// How long the schedule lets a source rest after its bind was refused: so long
// after the first time, and twice as long after each further one. A schedule of
// every minute would lock the account that binds, here and wherever else it is
// used.
const (
	restFirst = 15 * time.Minute
	restMost  = 6 * time.Hour
)

// A rest is what a poller remembers of refused binds. It belongs to whoever has
// the turn.
type rest struct {
	refused  int // in a row
	until    time.Time
	password time.Time // when the file with the password was last altered
}

// note takes notice of how a read ended.
func (r *rest) note(err error, s Settings, now time.Time) {
	var in *IncompleteError
	switch isIn := errors.As(err, &in); {
	case err == nil:
		*r = rest{}
	case isIn && in.Cause == CauseBind:
		r.until = now.Add(min(restFirst<<min(r.refused, 8), restMost))
		r.refused++
		r.password = altered(s.PasswordFile)
	}
}

// over reports whether the schedule may try the bind again: it is time, or there
// is another password. Other settings make another poller.
func (r *rest) over(s Settings, now time.Time) bool {
	return r.refused == 0 || !now.Before(r.until) || !altered(s.PasswordFile).Equal(r.password)
}

// altered is when a file was last altered; the zero time if there is none.
func altered(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
