package ldapsync

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// TestTryingASourceOut: what is well is told as a run would take it over, and
// what is not by the stage at which it shows.
func TestTryingASourceOut(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 60, TLS: true})
	good := settingsOf(t, server)
	good.URLs, good.CAFile, good.AllowPlaintextBind = []string{server.TLSURL}, server.Certs.CA, false
	for _, c := range []struct {
		name  string
		alter func(*Settings)
		steps string // the last failed if it ends in !
		says  string
	}{
		{"all is well", func(*Settings) {}, "find servers, connect, TLS, bind, ask what the server is, read everything", ""},
		{"without TLS", func(s *Settings) { s.URLs, s.AllowPlaintextBind = []string{server.URL}, true }, "find servers, connect, bind, ask what the server is, read everything", ""},
		{"nobody answers", func(s *Settings) { s.URLs = []string{"ldaps://127.0.0.1:1"} }, "find servers, connect!", "refused"},
		{"an unknown authority", func(s *Settings) { s.CAFile = "" }, "find servers, connect, TLS!", "caFile"},
		{"a wrong password", func(s *Settings) { s.PasswordFile = secretFile(t, "wrong") }, "find servers, connect, TLS, bind!", "bindDN"},
		{"a size limit", func(s *Settings) { s.BindDN = ldaptest.LimitedDN }, "find servers, connect, TLS, bind, ask what the server is, read everything!", "size.prtotal=unlimited"},
		{"another base", func(s *Settings) { s.UserBase = []string{"dc=other"} }, "find servers, connect, TLS, bind, ask what the server is, read everything!", server.Base},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good
			c.alter(&s)
			p := Try(t.Context(), s, time.Now())
			var steps []string
			for _, step := range p.Steps {
				steps = append(steps, step.Name+map[bool]string{false: "!"}[step.OK])
			}
			last := p.Steps[len(p.Steps)-1].Error
			if got := strings.Join(steps, ", "); got != c.steps || !strings.Contains(last, c.says) || p.OK() != (c.says == "") {
				t.Errorf("steps %q, %q; want %q and %q", got, last, c.steps, c.says)
			}
		})
	}

	s := good
	s.URLs, s.Template = []string{"ldaps://127.0.0.1:1", server.TLSURL}, "389ds"
	s.Attributes = &Mapping{ID: "entryUUID"}
	p := Try(t.Context(), s, time.Now())
	if !p.OK() || len(p.Passed) != 1 || !strings.Contains(p.Advice, "openldap") || !strings.Contains(p.Who, server.BindDN) {
		t.Errorf("behind a dead server, with another template: %+v", p)
	}
	who := slices.IndexFunc(p.Sample, func(s Sample) bool { return s.UserName == "alice" })
	if who < 0 || len(p.Sample) != 5 || p.Sample[who].DisplayName == "" || !slices.Equal(p.Sample[who].Emails, []string{"alice@example.test"}) {
		t.Errorf("sample %+v, want five people with what is mapped of them", p.Sample)
	}
	group := slices.IndexFunc(p.SampleGroups, func(g SampleGroup) bool { return g.Name == "backend" })
	if group < 0 || len(p.SampleGroups) != 5 || p.SampleGroups[group].Members != 2 {
		t.Errorf("sample of groups %+v, want five, and backend of two", p.SampleGroups)
	}
}

// TestARefusedBindIsTriedSeldom: the schedule does not lock the account, a new
// password is tried at once, and so is what somebody asks for.
func TestARefusedBindIsTriedSeldom(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{})
	proxy := ldaptest.StartProxy(t, server.Addr)
	proxy.Heal()
	s := settingsOf(t, server)
	s.URLs, s.FullEvery = []string{proxy.URL}, Duration(time.Hour)
	store := newMapStore()
	now := time.Now()
	p, err := New(Config{Source: "corp", Settings: s, Store: store, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	runs(t, p, directory.RunApplied)
	due := func() bool { // a run of the schedule, a minute after the one before
		t.Helper()
		now = now.Add(time.Minute)
		_, err := p.runUnless(t.Context(), now.Add(-30*time.Second), occasion{})
		return err == nil
	}
	const canary = "Zhf8-wrong"
	server.Replace(server.BindDN, "userPassword", "another")
	p.cfg.Settings.PasswordFile = secretFile(t, canary)
	binds := func() int { return strings.Count(string(proxy.Heard()), canary) }
	if !due() || binds() != 1 {
		t.Errorf("%d binds, want one in the first run that is refused", binds())
	}
	for range 14 {
		due()
	}
	if binds() != 1 {
		t.Errorf("%d binds within a quarter of an hour, want 1", binds())
	}
	for range 24 * 60 {
		now = now.Add(time.Minute)
		if p.rest.over(p.cfg.Settings, now) && !due() {
			t.Error("it is time, and the bind was not tried again")
		}
	}
	if n := binds(); n < 5 || n > 10 {
		t.Errorf("%d binds in a day, want a few", n)
	}
	other, err := New(Config{Source: "corp", Settings: p.cfg.Settings, Store: store, Now: func() time.Time { return now.Add(-48 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	other.cfg.Now = p.cfg.Now // a replica that has been there all the time
	if _, err := other.runUnless(t.Context(), now.Add(time.Second), occasion{}); !errors.Is(err, ErrBusy) || other.rest.refused != p.rest.refused {
		t.Errorf("a replica does not rest with the one that was refused: %v", err)
	}
	before, refused, until := binds(), p.rest.refused, p.rest.until
	if run := runs(t, p, directory.RunIncomplete); binds() != before+1 || p.rest.refused != refused || p.rest.until.After(until) ||
		!strings.Contains(run.Message, p.rest.until.UTC().Format("2006-01-02 15:04")) {
		t.Errorf("a run that somebody asks for: %d binds, %d refused, want 1 and %d; message %q", binds()-before, p.rest.refused, refused, run.Message)
	}
	p.cfg.Settings.PasswordFile = secretFile(t, "another")
	if !due() || p.rest.refused != 0 {
		t.Error("another password is not tried at once")
	}
}
