package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// write makes a file below a fresh folder for each name and content, and
// returns the folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustLoad(t *testing.T, o LoadOptions) *Config {
	t.Helper()
	if o.Environ == nil {
		o.Environ = testEnviron
	}
	c, err := Load(o)
	if err != nil {
		t.Fatalf("Load(%+v): %v", o, err)
	}
	return c
}

// same compares what two configurations say, secrets included, not where it was
// said.
func same(a, b *Config) string {
	return cmp.Diff(a, b, cmpopts.EquateEmpty(), cmp.Comparer(func(x, y Secret) bool { return x.Reveal() == y.Reveal() && x.Ref() == y.Ref() }),
		cmp.Comparer(func(x, y Prefix) bool { return x == y }),
		cmp.FilterPath(func(p cmp.Path) bool {
			s := p.Last().String()
			return s == ".origins" || s == ".warnings" || s == ".files"
		}, cmp.Ignore()), cmp.Exporter(func(t reflect.Type) bool { return t == reflect.TypeFor[Config]() }))
}

func TestNothingConfiguredWorks(t *testing.T) {
	t.Chdir(t.TempDir())
	c := mustLoad(t, LoadOptions{})
	if c.Listen != "127.0.0.1:8080" || c.OpsListen != "127.0.0.1:9090" || c.Data != "usherd-data" || !c.Store.SQLite() {
		t.Errorf("Load() = %+v, want loopback, usherd-data and SQLite", c)
	}
	if c.MaxStaleness.Std() != 10*time.Second || c.History.Keep.Std() != 400*24*time.Hour || c.Redis.Timeout.Std() != 20*time.Millisecond || c.DrainDelay != 0 {
		t.Errorf("Load() = staleness %v, history %v, redis %v, drain %v", c.MaxStaleness, c.History.Keep, c.Redis.Timeout, c.DrainDelay)
	}
	var zero Config
	zero.SetDefaults()
	if diff := same(&zero, c); diff != "" {
		t.Errorf("SetDefaults of the zero Config differs from Load of nothing:\n%s", diff)
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Errorf("Warnings() = %v, want none", w)
	}
}

func TestTheFullFileLoads(t *testing.T) {
	c := mustLoad(t, LoadOptions{Path: "testdata/good/full.yaml"})
	if got := c.Sources[1].LDAP.Thresholds; got != (Thresholds{3, 50, 30, 10, 2, 25, 7, 4, 60}) {
		t.Errorf("thresholds = %+v", got)
	}
	if got := c.Store.Password.Reveal(); got != "correct horse" {
		t.Errorf("store.password = %q, want that of $TESTPW", got)
	}
	if got := c.TLS.Cert; got != "testdata/good/tls/cert.pem" {
		t.Errorf("tls.cert = %q, want it relative to the file's folder", got)
	}
	if got := c.Proxies[1].String(); got != "192.0.2.7/32" {
		t.Errorf("trusted_proxies[1] = %q, want the address as a network", got)
	}
	// Every key is in the file, so that a key added later is tried here too.
	set := map[string]bool{}
	for path := range c.Origins() {
		set[path] = true
	}
	for key := range leaves(c) {
		if !set[key.path] && !strings.HasPrefix(key.path, "sources[0]") && key.path != "insecure_http" &&
			!strings.HasSuffix(key.path, ".profile") && !strings.HasSuffix(key.path, ".allow_plaintext_bind") && !strings.HasSuffix(key.path, ".external") {
			t.Errorf("testdata/good/full.yaml does not set %s", key.path)
		}
	}
}

func TestPrintedConfigurationLoadsEqual(t *testing.T) {
	for _, path := range []string{"testdata/good/full.yaml", ""} {
		t.Run(path, func(t *testing.T) {
			if path == "" {
				t.Chdir(t.TempDir())
			}
			before := mustLoad(t, LoadOptions{Path: path})
			for _, origins := range []bool{false, true} {
				text, err := before.Print(origins)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(text), "correct horse") || strings.Contains(string(text), "battery staple") {
					t.Errorf("Print shows a secret:\n%s", text)
				}
				dir := write(t, map[string]string{"usherd.yaml": string(text)})
				after := mustLoad(t, LoadOptions{Path: filepath.Join(dir, "usherd.yaml")})
				absolute(t, before)
				if diff := same(before, after); diff != "" {
					t.Errorf("Load(Print) differs:\n%s\nprinted:\n%s", diff, text)
				}
			}
		})
	}
}

// absolute makes the file names of c absolute.
func absolute(t *testing.T, c *Config) {
	t.Helper()
	for key := range leaves(c) {
		s, ok := key.value().Addr().Interface().(*string)
		if !ok || !key.field.path || *s == "" {
			continue
		}
		abs, err := filepath.Abs(*s)
		if err != nil {
			t.Fatal(err)
		}
		*s = abs
	}
}

