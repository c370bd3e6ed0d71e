package ldapsync_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
	"github.com/usherd/usherd/ldapsync/ldaptest"
	"github.com/usherd/usherd/store"
	"github.com/usherd/usherd/store/storetest"
)

// shortLease is that of the processes that are stopped or killed.
const shortLease = 5 * time.Second

// replicaOf returns a poller as a replica has it. A lease of 0 has the length
// that it has in life.
func replicaOf(t *testing.T, s *store.Store, settings map[string]any, lease time.Duration) *ldapsync.Poller {
	t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ldapsync.ParseSettings(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ldapsync.New(ldapsync.Config{Source: corp, Settings: parsed, Store: s, LeaseTTL: lease})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestReplica is a process with one poller, started by other tests: it runs
// once, as the schedule does or as somebody who asks, and says what became of it.
func TestReplica(t *testing.T) {
	if os.Getenv("USHERD_REPLICA_STORE") == "" {
		t.Skip("is started by another test")
	}
	s, err := store.Open(t.Context(), store.Config{DSN: os.Getenv("USHERD_REPLICA_STORE")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var settings map[string]any
	if err := json.Unmarshal([]byte(os.Getenv("USHERD_REPLICA_SETTINGS")), &settings); err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	p := replicaOf(t, s, settings, shortLease)
	run := p.Run
	if settings["fullEvery"] != nil {
		p.SetOverlap(time.Second)
		run = p.Update
	}
	r, err := run(t.Context())
	fmt.Printf("result %s %v %s\n", r.Result, err, strings.ReplaceAll(r.Message, "\n", " "))
}

// A replica is such a process.
type replica struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func startReplica(t *testing.T, dsn string, settings map[string]any) *replica {
	t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestReplica$", "-test.v")
	cmd.Env = append(os.Environ(), "USHERD_REPLICA_STORE="+dsn, "USHERD_REPLICA_SETTINGS="+string(text))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &replica{cmd, bufio.NewScanner(out)}
	t.Cleanup(r.kill)
	r.says(t, "ready")
	return r
}

func (r *replica) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *replica) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// says waits for a line that begins so, and returns the rest of it.
func (r *replica) says(t *testing.T, begin string) string {
	t.Helper()
	for r.out.Scan() {
		if rest, ok := strings.CutPrefix(r.out.Text(), begin); ok {
			return rest
		}
	}
	t.Fatalf("the replica ended without saying %q", begin)
	return ""
}

func openPostgres(t *testing.T) (string, *store.Store) {
	t.Helper()
	dsn := storetest.Postgres(t)
	s, err := store.Open(t.Context(), store.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	source := directory.Source{Name: corp, Kind: directory.KindLDAP, State: directory.SourceActive, Rank: 1}
	if _, err := s.Apply(t.Context(), directory.Actor{Kind: "system", Name: "test"}, directory.PutSource{Source: source}); err != nil {
		t.Fatal(err)
	}
	return dsn, s
}

func revisionOf(t *testing.T, s *store.Store) directory.Revision {
	t.Helper()
	head, err := s.Head(t.Context(), directory.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	return head.Stamp.Revision
}

// TestAReplicaThatWakesUpLateAppliesNothing: a process that polls is stopped for
// longer than its lease. Another polls meanwhile; the first, when it goes on with
// what it has read, is fenced.
func TestAReplicaThatWakesUpLateAppliesNothing(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 50})
	dsn, s := openPostgres(t)
	proxy := ldaptest.StartProxy(t, server.Addr)
	proxy.Heal()
	config := settings(t, server)
	run(t, replicaOf(t, s, config, 0), directory.RunApplied)

	late := settings(t, server)
	late["urls"], late["pageSize"] = []string{proxy.URL}, 10
	server.Replace(ldaptest.UserDN(1), "title", "as the late one reads it")
	proxy.CutAfter(4000, ldaptest.Stall) // it is in the middle of a read, and holds the lease
	hit := proxy.Hit()
	first := startReplica(t, dsn, late)
	<-hit
	first.signal(t, syscall.SIGSTOP)
	server.Replace(ldaptest.UserDN(1), "title", "as it is now")
	run(t, replicaOf(t, s, config, 0), directory.RunApplied) // waits for the lease to end
	before := revisionOf(t, s)
	proxy.Heal()
	first.signal(t, syscall.SIGCONT)
	said := first.says(t, "result ")
	if strings.HasPrefix(said, string(directory.RunApplied)) || strings.HasPrefix(said, string(directory.RunUnchanged)) {
		t.Errorf("the late replica: %s; want a run that failed", said)
	}
	if after := revisionOf(t, s); after != before {
		t.Errorf("the late replica moved revision %d to %d", before, after)
	}
	run(t, replicaOf(t, s, config, 0), directory.RunUnchanged)
}

// TestARunThatIsKilledIsMadeGood: a process is killed at one moment of a run
// after another. The last run has everything as a run without such an end.
func TestARunThatIsKilledIsMadeGood(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 1500, Groups: 40})
	dsn, s := openPostgres(t)
	config := settings(t, server)
	for range 2 {
		from := revisionOf(t, s)
		r := startReplica(t, dsn, config)
		// while it reads first, then after each batch
		poll(t, func() bool { return revisionOf(t, s) > from })
		r.kill()
	}
	last := run(t, replicaOf(t, s, config, 0), directory.RunApplied)
	if last.Counts["users.gone"] != 0 || last.Counts["members.remove"] != 0 {
		t.Errorf("after runs that were killed: %v", last.Counts)
	}
	other := openStore(t)
	run(t, poller(t, other, config), directory.RunApplied)
	if diff := difference(facts(t, s), facts(t, other)); len(diff) > 0 {
		t.Errorf("%d differences, such as %s", len(diff), diff[0])
	}
	run(t, replicaOf(t, s, config, 0), directory.RunUnchanged)
}

// poll waits until something is so.
func poll(t *testing.T, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not come to be so")
		}
	}
}
