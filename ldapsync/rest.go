package ldapsync

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/usherd/usherd/directory"
)

// How long the schedule lets a source rest after its bind was refused: so long
// after the first time, and twice as long after each further one. A schedule of
// every minute would lock the account that binds, here and wherever else it is
// used.
const (
	restFirst = 15 * time.Minute
	restMost  = 6 * time.Hour
)

// refusedCount is the name under which a run counts the binds that were refused
// in a row, its own included. It is kept with the run, so that replicas rest
// together: each trying for itself, they would lock the account.
const refusedCount = "refusedBinds"

// A rest is what a poller remembers of a refused bind that it made or learned
// of. It belongs to whoever has the turn.
type rest struct {
	run     string       // id of the run that was refused
	refused int64        // in a row
	until   time.Time    // the schedule waits so long
	secrets [3]time.Time // when the files that the bind takes were last altered
}

// learn takes notice of the last run of any replica. What was refused before
// this poller was made says nothing: there are other settings, or whoever
// started the daemon again wants to see what it does.
func (r *rest) learn(last directory.Run, s Settings, made time.Time) {
	n := last.Counts[refusedCount]
	switch {
	case n == 0:
		*r = rest{}
	case last.ID != r.run && !last.Started.Before(made):
		*r = rest{run: last.ID, refused: n, until: last.Ended.Add(restAfter(n)), secrets: secretsOf(s)}
	}
}

// note takes notice of how a run that ends now read, and tells in the run when
// the schedule tries again. Refusals of runs that somebody asked for do not
// make it wait longer and longer.
func (r *rest) note(run *directory.Run, err error, s Settings, asked bool, now time.Time) {
	var in *IncompleteError
	if !errors.As(err, &in) || in.Cause != CauseBind {
		if err == nil {
			*r = rest{}
		}
		return
	}
	secrets := secretsOf(s)
	if secrets != r.secrets { // the former refusals were of others
		*r = rest{}
	}
	if !asked || r.refused == 0 {
		r.refused++
		r.until = now.Add(restAfter(r.refused))
	} else if soon := now.Add(restFirst); r.until.Before(soon) {
		r.until = soon
	}
	r.run, r.secrets = run.ID, secrets
	run.Counts = map[string]int64{refusedCount: r.refused}
	run.Message += fmt.Sprintf(". So that the account is not locked, the schedule tries it again only at %s UTC, "+
		"or once the file with the password or key is altered; a run that you ask for tries it at once", r.until.UTC().Format("2006-01-02 15:04"))
}

// Refused reports whether the last of runs, newest first, that came to its end
// was refused its bind: whoever only wants to look something up does not try the
// account again.
func Refused(runs []directory.Run) bool {
	for _, r := range runs {
		if r.Result != directory.RunRunning && r.Result != directory.RunCancelled {
			return r.Counts[refusedCount] > 0
		}
	}
	return false
}

// restAfter is how long to rest after so many refusals in a row.
func restAfter(refused int64) time.Duration {
	return min(restFirst<<min(max(refused, 1)-1, 8), restMost)
}

// over reports whether the schedule may try the bind again: it is time, or there
// are other secrets. Other settings make another poller.
func (r *rest) over(s Settings, now time.Time) bool {
	return r.refused == 0 || !now.Before(r.until) || secretsOf(s) != r.secrets
}

// secretsOf is when the files that a bind takes were last altered; the zero time
// for one that is not there.
func secretsOf(s Settings) (at [3]time.Time) {
	for i, file := range []string{s.PasswordFile, s.CertFile, s.KeyFile} {
		if info, err := os.Stat(file); err == nil {
			at[i] = info.ModTime()
		}
	}
	return at
}
