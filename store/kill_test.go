package store

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/usherd/usherd/directory"
)

// killedDSN tells a test process that it is the one to be killed.
const killedDSN = "USHERD_TEST_KILLED_DSN"

// TestKilledWriterLosesNothingAnswered kills a process that writes as fast as it
// can. Whatever it was answered must be there, and nothing half.
func TestKilledWriterLosesNothingAnswered(t *testing.T) {
	if dsn := os.Getenv(killedDSN); dsn != "" {
		writeUntilKilled(t, dsn)
		return
	}
	dsn := filepath.Join(t.TempDir(), "usherd.db")
	for round := range 3 {
		answered := killAfter(t, dsn, 20+30*round)
		s, err := Open(t.Context(), Config{DSN: dsn})
		if err != nil {
			t.Fatalf("Open after the kill = %v", err)
		}
		for _, name := range answered {
			sub, err := s.Subject(t.Context(), directory.SubjectKey{Kind: directory.KeyUserName, Value: name}, directory.Stamp{})
			if err != nil || sub.Found != directory.One || len(sub.Memberships) != 1 {
				t.Errorf("after the kill %s, whose creation was answered, is %+v, %v; want one with a membership", name, sub, err)
			}
		}
		var strays int64
		err = s.read.QueryRowContext(t.Context(), `SELECT abs(u - g) + abs(g - m) FROM (SELECT (SELECT count(*) FROM users) AS u,
			(SELECT count(*) FROM groups) AS g, (SELECT count(*) FROM membership) AS m)`).Scan(&strays)
		if err != nil || strays != 0 {
			t.Errorf("after the kill %d users, groups and memberships don't belong together, %v", strays, err)
		}
		checkHistory(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter starts a writing process, kills it after a number of answers and
// returns the names it was answered.
func killAfter(t *testing.T, dsn string, answers int) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledWriterLosesNothingAnswered$")
	cmd.Env = append(os.Environ(), killedDSN+"="+dsn)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var names []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "answered "); ok {
			names = append(names, name)
		} else {
			t.Errorf("the writing process says %q", lines.Text())
		}
		if len(names) == answers {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(names) < answers {
		t.Fatalf("the writing process ended by itself after %d answers", len(names))
	}
	return names
}

// writeUntilKilled makes users, each with a group of its own, and says which.
func writeUntilKilled(t *testing.T, dsn string) {
	s, err := Open(t.Context(), Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	var say sync.Mutex // guards the output
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for {
				u, g := createLocal(directory.NewID()), createLocalGroup(directory.NewID())
				_, err := s.Apply(t.Context(), system, u, g,
					directory.AddMembers{Group: g.ID, Source: directory.Local, Values: []string{string(u.ID)}})
				if err != nil {
					return
				}
				say.Lock()
				fmt.Println("answered", u.Profile.UserName)
				say.Unlock()
			}
		})
	}
	wait.Wait()
}
