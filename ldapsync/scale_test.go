package ldapsync_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
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
	config["runTimeout"], config["maxEntries"] = "1h", 2*users
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

// TestScaleGroup measures a plan with one group of everybody: in one entry from
// slapd, and by ranges of 1,500 as Active Directory answers.
func TestScaleGroup(t *testing.T) {
	users, err := strconv.Atoi(os.Getenv("USHERD_SCALE_LDAP_GROUP"))
	if err != nil {
		t.Skip("set USHERD_SCALE_LDAP_GROUP to a number of people, or use make scale-ldap")
	}
	measure := func(what string, config map[string]any, limit int) {
		config["runTimeout"], config["groupPageSize"] = "1h", 1
		p := poller(t, openStore(t), config)
		debug.FreeOSMemory()
		resetPeak(t)
		begun := time.Now()
		report, err := p.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer report.Close()
		peak := peakMB(t)
		t.Logf("%s: %s, peak %d MB, counts %v", what, time.Since(begun).Round(10*time.Millisecond), peak, report.Plan.Counts)
		if n := report.Plan.Counts["members.add"]; n < int64(users) || peak > limit {
			t.Errorf("%s: %d members and %d MB, want all and at most %d MB", what, n, peak, limit)
		}
	}
	measure("by ranges", fakeOf(t, users), 200)
	server := ldaptest.Start(t, ldaptest.Config{Users: users, Whole: true})
	measure("in one entry", settings(t, server), 1000)
}

// fakeOf starts a process with a server of so many people in one group.
func fakeOf(t *testing.T, users int) map[string]any {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServeFake$", "-test.v")
	cmd.Env = append(os.Environ(), fmt.Sprintf("USHERD_FAKE_LDAP=%d", users))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if url, ok := strings.CutPrefix(lines.Text(), "serving "); ok {
			return map[string]any{
				"urls": []string{url}, "allowPlaintextBind": true, "bindDN": ldaptest.ReaderDN, "passwordFile": secret(t, "pw"),
				"template": "active-directory", "base": []string{"dc=fake,dc=test"}, "userFilter": "(objectClass=user)", "groupFilter": "(objectClass=group)",
			}
		}
	}
	t.Fatal("the server did not start")
	return nil
}

// TestServeFake is the process that fakeOf starts.
func TestServeFake(t *testing.T) {
	users, err := strconv.Atoi(os.Getenv("USHERD_FAKE_LDAP"))
	if err != nil {
		t.Skip("is started by another test")
	}
	const base = "dc=fake,dc=test"
	var entries []ldaptest.Entry
	members := make([]string, 0, users)
	for i := range users {
		dn := fmt.Sprintf("CN=User %d,OU=people,%s", i, base)
		members = append(members, dn)
		entries = append(entries, ldaptest.Entry{DN: dn, Attrs: map[string][]string{
			"objectClass": {"user"}, "objectGUID": {fmt.Sprintf("%016d", i)}, "sAMAccountName": {fmt.Sprintf("u%d", i)}, "userAccountControl": {"512"},
		}})
	}
	entries = append(entries, ldaptest.Entry{DN: "CN=everybody," + base, Attrs: map[string][]string{
		"objectClass": {"group"}, "objectGUID": {"group-0000000000"}, "cn": {"everybody"}, "member": members,
	}})
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Entries: entries, Contexts: []string{base}, MaxValRange: 1500})
	fmt.Println("serving " + fake.URL)
	<-t.Context().Done()
}
