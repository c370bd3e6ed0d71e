package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
	"github.com/usherd/usherd/store"
	"github.com/usherd/usherd/store/storetest"
)

// shortLease is that of the source which daemons are stopped over.
const shortLease = 5 * time.Second

// A replica is a daemon in a process of its own: the real binary.
type replica struct {
	t    *testing.T
	cmd  *exec.Cmd
	data string
	env  []string
	log  bytes.Buffer
}

// startReplica starts a daemon over a database and waits until it is ready.
func startReplica(t *testing.T, dsn string) *replica {
	t.Helper()
	data, err := os.MkdirTemp("", "usherd") //nolint:usetesting // the name of the socket in it has a limit
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{t: t, data: data, env: append(os.Environ(), "USHERD_STORE="+dsn, "USHERD_DATA="+data)}
	r.cmd = r.command(context.Background(), "serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
	r.cmd.Stdout, r.cmd.Stderr = &r.log, &r.log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.kill()
		_ = os.RemoveAll(data)
	})
	await(t, "the daemon is ready", func() error {
		var at addresses
		text, err := os.ReadFile(filepath.Join(data, "usherd.addr"))
		if err == nil {
			err = json.Unmarshal(text, &at)
		}
		if err != nil {
			return err
		}
		resp, err := http.Get("http://" + at.OpsListen + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
	return r
}

func (r *replica) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Args, cmd.Env = append([]string{"usherd"}, args...), r.env
	return cmd
}

func (r *replica) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *replica) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
}

// usherd runs a command on the data folder of the daemon.
func (r *replica) usherd(args ...string) string {
	r.t.Helper()
	var out, log bytes.Buffer
	cmd := r.command(r.t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("usherd %s: %v: %s", strings.Join(args, " "), err, &log)
	}
	return out.String()
}

// syncs asks for a run without waiting for its end, and returns what becomes
// of the command.
func (r *replica) syncs() <-chan string {
	done := make(chan string, 1)
	cmd := r.command(r.t.Context(), "sync", "run", "corp", "-o", "json")
	go func() {
		out, err := cmd.CombinedOutput()
		done <- fmt.Sprintf("%s %v", out, err)
		close(done)
	}()
	r.t.Cleanup(func() { // it ends with the daemon
		r.kill()
		for range done {
		}
	})
	return done
}

// await asks until the answer is nil.
func await(t *testing.T, what string, ask func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// A pair is a database that daemons share, and a directory that they read.
type pair struct {
	*testing.T
	dsn    string
	store  *store.Store
	server *ldaptest.Slapd
	proxy  *ldaptest.Proxy
}

func startPair(t *testing.T, users int) *pair {
	t.Helper()
	p := &pair{T: t, dsn: storetest.Postgres(t), server: ldaptest.Start(t, ldaptest.Config{Users: users, Groups: users / 50})}
	p.proxy = ldaptest.StartProxy(t, p.server.Addr)
	p.proxy.Heal()
	var err error
	if p.store, err = store.Open(t.Context(), store.Config{DSN: p.dsn}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.store.Close() })
	return p
}

// add adds the source, as an administrator does, with a short lease.
func (p *pair) add(r *replica) {
	p.Helper()
	file := filepath.Join(p.TempDir(), "password")
	if err := os.WriteFile(file, []byte(p.server.Password), 0o600); err != nil {
		p.Fatal(err)
	}
	r.usherd("source", "add", "corp", "--kind", "ldap", "--template", "openldap", "--url", p.proxy.URL, "--bind-dn", p.server.BindDN,
		"--bind-password-file", file, "--base", p.server.Base, "--schedule", "0 3 1 1 *")
	r.usherd("source", "set", "corp", "lease="+shortLease.String(), "pageSize=50")
}

// result runs the source and returns how that ended.
func (p *pair) result(r *replica) directory.Run {
	p.Helper()
	var run directory.Run
	out := r.usherd("sync", "run", "corp", "-o", "json")
	if err := json.Unmarshal([]byte(out), &run); err != nil {
		p.Fatalf("%v: %s", err, out)
	}
	return run
}

func (p *pair) revision() directory.Revision {
	p.Helper()
	head, err := p.store.Head(p.Context(), directory.Stamp{})
	if err != nil {
		p.Fatal(err)
	}
	return head.Stamp.Revision
}

