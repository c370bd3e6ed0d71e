package ldapsync

import (
	"testing"

	"github.com/usherd/usherd/directory"
)

func TestWhoLooksSomethingUpMindsARefusedBind(t *testing.T) {
	refused := directory.Run{Result: directory.RunFailed, Counts: map[string]int64{refusedCount: 2}}
	for name, c := range map[string]struct {
		runs []directory.Run
		want bool
	}{
		"no run":                    {nil, false},
		"the last one was refused":  {[]directory.Run{refused, {Result: directory.RunApplied}}, true},
		"one after it was not":      {[]directory.Run{{Result: directory.RunUnchanged}, refused}, false},
		"one after it is under way": {[]directory.Run{{Result: directory.RunRunning}, refused}, true},
		"one after it was stopped":  {[]directory.Run{{Result: directory.RunCancelled}, refused}, true},
	} {
		if got := Refused(c.runs); got != c.want {
			t.Errorf("%s: Refused = %v, want %v", name, got, c.want)
		}
	}
}
