package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// TestARunWithoutADaemonTellsHowFarItIs: the store is ours alone while a run
// goes on, and it is asked nevertheless. The server falls silent in the middle,
// so that the run lasts.
func TestARunWithoutADaemonTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	data, err := os.MkdirTemp("", "usherd") //nolint:usetesting // the name of the socket in it has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	p := &pair{T: t, server: ldaptest.Start(t, ldaptest.Config{Users: 100})}
	p.proxy = ldaptest.StartProxy(t, p.server.Addr)
	r := &replica{t: t, data: data, env: append(os.Environ(), "USHERD_DATA="+data)}
	r.usherd("token", "create", "--kind", "check", "--name", "shop") // makes the store
	p.add(r)
	r.usherd("source", "set", "corp", "requestTimeout=4s", "schedule=@every 15m")
	p.proxy.CutAfter(5_000, ldaptest.Stall)
	var out, log bytes.Buffer
	cmd := r.command(t.Context(), "sync", "run", "corp", "--exit-code", "-o", "json")
	cmd.Stdout, cmd.Stderr = &out, &log
	exit, _ := errors.AsType[*exec.ExitError](cmd.Run())
	if exit == nil || exit.ExitCode() != exitIncomplete {
		t.Fatalf("%v: %s; want exit code %d", exit, &log, exitIncomplete)
	}
	if !strings.Contains(out.String(), `"result":"incomplete"`) || !strings.Contains(log.String(), " people and ") {
		t.Errorf("it says %s and tells %q; want an incomplete run, and how far it came", &out, &log)
	}
	p.proxy.Heal()
	if run := p.result(r); run.Result != "applied" {
		t.Errorf("then: %+v", run)
	}
}

func TestSchedulesAreNoFiles(t *testing.T) {
	t.Parallel()
	for _, assignment := range []string{"schedule=@every 15m", "schedule=@hourly"} {
		change, err := settingsChange(json.RawMessage(`{}`), []string{assignment})
		if got, _ := change["schedule"].(string); err != nil || "schedule="+got != assignment {
			t.Errorf("%s: %v, %v", assignment, change, err)
		}
	}
	if _, err := settingsChange(nil, []string{"schemas=@everything.json"}); err == nil {
		t.Error("@everything.json is taken for a schedule")
	}
}
