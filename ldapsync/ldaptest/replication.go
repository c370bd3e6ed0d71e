package ldaptest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// replicationConf is what a provider has in its configuration, and what a
// consumer has. A consumer begins again each second when its provider is away.
func replicationConf(c Config) string {
	var b strings.Builder
	if c.ServerID > 0 || c.Provider != nil {
		b.WriteString("moduleload syncprov.la\noverlay syncprov\nsyncprov-checkpoint 1 1\n")
	}
	if c.ServerID > 0 {
		fmt.Fprintf(&b, "serverID %d\n", c.ServerID)
	}
	if c.Provider != nil {
		fmt.Fprintf(&b, "syncrepl rid=001 provider=%s type=refreshAndPersist searchbase=%q scope=sub schemachecking=off\n"+
			"  bindmethod=simple binddn=%q credentials=%s retry=\"1 +\"\n", c.Provider.URL, Base, AdminDN, adminPW)
	}
	return b.String()
}

// ContextCSN is how far the server says that it has come in replication, sorted.
func (s *Slapd) ContextCSN() []string {
	s.tb.Helper()
	csns, err := s.contextCSN()
	if err != nil {
		s.tb.Fatalf("reading contextCSN: %v", err)
	}
	return csns
}

func (s *Slapd) contextCSN() ([]string, error) {
	conn, err := ldap.DialURL(s.URL)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	found, err := conn.Search(ldap.NewSearchRequest(Base, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"contextCSN"}, nil))
	if err != nil || len(found.Entries) != 1 {
		return nil, err
	}
	return slices.Sorted(slices.Values(found.Entries[0].GetAttributeValues("contextCSN"))), nil
}

// CatchUp waits until the server has everything that another has.
func (s *Slapd) CatchUp(with *Slapd) {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(s.tb.Context(), patience)
	defer cancel()
	want := with.ContextCSN()
	for {
		if got, err := s.contextCSN(); err == nil && len(want) > 0 && slices.Equal(got, want) { // not there while the consumer is empty
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			s.tb.Fatalf("the consumer does not get to %v", want)
		}
	}
}

// TellProgress lets the reader see, or not see, how far the server has come in
// replication. It begins with the next Restart.
func (s *Slapd) TellProgress(tell bool) {
	s.tb.Helper()
	const all, hidden = "access to * by * read\n", "access to attrs=contextCSN by * none\n"
	conf, err := os.ReadFile(s.file("slapd.conf"))
	if err != nil {
		s.tb.Fatal(err)
	}
	text := strings.ReplaceAll(string(conf), hidden, "")
	if !tell {
		text = strings.Replace(text, all, hidden+all, 1)
	}
	s.write("slapd.conf", text)
}

// Backup copies the data of the server, which must have been stopped, to a
// folder of the test. Restore puts them back.
func (s *Slapd) Backup() (folder string) {
	s.tb.Helper()
	folder = s.tb.TempDir()
	s.copyData(s.file("db"), folder)
	return folder
}

// Restore puts back what Backup copied. The server must have been stopped.
func (s *Slapd) Restore(folder string) {
	s.tb.Helper()
	s.copyData(folder, s.file("db"))
}

// copyData leaves out what a database file has not used yet, most of it.
func (s *Slapd) copyData(from, to string) {
	s.tb.Helper()
	run(s.tb, "cp", "--sparse=always", filepath.Join(from, "data.mdb"), filepath.Join(to, "data.mdb"))
}
