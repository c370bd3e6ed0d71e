package console

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/usherd/usherd/directory"
)

// A sparkView is how long the last runs of a source took, as bars.
type sparkView struct {
	Bars  []sparkBar
	Words string // the same for who does not see it
}

// A sparkBar is one bar in a picture of 100 by 20.
type sparkBar struct {
	X, Y, Width, Height string
	Bad                 bool // the run failed or was held
}

// sparkRuns is how many runs a picture shows.
const sparkRuns = 20

// sparkOf draws the last runs that ended, the oldest first.
func sparkOf(runs []directory.Run) sparkView {
	runs = slices.DeleteFunc(slices.Clone(runs), func(r directory.Run) bool { return r.Ended.IsZero() })
	runs = runs[:min(sparkRuns, len(runs))]
	slices.Reverse(runs)
	longest, failed := time.Millisecond, 0
	for _, r := range runs {
		longest = max(longest, r.Ended.Sub(r.Started))
	}
	var v sparkView
	for i, r := range runs {
		height := max(2, 20*float64(r.Ended.Sub(r.Started))/float64(longest))
		bar := sparkBar{
			X: strconv.Itoa(5 * i), Width: "4", Y: fmt.Sprintf("%.1f", 20-height), Height: fmt.Sprintf("%.1f", height),
			Bad: r.Result != directory.RunApplied && r.Result != directory.RunUnchanged && r.Result != directory.RunCancelled,
		}
		if bar.Bad {
			failed++
		}
		v.Bars = append(v.Bars, bar)
	}
	if len(runs) > 0 {
		v.Words = fmt.Sprintf("the last %d runs took up to %s", len(runs), longest.Round(time.Millisecond))
		if failed > 0 {
			v.Words += fmt.Sprintf("; %d did not apply", failed)
		}
	}
	return v
}

// roughly is a duration in its largest unit.
func roughly(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}} {
		if d >= u.size {
			return strconv.FormatInt(int64(d/u.size), 10) + " " + u.name
		}
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + " s"
}

// lagText is how far behind its directory what is known of it may be.
func lagText(s standing) string {
	if s.Lag <= 0 || s.State != directory.SourceActive {
		return "--"
	}
	return roughly(s.Lag)
}
