package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/usherd/usherd/ldapsync"
)

// TestAProbeIsPrintedForPeople: with what is to be done, and so that nothing in
// a directory moves the cursor or forges a line.
func TestAProbeIsPrintedForPeople(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(probed{true, ldapsync.Probe{
		Server: "ldaps://dc1.corp.example", Vendor: "OpenLDAP", Who: "dn:cn=reader", Advice: "another template", People: 2, Groups: 1,
		Passed: []string{"ldaps://dc0.corp.example: refused"}, Steps: []ldapsync.Step{{Name: "connect", OK: true}, {Name: "bind", Error: "check bindDN"}},
		Sample: []ldapsync.Sample{
			{UserName: "alice", DisplayName: "Alice Ansel", Emails: []string{"alice@corp.example"}, DN: "uid=alice", Active: true},
			{UserName: "eve", DisplayName: "x\x1b[2J\nconnect  ok", DN: "uid=eve", Rejected: "no usable userName"},
		},
		SampleGroups: []ldapsync.SampleGroup{{Name: "backend", Members: 2, DN: "cn=backend"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&app{stdout: &out}).printProbe(text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"dc0.corp.example: refused", "check bindDN", "cn=reader", "another template", "alice@corp.example", "2 members", "no usable userName", `\x1b[2J\n`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), "\n") != 12 {
		t.Errorf("%d lines, want 12, and nothing that moves the cursor:\n%q", strings.Count(out.String(), "\n"), &out)
	}
}
