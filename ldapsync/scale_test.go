package ldapsync_test

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// TestScale measures a first and a second read of a large directory. It runs
// by itself and only when asked: USHERD_SCALE_LDAP is the number of people.
func TestScale(t *testing.T) {
	users, err := strconv.Atoi(os.Getenv("USHERD_SCALE_LDAP"))
	if err != nil {
		t.Skip("set USHERD_SCALE_LDAP to a number of people, or use make scale-ldap")
	}
	server := ldaptest.Start(t, ldaptest.Config{Users: users, Groups: max(1000, users/500)})
	s := openStore(t)
	config := settings(t, server)
	config["runTimeout"] = "1h"
	p := poller(t, s, config)
	for i, want := range []directory.RunResult{directory.RunApplied, directory.RunUnchanged} {
		debug.FreeOSMemory()
		resetPeak(t)
		begun := time.Now()
		r := run(t, p, want)
		t.Logf("run %d: %s, peak %d MB, counts %v", i+1, time.Since(begun).Round(10*time.Millisecond), peakMB(t), r.Counts)
		if i == 0 && r.Counts["users.create"] != int64(users)+5 {
			t.Errorf("counts %v, want %d people", r.Counts, users+5)
		}
	}
}

// resetPeak makes the kernel forget the peak of this process's memory.
func resetPeak(t *testing.T) {
	t.Helper()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600); err != nil {
		t.Skipf("this kernel does not reset peaks: %v", err)
	}
}

// peakMB is the most memory that this process had since resetPeak.
func peakMB(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	t.Fatal("no VmHWM in /proc/self/status")
	return 0
}