func TestPrecedence(t *testing.T) {
	dir := write(t, map[string]string{"usherd.yaml": "apiVersion: v1\nlisten: 127.0.0.1:1\nops_listen: 127.0.0.1:2\nurl: https://file.example\n"})
	c := mustLoad(t, LoadOptions{
		Path:    filepath.Join(dir, "usherd.yaml"),
		Environ: []string{"USHERD_LISTEN=127.0.0.1:3", "USHERD_OPS_LISTEN=127.0.0.1:4"},
		Flags:   map[string]string{"listen": "127.0.0.1:5"},
	})
	if c.Listen != "127.0.0.1:5" || c.OpsListen != "127.0.0.1:4" || c.URL != "https://file.example" || c.Log.Level != "info" {
		t.Errorf("listen %s, ops_listen %s, url %s, level %s; want flag, variable, file, default", c.Listen, c.OpsListen, c.URL, c.Log.Level)
	}
	want := map[string]string{"listen": "--listen", "ops_listen": "$USHERD_OPS_LISTEN", "url": filepath.Join(dir, "usherd.yaml") + ":4:6", "log.level": "default"}
	for path, origin := range want {
		if got := c.Origins()[path].String(); got != origin {
			t.Errorf("Origins()[%s] = %s, want %s", path, got, origin)
		}
	}
	text, err := c.Print(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"listen: 127.0.0.1:5 # --listen\n", "ops_listen: 127.0.0.1:4 # $USHERD_OPS_LISTEN\n", "  level: info # default\n"} {
		if !strings.Contains(string(text), line) {
			t.Errorf("Print(true) lacks %q:\n%s", line, text)
		}
	}
}

func TestSearchOrder(t *testing.T) {
	file := func(port string) string { return "apiVersion: v1\nlisten: 127.0.0.1:" + port + "\n" }
	home := write(t, map[string]string{"usherd/config.yaml": file("3")})
	named := write(t, map[string]string{"flag.yaml": file("0"), "variable.yaml": file("1")})
	t.Chdir(write(t, map[string]string{"usherd.yaml": file("2")}))
	env := []string{"XDG_CONFIG_HOME=" + home}
	withVar := append(env, "USHERD_CONFIG="+filepath.Join(named, "variable.yaml"))

	tests := []struct {
		name string
		o    LoadOptions
		want string
	}{
		{"a flag wins", LoadOptions{Path: filepath.Join(named, "flag.yaml"), Environ: withVar}, "127.0.0.1:0"},
		{"then the variable", LoadOptions{Environ: withVar}, "127.0.0.1:1"},
		{"then the folder", LoadOptions{Environ: env}, "127.0.0.1:2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustLoad(t, tt.o).Listen; got != tt.want {
				t.Errorf("Load(%+v).Listen = %s, want %s", tt.o, got, tt.want)
			}
		})
	}
	t.Run("then the home", func(t *testing.T) {
		t.Chdir(t.TempDir())
		if got := mustLoad(t, LoadOptions{Environ: env}).Listen; got != "127.0.0.1:3" {
			t.Errorf("Listen = %s, want that of $XDG_CONFIG_HOME", got)
		}
	})
	t.Run("a named file that is missing is an error", func(t *testing.T) {
		if c, err := Load(LoadOptions{Path: "nowhere.yaml", Environ: testEnviron}); err == nil || !strings.HasPrefix(err.Error(), "nowhere.yaml: no such file") {
			t.Errorf("Load = %v, %v, want an error that names the file", c, err)
		}
	})
	t.Run("a folder is an error", func(t *testing.T) {
		if c, err := Load(LoadOptions{Path: home, Environ: testEnviron}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("Load = %v, %v, want an error", c, err)
		}
	})
}

