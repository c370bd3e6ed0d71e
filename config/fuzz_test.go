package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// FuzzLoad: any file is refused with a place for each fault, or printed and
// loaded again as the same.
func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		first, second := filepath.Join(dir, "first.yaml"), filepath.Join(dir, "second.yaml")
		if err := os.WriteFile(first, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(LoadOptions{Path: first, Environ: testEnviron})
		if err != nil {
			if all, ok := errors.AsType[Errors](err); !ok || len(all) == 0 || c != nil {
				t.Fatalf("Load = %v, %v, want Errors and nothing else", c, err)
			}
			return
		}
		printed, err := c.Print(false)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(second, printed, 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := Load(LoadOptions{Path: second, Environ: testEnviron})
		if err != nil {
			t.Fatalf("what was printed does not load: %v\n%s", err, printed)
		}
		absolute(t, c)
		if diff := same(c, again); diff != "" {
			t.Fatalf("what was printed loads differently:\n%s\n%s", diff, printed)
		}
	})
}

func TestDurationsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64Min(0).Draw(t, "d"))
		got, err := ParseDuration(d.String())
		if err != nil || got != d {
			t.Fatalf("ParseDuration(%s) = %v, %v, want %d", d, got, err, d)
		}
	})
	for text, want := range map[string]time.Duration{"400d": 400 * day, "24h": day, "1h30m": 90 * time.Minute, "20ms": 20 * time.Millisecond, "0s": 0, "0d": 0} {
		if got, err := ParseDuration(text); err != nil || got.Std() != want {
			t.Errorf("ParseDuration(%s) = %v, %v, want %v", text, got, err, want)
		}
	}
	for d, want := range map[time.Duration]string{day: "1d", 2 * time.Hour: "2h", 90 * time.Minute: "1h30m", 10 * time.Second: "10s", 0: "0s", 36 * time.Hour: "36h", time.Hour + time.Second: "1h0m1s", 10 * time.Minute: "10m"} {
		if got := Duration(d).String(); got != want {
			t.Errorf("Duration(%d).String() = %s, want %s", d, got, want)
		}
	}
}

func TestSuggestions(t *testing.T) {
	known := []string{"listen", "ops_listen", "max_staleness", "url", "log"}
	for got, want := range map[string]string{
		"lisen": "listen", "Listen": "listen", "ops-listen": "ops_listen", "opsListen": "ops_listen", "max_stalness": "max_staleness",
		"ilsten": "listen", "zebra": "", "": "", "u": "", strings.Repeat("listen", 50): "",
	} {
		if hint := didYouMean(got, known); (want == "") != (hint == "") || !strings.Contains(hint, want) {
			t.Errorf("didYouMean(%q) = %q, want %q", got, hint, want)
		}
	}
}

func TestSchedules(t *testing.T) {
	for _, good := range []string{"*/5 * * * *", "@every 10m", "@hourly", "CRON_TZ=Europe/Paris 30 2 * * *", "0 0 29 2 *"} {
		if err := CheckSchedule(good); err != nil {
			t.Errorf("CheckSchedule(%q) = %v, want nil", good, err)
		}
	}
	for _, bad := range []string{"", "TZ=0", "TZ=UTC", "0 0 31 2 *", "@every 0s", "@every -5m", "@every 1s", "* * * *", "0 * * * * *", "@reboot", "CRON_TZ=Nowhere/Land * * * * *"} {
		if err := CheckSchedule(bad); err == nil {
			t.Errorf("CheckSchedule(%q) = nil, want an error", bad)
		}
	}
}
