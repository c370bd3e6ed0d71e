package main

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestTokensAreWarnedAboutAtThirtySevenAndOneDays(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), store.Config{DSN: filepath.Join(t.TempDir(), "usherd.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	end := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	for _, id := range []string{"ends", "revoked"} {
		tok := directory.Token{ID: id, Kind: directory.TokenCheck, Name: id, Created: end.Add(-90 * 24 * time.Hour), Expires: end}
		if _, err := st.Apply(t.Context(), directory.Actor{Kind: "system"}, directory.CreateToken{Token: tok, Hash: []byte(id)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := st.Apply(t.Context(), directory.Actor{Kind: "system"}, directory.RevokeToken{ID: "revoked"}); err != nil {
		t.Fatal(err)
	}
	core, logged := observer.New(zap.WarnLevel)
	d := &daemon{store: st, log: zap.New(core)}
	warned := map[string]time.Duration{}
	var days []int64
	for left := 40; left >= -1; left-- {
		for range 2 { // asked more often than anything changes
			d.warnOfTokens(t.Context(), end.Add(-time.Duration(left)*24*time.Hour), warned)
		}
		for _, entry := range logged.TakeAll() {
			if got := entry.ContextMap()["token"]; got != "ends" {
				t.Errorf("warned about %v", got)
			}
			days = append(days, entry.ContextMap()["days"].(int64))
		}
	}
	if d := cmp.Diff([]int64{30, 7, 1}, days); d != "" {
		t.Errorf("days left at each warning (-want +got):\n%s", d)
	}
}

func TestDoctorOfTokens(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		claim string
		state string
		left  time.Duration
		want  string
	}{
		{"far away", "active", 31 * 24 * time.Hour, ""},
		{"a month", "active", 30 * 24 * time.Hour, warning},
		{"a day", "active", 24 * time.Hour, failure},
		{"over", "expired", -time.Hour, ""},
		{"revoked", "revoked", time.Hour, ""},
	} {
		got, _ := diagnoseToken(admin.ListedToken{Token: directory.Token{ID: "t", Expires: now.Add(tt.left)}, State: tt.state}, now)
		if got.Result != tt.want {
			t.Errorf("%s: the doctor says %q, want %q", tt.claim, got.Result, tt.want)
		}
	}
}

func TestSettingsChange(t *testing.T) {
	for _, tt := range []struct {
		claim, have string
		assign      []string
		want        string // "" for an error
	}{
		{"text", ``, []string{"profile=okta"}, `{"profile":"okta"}`},
		{"JSON", ``, []string{`domains=["a.example"]`, "n=7", "on=true"}, `{"domains":["a.example"],"n":7,"on":true}`},
		{"nothing takes away", `{"a":1,"b":2}`, []string{"a="}, `{"a":null}`},
		{"a dot leads into an object", `{"link":{"by":"email","with":["x"]}}`, []string{"link.by=userName"}, `{"link":{"by":"userName","with":["x"]}}`},
		{"several go into one object", ``, []string{"link.by=email", `link.domains=["a.b"]`}, `{"link":{"by":"email","domains":["a.b"]}}`},
		{"nothing in an object takes that away", `{"link":{"by":"email","with":["x"]}}`, []string{"link.by="}, `{"link":{"with":["x"]}}`},
		{"an equals sign in the value", ``, []string{"base=dc=corp,dc=example"}, `{"base":"dc=corp,dc=example"}`},
		{"no key", ``, []string{"=x"}, ""},
		{"no value", ``, []string{"profile"}, ""},
		{"no file", ``, []string{"schemas=@nosuch.json"}, ""},
	} {
		got, err := settingsChange(json.RawMessage(tt.have), tt.assign)
		text, _ := json.Marshal(got)
		if (err != nil) != (tt.want == "") || err == nil && string(text) != tt.want {
			t.Errorf("%s: settingsChange(%s, %q) = %s, %v; want %s", tt.claim, tt.have, tt.assign, text, err, tt.want)
		}
	}
}
