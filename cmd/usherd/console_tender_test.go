package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func TestTheSupportBundleHoldsNoSecretsAndNobody(t *testing.T) {
	const canary = "canary-7f3a"
	d, _ := startDaemon(t)
	by := directory.Actor{Kind: directory.ActorSocket, Name: "test"}
	ctx := admin.WithPrincipal(t.Context(), by)
	if _, err := d.service.CreateUser(ctx, by, admin.NewUser{UserName: canary + "@example.com", Name: canary}); err != nil {
		t.Fatal(err)
	}
	made, err := d.service.AddSource(ctx, by, admin.NewSource{Name: "okta", Kind: directory.KindSCIM})
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := (machine{d}).Bundle(ctx, &packed); err != nil {
		t.Fatal(err)
	}
	zipped, err := gzip.NewReader(&packed)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for archive := tar.NewReader(zipped); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, head.Name)
		if len(text) < 3 || bytes.HasPrefix(text, []byte("can't be told")) {
			t.Errorf("%s holds %q", head.Name, text)
		}
		for _, secret := range []string{canary, made.Token} {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s holds %q", head.Name, secret)
			}
		}
		if strings.HasSuffix(head.Name, "sources.json") && !bytes.Contains(text, []byte(`"okta"`)) {
			t.Errorf("%s does not tell of the source: %s", head.Name, text)
		}
	}
	if len(names) != 6 || !slices.Contains(names, "usherd-support/doctor.json") {
		t.Errorf("the bundle holds %q", names)
	}
}

func TestAnotherLogLevelEnds(t *testing.T) {
	d, _ := startDaemon(t)
	m := machine{d}
	if level, until := m.LogLevel(); level != "info" || !until.IsZero() {
		t.Fatalf("at first the level is %s until %v; want what is configured", level, until)
	}
	if err := m.SetLogLevel("error", time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := m.SetLogLevel("debug", 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if level, until := m.LogLevel(); level != "debug" || until.IsZero() {
		t.Errorf("the level is %s until %v; want debug for a while", level, until)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(2 * time.Minute); ; {
		select {
		case <-tick.C:
			if level, until := m.LogLevel(); level == "info" && until.IsZero() {
				return
			}
		case <-late:
			t.Fatal("the level never is as configured again")
		}
	}
}