// facts are people and groups as a reader sees them, without our own ids.
func (p *pair) facts() map[string]string {
	p.Helper()
	out, names := map[string]string{}, map[string]string{}
	people, err := p.store.Identities(p.Context(), directory.Query{Source: "corp", Limit: 100_000})
	if err != nil {
		p.Fatal(err)
	}
	for _, i := range people.Items {
		names[string(i.ID)] = i.ExternalID
		out[i.ExternalID] = fmt.Sprint(i.UserName, i.Active, i.Presence, i.DN, string(i.Attributes))
	}
	groups, err := p.store.Groups(p.Context(), directory.Query{Source: "corp", Limit: 100_000})
	if err != nil {
		p.Fatal(err)
	}
	for _, g := range groups.Items {
		names[string(g.ID)] = g.ExternalID
	}
	for _, g := range groups.Items {
		var members []string
		for m, err := range p.store.Members(p.Context(), g.ID) {
			if err != nil {
				p.Fatal(err)
			}
			members = append(members, names[m.Value])
		}
		slices.Sort(members)
		out[g.ExternalID] = g.Name + " " + strings.Join(members, ",")
	}
	return out
}

// block keeps every writer of the database waiting, until the function that it
// returns is called.
func (p *pair) block() func() {
	p.Helper()
	db, err := sql.Open("pgx", p.dsn)
	if err != nil {
		p.Fatal(err)
	}
	tx, err := db.BeginTx(p.Context(), nil)
	if err == nil {
		_, err = tx.ExecContext(p.Context(), `SELECT revision FROM head WHERE id = 1 FOR UPDATE`)
	}
	if err != nil {
		p.Fatal(err)
	}
	return func() {
		_ = tx.Rollback()
		_ = db.Close()
	}
}

// waits reports whether somebody waits for the head of the database.
func (p *pair) waits(db *sql.DB) error {
	var n int
	err := db.QueryRowContext(p.Context(), `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE head%'
		AND datname = current_database()`).Scan(&n)
	if err == nil && n == 0 {
		err = errors.New("nobody waits")
	}
	return err
}

func (p *pair) underWay() error {
	runs, err := p.store.Runs(p.Context(), "corp", 1)
	if err == nil && (len(runs) == 0 || runs[0].Result != directory.RunRunning) {
		err = fmt.Errorf("no run is under way: %v", runs)
	}
	return err
}

// TestTwoDaemonsOverOneDirectory: one polls; and the one that polls, stopped
// for longer than its lease in the middle of a read, applies nothing of it when
// it goes on, whatever the other did meanwhile.
func TestTwoDaemonsOverOneDirectory(t *testing.T) {
	t.Parallel()
	p := startPair(t, 300)
	one, two := startReplica(t, p.dsn), startReplica(t, p.dsn)
	p.add(one)
	if r := p.result(two); r.Result != directory.RunApplied {
		t.Fatalf("first run: %+v", r)
	}
	p.server.Replace(ldaptest.UserDN(1), "title", "as the first one reads it")
	p.proxy.CutAfter(20_000, ldaptest.Stall) // in the middle of a read
	hit := p.proxy.Hit()
	said := one.syncs()
	<-hit
	one.signal(syscall.SIGSTOP)
	p.server.Replace(ldaptest.UserDN(1), "title", "as it is now")
	p.server.Delete(ldaptest.UserDN(2))
	p.proxy.Heal()
	if r := p.result(two); r.Result != directory.RunApplied || r.Counts["users.gone"] != 1 {
		t.Errorf("the other daemon: %+v, want one gone", r)
	}
	before, facts := p.revision(), p.facts()
	one.signal(syscall.SIGCONT)
	if text := <-said; strings.Contains(text, `"result":"applied"`) || strings.Contains(text, `"result":"unchanged"`) {
		t.Errorf("the daemon that was stopped says %s; want a run that failed", text)
	}
	if after := p.revision(); after != before || !maps.Equal(p.facts(), facts) {
		t.Errorf("the daemon that was stopped moved revision %d to %d", before, after)
	}

	// both are asked at once: one polls at a time
	asked := []<-chan string{one.syncs(), two.syncs(), one.syncs(), two.syncs()}
	for _, said := range asked {
		if text := <-said; !strings.Contains(text, `"result":"unchanged"`) {
			t.Errorf("a run that nothing is in the way of: %s", text)
		}
	}
	all, err := p.store.Runs(t.Context(), "corp", len(asked))
	if err != nil || len(all) != len(asked) {
		t.Fatalf("Runs = %d, %v", len(all), err)
	}
	for i := range all[1:] {
		if all[i].Started.Before(all[i+1].Ended) {
			t.Errorf("a run began at %v, and one before it ended at %v: both daemons poll", all[i].Started, all[i+1].Ended)
		}
	}
}