func TestConfD(t *testing.T) {
	dir := write(t, map[string]string{
		"usherd.yaml":          "apiVersion: v1\ndrain_delay: 1s\nlog: {level: warn, pii: true}\ntrusted_proxies: [10.0.0.1]\nsources:\n  - {name: okta, kind: scim}\n",
		"conf.d/20-later.yaml": "log: {level: error}\ntrusted_proxies: [10.0.0.3, 10.0.0.4]\nsources:\n  - {name: entra, kind: scim, profile: entra}\n",
		"conf.d/10-first.yaml": "apiVersion: v1\nlog: {level: debug}\ntrusted_proxies: [10.0.0.2]\nsources:\n  - {name: ping, kind: scim}\n",
		"conf.d/.hidden.yaml":  "nonsense: true\n",
		"conf.d/30-trap.yml":   "nonsense: true\n",
		"conf.d/README":        "nonsense",
	})
	c := mustLoad(t, LoadOptions{Path: filepath.Join(dir, "usherd.yaml")})
	if c.Log.Level != "error" || !c.Log.PII || c.DrainDelay.Std() != time.Second {
		t.Errorf("log = %+v, drain_delay %v; want blocks merged and the last file to win", c.Log, c.DrainDelay)
	}
	if len(c.Proxies) != 2 || c.Proxies[0].String() != "10.0.0.3/32" {
		t.Errorf("trusted_proxies = %v, want those of the last file alone", c.Proxies)
	}
	var names []string
	for _, s := range c.Sources {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "okta ping entra" {
		t.Errorf("sources = %s, want those of all files", got)
	}
	if w := c.Warnings(); len(w) != 1 || !strings.HasSuffix(w[0].File, "30-trap.yml") {
		t.Errorf("Warnings() = %v, want one about the .yml file", w)
	}

	var watched []string
	for _, name := range []string{"usherd.yaml", "conf.d", "conf.d/10-first.yaml", "conf.d/20-later.yaml"} {
		watched = append(watched, filepath.Join(dir, name))
	}
	if diff := cmp.Diff(watched, c.Files()); diff != "" {
		t.Errorf("Files (-want +got):\n%s", diff)
	}

	bad := write(t, map[string]string{
		"usherd.yaml":     "apiVersion: v1\nlisten: nowhere\n",
		"conf.d/10.yaml":  "sources:\n  - {name: a, kind: scim}\n  - {name: a, kind: scim}\n",
		"conf.d/20.yaml":  "lisen: 127.0.0.1:1\n",
		"conf.d/30.yaml":  "{\n",
		"conf.d/40.yaml/": "", // a folder
	})
	_, err := Load(LoadOptions{Path: filepath.Join(bad, "usherd.yaml"), Environ: testEnviron})
	all, ok := errors.AsType[Errors](err)
	if !ok || len(all) != 5 {
		t.Fatalf("Load = %v, want five faults, one a file", err)
	}
	seen := map[string]int{}
	for _, e := range all {
		seen[filepath.Base(e.File)]++
	}
	want := map[string]int{"usherd.yaml": 1, "10.yaml": 1, "20.yaml": 1, "30.yaml": 1, "40.yaml": 1}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("faults a file:\n%s\n%v", diff, err)
	}
}

func TestFilesAreLimited(t *testing.T) {
	dir := write(t, map[string]string{"big.yaml": "apiVersion: v1\n#" + strings.Repeat("x", maxFile)})
	if _, err := Load(LoadOptions{Path: filepath.Join(dir, "big.yaml"), Environ: testEnviron}); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("Load of more than %d bytes = %v, want an error", maxFile, err)
	}
}

func TestWarnings(t *testing.T) {
	dir := write(t, map[string]string{"usherd.yaml": "apiVersion: v1\nlisten: 0.0.0.0:80\ninsecure_http: true\nops_listen: 0.0.0.0:9090\n"})
	c := mustLoad(t, LoadOptions{Path: filepath.Join(dir, "usherd.yaml")})
	var got []string
	for _, w := range c.Warnings() {
		got = append(got, w.Path)
	}
	if want := []string{"ops_listen", "insecure_http"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Warnings() concern %v, want %v", got, want)
	}
}

func TestDiff(t *testing.T) {
	dir := write(t, map[string]string{
		"old.yaml": "apiVersion: v1\nlisten: 127.0.0.1:1\nlog: {level: info}\nredis: {url: \"redis://r\", password: \"env:PW\"}\n",
		"new.yaml": "apiVersion: v1\nlisten: 127.0.0.1:2\nlog: {level: debug}\nredis: {url: \"redis://r\", password: \"env:PW\"}\nsources: [{name: okta, kind: scim}]\n",
	})
	was := mustLoad(t, LoadOptions{Path: filepath.Join(dir, "old.yaml"), Environ: []string{"PW=one"}})
	is := mustLoad(t, LoadOptions{Path: filepath.Join(dir, "new.yaml"), Environ: []string{"PW=two"}})
	want := []Change{
		{"listen", "127.0.0.1:1", "127.0.0.1:2", true},
		{"log.level", "info", "debug", false},
		{"redis.password", "env:PW", "env:PW", true},
		{"sources[0].kind", "", "scim", false},
		{"sources[0].name", "", "okta", false},
		{"sources[0].profile", "", "auto", false},
	}
	if diff := cmp.Diff(want, is.Diff(was)); diff != "" {
		t.Errorf("Diff (-want +got):\n%s", diff)
	}
	if again := was.Diff(was); len(again) > 0 {
		t.Errorf("Diff with itself = %v, want nothing", again)
	}
}

func TestCheckFiles(t *testing.T) {
	dir := write(t, map[string]string{
		"usherd.yaml": "apiVersion: v1\ntls: {cert: cert.pem, key: nokey.pem}\npolicy: {file: .}\ndata: not-yet\n",
		"cert.pem":    "x",
	})
	path := filepath.Join(dir, "usherd.yaml")
	got := mustLoad(t, LoadOptions{Path: path}).CheckFiles()
	want := Errors{
		{File: path, Line: 2, Column: 28, Path: "tls.key", Msg: filepath.Join(dir, "nokey.pem") + ": no such file or directory"},
		{File: path, Line: 3, Column: 16, Path: "policy.file", Msg: dir + ": not a regular file"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CheckFiles (-want +got):\n%s", diff)
	}
}
