// Package deploy_test checks what an operator copies from here: that the
// configurations load, that what is written in other formats is well-formed,
// and that what is named in it exists.
package deploy_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/config"
	"go.yaml.in/yaml/v4"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// credentials makes a folder as systemd would, with a file for each name.
func credentials(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("not a secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestExampleConfigurationLoads(t *testing.T) {
	dir := credentials(t, "postgres", "redis", "corp-ldap")
	c, err := config.Load(config.LoadOptions{Path: "usherd.example.yaml", Environ: []string{"CREDENTIALS_DIRECTORY=" + dir}})
	if err != nil {
		t.Fatalf("Load(usherd.example.yaml):\n%v", err)
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Errorf("Warnings() = %v, want none", w)
	}
}

func TestComposeConfigurationLoads(t *testing.T) {
	dir := credentials(t, "postgres_password", "redis_password", "ldap_password")
	path := filepath.Join(t.TempDir(), "usherd.yaml")
	text := strings.ReplaceAll(read(t, "compose/usherd.yaml"), "/run/secrets/", dir+"/")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(config.LoadOptions{Path: path, Environ: []string{}}); err != nil {
		t.Errorf("Load(compose/usherd.yaml):\n%v", err)
	}
}

func TestContainerDoesNotStartUnprotected(t *testing.T) {
	_, err := config.Load(config.LoadOptions{Path: "container.yaml", Environ: []string{}})
	if err == nil || !strings.Contains(err.Error(), "would speak plain HTTP") {
		t.Errorf("Load(container.yaml) = %v, want an error about plain HTTP", err)
	}
	for name, environ := range map[string][]string{
		"a certificate":     {"USHERD_TLS_CERT=/tls/cert.pem", "USHERD_TLS_KEY=/tls/key.pem"},
		"a proxy that does": {"USHERD_INSECURE_HTTP=true"},
	} {
		if _, err := config.Load(config.LoadOptions{Path: "container.yaml", Environ: environ}); err != nil {
			t.Errorf("with %s: %v", name, err)
		}
	}
}

// compose is as much of the format as the tests look at.
type compose struct {
	Services map[string]struct {
		Image   string
		Ports   []string
		Volumes []string
		Secrets []string
	}
	Secrets map[string]struct{ Environment string }
	Volumes map[string]any
}

func TestCompose(t *testing.T) {
	var c compose
	if err := yaml.Load([]byte(read(t, "compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"usherd", "postgres", "redis", "openldap"} {
		if _, ok := c.Services[name]; !ok {
			t.Errorf("compose.yaml has no service %s", name)
		}
	}
	for name, s := range c.Services {
		if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" {
			t.Errorf("service %s: image %q is not of a fixed version", name, s.Image)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("service %s: port %s is published beyond loopback", name, p)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, named := c.Volumes[from]; named {
				continue
			}
			if _, err := os.Stat(from); err != nil {
				t.Errorf("service %s: volume %s: %v", name, v, err)
			}
		}
		for _, secret := range s.Secrets {
			if v := c.Secrets[secret].Environment; !strings.Contains(read(t, ".env"), "\n"+v+"=") {
				t.Errorf("service %s: secret %s: no value in .env", name, secret)
			}
		}
	}
}

func TestDockerfileCopiesWhatExists(t *testing.T) {
	text := read(t, "Dockerfile")
	for _, line := range regexp.MustCompile(`(?m)^COPY ([^-].*)$`).FindAllStringSubmatch(text, -1) {
		args := strings.Fields(line[1])
		for _, from := range args[:len(args)-1] {
			if _, err := os.Stat(filepath.Join("..", from)); err != nil {
				t.Errorf("COPY %s: %v", line[1], err)
			}
		}
	}
	for _, want := range []string{"USER 65532:65532", `CMD ["/usherd", "healthcheck"]`, "CGO_ENABLED=0", "-trimpath", "distroless/static-debian13:nonroot"} {
		if !strings.Contains(text, want) {
			t.Errorf("Dockerfile lacks %s", want)
		}
	}
}

// metrics are the names that the daemon serves, with the suffixes of their
// types.
var metrics = []string{
	"usherd_check_duration_seconds_bucket", "usherd_check_duration_seconds_count", "usherd_check_total",
	"usherd_cache_hits_total", "usherd_cache_misses_total", "usherd_cache_invalidations_total",
	"usherd_scim_requests_total", "usherd_sync_runs_total", "usherd_sync_duration_seconds_bucket",
	"usherd_sync_last_success_timestamp_seconds", "usherd_sync_source_added_timestamp_seconds", "usherd_sync_objects_total", "usherd_holds",
	"usherd_mapping_recompute_seconds_bucket", "usherd_propagation_seconds_bucket", "usherd_users", "usherd_seats",
	"usherd_token_expiry_timestamp_seconds", "usherd_config_reload_success", "usherd_build_info",
}

// TestSourcesThatNeverWereReadAreStale: they have no time of a last success, so
// the alert needs a series that each source has from the beginning.
func TestSourcesThatNeverWereReadAreStale(t *testing.T) {
	rules := read(t, "prometheus/usherd.rules.yaml")
	_, rule, _ := strings.Cut(rules, "alert: UsherdSyncStale")
	rule, _, _ = strings.Cut(rule, "alert:")
	for _, part := range []string{"time() - usherd_sync_last_success_timestamp_seconds >", " or ", "usherd_sync_source_added_timestamp_seconds unless on (instance, source) usherd_sync_last_success_timestamp_seconds"} {
		if !strings.Contains(rule, part) {
			t.Errorf("the rule has no %q: %s", part, rule)
		}
	}
}

var metricName = regexp.MustCompile(`\busherd_[a-z0-9_]+`)

// checkExpr reports names that nobody serves and brackets that do not close.
func checkExpr(t *testing.T, where, expr string) {
	t.Helper()
	for _, name := range metricName.FindAllString(expr, -1) {
		if !slices.Contains(metrics, name) {
			t.Errorf("%s: no metric %s", where, name)
		}
	}
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
			t.Errorf("%s: unbalanced %s in %s", where, pair, expr)
		}
	}
}

func TestAlertRules(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Load([]byte(read(t, "prometheus/usherd.rules.yaml")), &file, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if seen[r.Alert] {
				t.Errorf("alert %s is there twice", r.Alert)
			}
			seen[r.Alert] = true
			checkExpr(t, r.Alert, r.Expr)
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) {
				t.Errorf("alert %s lacks a summary, a description or a severity", r.Alert)
			}
		}
	}
	if len(seen) < 8 {
		t.Errorf("%d alerts, want those of every promise", len(seen))
	}
}

func TestDashboard(t *testing.T) {
	var d struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/usherd.json")), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Error("the dashboard is empty")
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			checkExpr(t, p.Title, target.Expr)
		}
	}
}

func TestSystemdUnit(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is missing: apt-get install systemd")
		}
		t.Skip("systemd-analyze is missing: apt-get install systemd")
	}
	// The daemon is not installed where tests run.
	unit := filepath.Join(t.TempDir(), "usherd.service")
	text := regexp.MustCompile(`/usr/bin/usherd .*`).ReplaceAllString(read(t, "systemd/usherd.service"), "/bin/true")
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), tool, "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "usherd.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// The threshold is ten times the exposure: below 2.
	if out, err := exec.CommandContext(t.Context(), tool, "security", "--offline=true", "--threshold=20", unit).CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}