// TestARunIsCancelledThroughAnotherDaemon: while it reads and while it applies,
// whichever daemon is asked. What was applied stays, and the next run does the
// rest.
func TestARunIsCancelledThroughAnotherDaemon(t *testing.T) {
	t.Parallel()
	p := startPair(t, 1500)
	one, two := startReplica(t, p.dsn), startReplica(t, p.dsn)
	p.add(one)
	cancel := func(what string, said <-chan string) directory.Run {
		t.Helper()
		var run directory.Run
		if err := json.Unmarshal([]byte(two.usherd("sync", "cancel", "corp", "-o", "json")), &run); err != nil {
			t.Fatal(err)
		}
		if run.Result != directory.RunCancelled || !strings.HasPrefix(run.CancelledBy, "socket:") || run.Ended.IsZero() {
			t.Errorf("%s: %+v, want it cancelled", what, run)
		}
		if text := <-said; !strings.Contains(text, `"result":"cancelled"`) || !strings.Contains(text, "exit status 1") {
			t.Errorf("%s: who asked for the run is told %s", what, text)
		}
		return run
	}
	from := p.revision()
	p.proxy.CutAfter(100_000, ldaptest.Stall)
	hit := p.proxy.Hit()
	said := one.syncs()
	<-hit
	cancel("while it reads", said)
	if notes := p.revision() - from; notes != 1 { // that it was cancelled
		t.Errorf("cancelled while it read, it made %d revisions", notes)
	}
	p.proxy.Heal()

	from = p.revision()
	said = one.syncs()
	await(t, "the first batch", func() error {
		if p.revision() == from {
			return errors.New("nothing is applied")
		}
		return nil
	})
	run := cancel("while it applies", said)
	if run.Revision <= from || !strings.Contains(run.Message, "stays") {
		t.Errorf("cancelled while it applied, it says %+v", run)
	}
	if r := p.result(two); r.Result != directory.RunApplied || r.Counts["users.gone"]+r.Counts["members.remove"] != 0 {
		t.Errorf("the run after: %+v", r)
	}
	if r := p.result(one); r.Result != directory.RunUnchanged {
		t.Errorf("and the next: %+v", r)
	}
}

// TestADaemonThatIsKilledInEachPhase: while it reads, while it plans, and
// between two batches. The daemon that comes after makes the same of it as one
// that nobody killed.
func TestADaemonThatIsKilledInEachPhase(t *testing.T) {
	t.Parallel()
	p := startPair(t, 1500)
	db, err := sql.Open("pgx", p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	first := startReplica(t, p.dsn)
	p.add(first)
	for _, phase := range []struct {
		name string
		come func() (after func()) // returns when the daemon is in the phase
	}{
		{"collect", func() func() {
			p.proxy.CutAfter(100_000, ldaptest.Stall)
			hit := p.proxy.Hit()
			first.syncs()
			<-hit
			return p.proxy.Heal
		}},
		{"plan", func() func() {
			free := p.block() // a preview waits for writers
			first.syncs()
			await(t, "a preview that waits", func() error { return p.waits(db) })
			return free
		}},
		{"apply", func() func() {
			from := p.revision()
			first.syncs()
			await(t, "the first batch", func() error {
				if p.revision() == from {
					return errors.New("nothing is applied")
				}
				return nil
			})
			free := p.block()
			await(t, "a batch that waits", func() error { return p.waits(db) })
			return free
		}},
	} {
		before := p.revision()
		after := phase.come()
		if err := p.underWay(); err != nil {
			t.Errorf("%s: %v", phase.name, err)
		}
		first.kill()
		after()
		if moved := p.revision() - before; (moved > 0) != (phase.name == "apply") {
			t.Errorf("killed in %s: %d revisions", phase.name, moved)
		}
		first = startReplica(t, p.dsn)
	}
	if last := p.result(first); last.Result != directory.RunApplied || last.Counts["users.gone"]+last.Counts["members.remove"] != 0 {
		t.Errorf("the run after: %+v", last)
	}
	if r := p.result(first); r.Result != directory.RunUnchanged {
		t.Errorf("and the next: %+v", r)
	}
	// another store, nobody killed
	other := *p
	other.dsn = storetest.Postgres(t)
	if other.store, err = store.Open(t.Context(), store.Config{DSN: other.dsn}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.store.Close() })
	undisturbed := startReplica(t, other.dsn)
	other.add(undisturbed)
	if r := other.result(undisturbed); r.Result != directory.RunApplied {
		t.Errorf("without a kill: %+v", r)
	}
	a, b := p.facts(), other.facts()
	if len(a) < 1500 || !maps.Equal(a, b) {
		t.Errorf("%s facts after kills, %s without, and they differ", strconv.Itoa(len(a)), strconv.Itoa(len(b)))
	}
}
